//! One block of columns after another.

use super::Round;
use super::row::Row;
use crate::score::Given;
use crate::{LayerMask, NofM, PruneError, Sparsity, Target, Ties, WeightRef, select};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use junkdna_backend::calibration::InverseFactor;
use rayon::prelude::*;
use std::ops::Range;

/// Outputs that a thread takes at a time.
const ROWS: usize = 8;

/// The weights on their way through algorithm 1.
pub struct Columns<'a> {
    path: &'a str,
    d_in: usize,
    factor: &'a InverseFactor,
    target: Target,
    /// `[d_out, d_in]`: final left of the current block, updated for what was pruned there right of it.
    values: Vec<f32>,
    keep: Vec<bool>,
}

impl<'a> Columns<'a> {
    pub fn new(weight: &WeightRef<'a>, factor: &'a InverseFactor, target: Target) -> Result<Self, PruneError> {
        if let Target::NofM(pattern) = target {
            select::check_groups(weight, pattern)?;
        }
        let mut values = weight.values.to_vec();
        for row in values.chunks_mut(weight.d_in.max(1)) {
            row.iter_mut().enumerate().filter(|(input, _)| factor.is_dead(*input)).for_each(|(_, w)| *w = 0.0);
        }
        let keep = vec![true; values.len()];
        Ok(Self { path: weight.path, d_in: weight.d_in, factor, target, values, keep })
    }

    /// The block size that is whole groups of an N:M pattern.
    pub fn block_of(&self, size: usize) -> usize {
        match self.target {
            Target::Unstructured(_) => size,
            Target::NofM(pattern) => size.next_multiple_of(pattern.m()),
        }
    }

    /// Prunes these columns and takes their errors out of the columns behind.
    pub fn prune(&mut self, columns: Range<usize>, round: Option<&Round<'_>>) -> Result<(), PruneError> {
        let pattern = match self.target {
            Target::Unstructured(sparsity) => {
                self.choose(columns.clone(), sparsity)?;
                None
            }
            Target::NofM(pattern) => Some(pattern),
        };
        let errors = self.fix(columns.clone(), pattern, round);
        self.update_behind(columns, &errors);
        Ok(())
    }

    /// The weights, 0 where they went, and which stay.
    pub fn finish(self) -> (Vec<bool>, Vec<f32>) {
        (self.keep, self.values)
    }

    /// The mask of these columns by w² / U_jj² over all outputs.
    fn choose(&mut self, columns: Range<usize>, sparsity: Sparsity) -> Result<(), PruneError> {
        let width = columns.len();
        let scale: Vec<f32> = columns.clone().map(|j| 1.0 / self.factor.row(j)[j].powi(2)).collect();
        let rows = self.values.par_chunks(self.d_in);
        let scores: Vec<f32> =
            rows.flat_map_iter(|row| row[columns.clone()].iter().zip(&scale).map(|(w, scale)| w * w * scale)).collect();
        let d_out = self.values.len() / self.d_in;
        let scored = WeightRef { path: self.path, d_out, d_in: width, values: &scores };
        let count = Ties::All.count(sparsity, scores.len());
        let bits = select::smallest(&Given("sparsegpt"), &[scored], &[count], Ties::All)?;
        let mask = bits.into_iter().flatten().map(|bits| LayerMask::from_bits(d_out, width, bits)).next();
        let mask = mask.unwrap_or_else(|| LayerMask::all_kept(d_out, width));
        self.keep.par_chunks_mut(self.d_in).enumerate().for_each(|(output, keep)| {
            keep[columns.clone()].iter_mut().enumerate().for_each(|(input, keep)| *keep = mask.keeps(output, input));
        });
        Ok(())
    }

    /// Fixes the weights of these columns, output by output; their errors over U_jj, `[d_out, columns]`.
    fn fix(&mut self, columns: Range<usize>, pattern: Option<NofM>, round: Option<&Round<'_>>) -> Vec<f32> {
        let width = columns.len();
        // A copy that stays in the cache while all outputs go through it.
        let factor: Vec<f32> =
            columns.clone().flat_map(|j| self.factor.row(j)[columns.clone()].iter().copied()).collect();
        let mut errors = vec![0.0; self.values.len() / self.d_in * width];
        let rows = self.values.par_chunks_mut(ROWS * self.d_in).zip(self.keep.par_chunks_mut(ROWS * self.d_in));
        rows.zip(errors.par_chunks_mut(ROWS * width)).enumerate().for_each(|(chunk, ((values, keep), errors))| {
            let rows = values.chunks_mut(self.d_in).zip(keep.chunks_mut(self.d_in)).zip(errors.chunks_mut(width));
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (index, ((values, keep), errors)) in rows.enumerate() {
                        let (values, keep) = (&mut values[columns.clone()], &mut keep[columns.clone()]);
                        let mut row = Row { values, keep, errors, factor: &factor };
                        let output = chunk * ROWS + index;
                        match round {
                            None => row.fix(pattern, |_, w| w),
                            Some(round) => row.fix(pattern, |column, w| round(output, columns.start + column, w)),
                        }
                    }
                },
            );
        });
        errors
    }

    /// W[:, behind] -= errors · U[columns, behind].
    fn update_behind(&mut self, columns: Range<usize>, errors: &[f32]) {
        let (d_in, width) = (self.d_in, columns.len());
        let (d_out, behind) = (self.values.len() / d_in, d_in - columns.end);
        let upper = MatRef::from_row_major_slice(self.factor.as_slice(), d_in, d_in);
        let upper = upper.submatrix(columns.start, columns.end, width, behind);
        let errors = MatRef::from_row_major_slice(errors, d_out, width);
        let weights = MatMut::from_row_major_slice_mut(&mut self.values, d_out, d_in).subcols_mut(columns.end, behind);
        matmul(weights, Accum::Add, errors, upper, -1.0, Par::rayon(0));
    }
}
