//! Every weight to its nearest code.

use crate::finite::check_finite;
use crate::{Distortion, Grid, MinMax, QuantError, Quantized, Range, Scheme};
use junkdna_backend::HostMatrix;
use rayon::prelude::*;

/// Round-to-nearest quantization: each weight goes to the nearest value of its group's grid, ties to even, whatever the
/// others do. Needs no data; the baseline that GPTQ and AWQ are measured against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundToNearest<R = MinMax> {
    scheme: Scheme,
    range: R,
}

impl RoundToNearest {
    /// With grids from the smallest to the largest weight of each group.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, range: MinMax }
    }
}

impl<R: Range> RoundToNearest<R> {
    /// With another choice of grids.
    pub fn with_range<S: Range>(self, range: S) -> RoundToNearest<S> {
        RoundToNearest { scheme: self.scheme, range }
    }

    /// What the codes are.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The codes of a matrix `[d_out, d_in]`.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`, or a weight is NaN, infinite or 2^126 and more.
    pub fn quantize(&self, matrix: &HostMatrix) -> Result<Quantized, QuantError> {
        let groups = self.groups(matrix)?;
        let mut codes = vec![0; matrix.as_slice().len()];
        let rows = codes.par_chunks_mut(groups.d_in).zip(matrix.as_slice().par_chunks(groups.d_in)).enumerate();
        rows.for_each(|(output, (codes, row))| {
            let runs = codes.chunks_mut(groups.run).zip(row.chunks(groups.run)).zip(groups.of_row(output));
            for ((codes, weights), grid) in runs {
                codes.iter_mut().zip(weights).for_each(|(code, &weight)| *code = grid.code(weight));
            }
        });
        Ok(Quantized {
            d_out: matrix.d_out(),
            d_in: matrix.d_in(),
            scheme: self.scheme,
            group_len: groups.len,
            codes,
            scales: groups.grids.iter().map(Grid::scale).collect(),
            zeros: groups.grids.iter().map(Grid::zero).collect(),
        })
    }

    /// The matrix after [`quantize`](Self::quantize) and [`dequantize`](Quantized::dequantize), bit for bit, without
    /// storing codes; and how far it moved.
    ///
    /// # Errors
    /// As for [`quantize`](Self::quantize).
    pub fn round(&self, matrix: &HostMatrix) -> Result<(HostMatrix, Distortion), QuantError> {
        let groups = self.groups(matrix)?;
        let mut rounded = vec![0.0; matrix.as_slice().len()];
        let rows = rounded.par_chunks_mut(groups.d_in).zip(matrix.as_slice().par_chunks(groups.d_in)).enumerate();
        let moved = rows.map(|(output, (rounded, row))| {
            let runs = rounded.chunks_mut(groups.run).zip(row.chunks(groups.run)).zip(groups.of_row(output));
            for ((rounded, weights), grid) in runs {
                rounded.iter_mut().zip(weights).for_each(|(rounded, &weight)| *rounded = grid.round(weight));
            }
            Distortion::between(row, rounded)
        });
        // Row by row and then in order: the same sum on any number of threads.
        let moved: Vec<Distortion> = moved.collect();
        Ok((HostMatrix::new(rounded, matrix.d_out(), matrix.d_in()), moved.into_iter().sum()))
    }

    /// The grid of every group.
    fn groups(&self, matrix: &HostMatrix) -> Result<Groups, QuantError> {
        // Chunks of an empty matrix still need a length.
        let len = self.scheme.group_len(matrix.d_out(), matrix.d_in())?.max(1);
        let d_in = matrix.d_in().max(1);
        check_finite(matrix)?;
        let groups = matrix.as_slice().par_chunks(len);
        let grids = groups.map(|group| self.range.grid(group, &self.scheme)).collect();
        Ok(Groups { len, d_in, run: len.min(d_in), grids })
    }
}

/// How a matrix splits into groups.
struct Groups {
    /// Weights per group.
    len: usize,
    /// Weights per row.
    d_in: usize,
    /// Weights of one group in one row: a row holds whole groups, or lies in the one group of the matrix.
    run: usize,
    grids: Vec<Grid>,
}

impl Groups {
    /// The grids of the runs of one row.
    fn of_row(&self, output: usize) -> &[Grid] {
        let first = output * self.d_in / self.len;
        &self.grids[first..first + self.d_in / self.run]
    }
}
