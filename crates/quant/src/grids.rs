//! The grids of all groups of a matrix.

use crate::finite::check_finite;
use crate::{Grid, QuantError, Quantized, Range, Scheme};
use junkdna_backend::HostMatrix;
use rayon::prelude::*;

/// The grid of every group of one weight matrix `[d_out, d_in]`.
#[derive(Debug, Clone)]
pub struct Grids {
    scheme: Scheme,
    d_out: usize,
    d_in: usize,
    /// Weights per group, at least 1.
    len: usize,
    grids: Vec<Grid>,
}

impl Grids {
    /// The grids that a range chooses for a matrix.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`, a weight is NaN, infinite or 2^126 and more, or a scale overflows the type
    /// that it is stored in.
    pub fn of(matrix: &HostMatrix, scheme: Scheme, range: &impl Range) -> Result<Self, QuantError> {
        let len = scheme.group_len(matrix.d_out(), matrix.d_in())?.max(1);
        check_finite(matrix)?;
        let grids = matrix.as_slice().par_chunks(len).map(|group| range.grid(group, &scheme)).collect();
        Self::from_grids(grids, scheme, [matrix.d_out(), matrix.d_in()])
    }

    /// Grids chosen elsewhere, in the order of the groups in the rows.
    pub(crate) fn from_grids(grids: Vec<Grid>, scheme: Scheme, [d_out, d_in]: [usize; 2]) -> Result<Self, QuantError> {
        let len = scheme.group_len(d_out, d_in)?.max(1);
        match grids.iter().position(|grid| !grid.scale().is_finite()) {
            None => Ok(Self { scheme, d_out, d_in, len, grids }),
            Some(group) => {
                let [output, input] = [group * len / d_in.max(1), group * len % d_in.max(1)];
                Err(QuantError::ScaleOverflow { output, input, scales: scheme.scales() })
            }
        }
    }

    /// The scheme that they are of.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The grid of one weight.
    ///
    /// # Panics
    /// If the matrix has no such output or input.
    pub fn at(&self, output: usize, input: usize) -> &Grid {
        &self.grids[(output * self.d_in + input) / self.len]
    }

    /// All of them, in the order of the groups in the rows.
    pub fn as_slice(&self) -> &[Grid] {
        &self.grids
    }

    /// Whether all outputs share one grid.
    pub(crate) fn of_matrix(&self) -> bool {
        self.len > self.d_in
    }

    /// Weights of one group in one row: a row holds whole groups, or lies in the one group of the matrix.
    pub(crate) fn run(&self) -> usize {
        self.len.min(self.d_in.max(1))
    }

    /// The grids of the runs of one row.
    pub(crate) fn of_row(&self, output: usize) -> &[Grid] {
        if self.grids.is_empty() {
            return &[];
        }
        let first = output * self.d_in / self.len;
        &self.grids[first..first + self.d_in / self.run()]
    }

    /// Each weight's nearest code.
    ///
    /// # Panics
    /// If the matrix is of another shape.
    pub fn encode(&self, matrix: &HostMatrix) -> Quantized {
        self.check_shape(matrix);
        let mut codes = vec![0; matrix.as_slice().len()];
        let d_in = self.d_in.max(1);
        let rows = codes.par_chunks_mut(d_in).zip(matrix.as_slice().par_chunks(d_in)).enumerate();
        rows.for_each(|(output, (codes, row))| {
            let runs = codes.chunks_mut(self.run()).zip(row.chunks(self.run())).zip(self.of_row(output));
            runs.for_each(|((codes, weights), grid)| grid.encode(weights, codes));
        });
        self.with_codes(codes)
    }

    /// A matrix of these codes.
    pub(crate) fn with_codes(&self, codes: Vec<u8>) -> Quantized {
        Quantized {
            d_out: self.d_out,
            d_in: self.d_in,
            scheme: self.scheme,
            group_len: self.len,
            codes,
            scales: self.grids.iter().map(Grid::scale).collect(),
            zeros: self.grids.iter().map(Grid::zero).collect(),
            input_scales: None,
            outliers: Vec::new(),
        }
    }

    pub(crate) fn check_shape(&self, matrix: &HostMatrix) {
        let (own, other) = ([self.d_out, self.d_in], [matrix.d_out(), matrix.d_in()]);
        assert_eq!(own, other, "grids of another shape");
    }
}
