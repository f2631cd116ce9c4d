//! Which weights go, one block of columns after another.

use super::Round;
use crate::score::Given;
use crate::{LayerMask, NofM, PruneError, Sparsity, Target, Ties, WeightRef, select};
use junkdna_backend::calibration::{InverseFactor, Place, Sweep};
use rayon::prelude::*;
use std::ops::Range;

/// What stays, as far as it is chosen.
pub struct Choice<'a> {
    path: &'a str,
    d_out: usize,
    d_in: usize,
    target: Amount,
    /// 1 / U_jj² of each input: times w² the score of a weight.
    scale: Vec<f32>,
    /// `[d_out, d_in]`.
    keep: Vec<bool>,
}

/// The targets that it can meet.
#[derive(Clone, Copy)]
enum Amount {
    Unstructured(Sparsity),
    NofM(NofM),
}

impl<'a> Choice<'a> {
    pub fn new(weight: &WeightRef<'a>, factor: &InverseFactor, target: Target) -> Result<Self, PruneError> {
        let target = match target {
            Target::Unstructured(sparsity) => Amount::Unstructured(sparsity),
            Target::NofM(pattern) => {
                select::check_groups(weight, pattern)?;
                Amount::NofM(pattern)
            }
            Target::Blocks { .. } => return Err(PruneError::NoBlocks { method: "sparsegpt", target }),
        };
        let WeightRef { path, d_out, d_in, .. } = *weight;
        let scale = (0..d_in).map(|j| 1.0 / factor.row(j)[j].powi(2)).collect();
        Ok(Self { path, d_out, d_in, target, scale, keep: vec![true; weight.values.len()] })
    }

    /// The block size that is whole groups of an N:M pattern.
    pub fn block_of(&self, size: usize) -> usize {
        match self.target {
            Amount::Unstructured(_) => size,
            Amount::NofM(pattern) => size.next_multiple_of(pattern.m()),
        }
    }

    /// Prunes these columns, and rounds what survives in them.
    pub fn prune(
        &mut self,
        columns: Range<usize>,
        sweep: &mut Sweep<'_>,
        round: Option<&Round<'_>>,
    ) -> Result<(), PruneError> {
        let pattern = match self.target {
            Amount::Unstructured(sparsity) => {
                self.choose(columns.clone(), sweep.values(), sparsity)?;
                None
            }
            Amount::NofM(pattern) => Some(pattern),
        };
        let scale = &self.scale;
        sweep.block(columns, &mut self.keep, |place: Place<'_>, keep: &mut [bool]| {
            if let Some(pattern) = pattern.filter(|pattern| place.input.is_multiple_of(pattern.m())) {
                choose_group(place, scale, keep, pattern);
            }
            match (keep[place.input], round) {
                (false, _) => 0.0,
                (true, None) => place.row[place.input],
                (true, Some(round)) => round(place.output, place.input, place.row[place.input]),
            }
        });
        Ok(())
    }

    /// What stays.
    pub fn mask(&self) -> LayerMask {
        LayerMask::of(self.d_out, self.d_in, &self.keep, |keep| keep)
    }

    /// The mask of these columns by w² / U_jj² over all outputs.
    fn choose(&mut self, columns: Range<usize>, values: &[f32], sparsity: Sparsity) -> Result<(), PruneError> {
        let scale = &self.scale[columns.clone()];
        let scores = values.par_chunks(self.d_in);
        let scores: Vec<f32> = scores
            .flat_map_iter(|row| row[columns.clone()].iter().zip(scale).map(|(w, scale)| w * w * scale))
            .collect();
        let scored = WeightRef { path: self.path, d_out: self.d_out, d_in: columns.len(), values: &scores };
        let count = Ties::All.count(sparsity, scores.len());
        let bits = select::smallest(&Given("sparsegpt"), &[scored], &[count], Ties::All)?;
        for bits in bits.into_iter().flatten() {
            let mask = LayerMask::from_bits(self.d_out, columns.len(), bits);
            self.keep.par_chunks_mut(self.d_in).enumerate().for_each(|(output, keep)| {
                let keep = keep[columns.clone()].iter_mut().enumerate();
                keep.for_each(|(input, keep)| *keep = mask.keeps(output, input));
            });
        }
        Ok(())
    }
}

/// The n smallest w² / U_jj² of the m inputs from this one go, as the columns before have left them.
fn choose_group(place: Place<'_>, scale: &[f32], keep: &mut [bool], pattern: NofM) {
    let score = |j: usize| place.row[j].powi(2) * scale[j];
    let mut order: Vec<usize> = (place.input..place.input + pattern.m()).collect();
    order.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
    order[..pattern.n()].iter().for_each(|&j| keep[j] = false);
}
