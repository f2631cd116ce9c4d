//! A matrix of codes.

use crate::{Grid, Scheme};
use junkdna_backend::HostMatrix;
use rayon::prelude::*;

/// A quantized weight matrix `[d_out, d_in]`: one code per weight, one scale and zero point per group.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    pub(crate) d_out: usize,
    pub(crate) d_in: usize,
    pub(crate) scheme: Scheme,
    /// Weights per group, at least 1.
    pub(crate) group_len: usize,
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) zeros: Vec<u8>,
}

impl Quantized {
    /// Outputs: the number of rows.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Inputs: the length of a row.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// What the codes mean.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// One code per weight, `[d_out, d_in]`, row-major, one to a byte.
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// One scale per group, in the order of the groups in the rows.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// One zero point per group: the code that stands for 0.
    pub fn zeros(&self) -> &[u8] {
        &self.zeros
    }

    /// The grid of one group.
    ///
    /// # Panics
    /// If there are not so many groups.
    pub fn grid(&self, group: usize) -> Grid {
        Grid::new(self.scales[group], self.zeros[group], &self.scheme)
    }

    /// The weights that the codes stand for, `[d_out, d_in]`.
    pub fn dequantize(&self) -> HostMatrix {
        let mut weights = vec![0.0; self.codes.len()];
        let d_in = self.d_in.max(1);
        // A row holds whole groups, or lies in the one group of the matrix.
        let run = self.group_len.min(d_in);
        let rows = weights.par_chunks_mut(d_in).zip(self.codes.par_chunks(d_in)).enumerate();
        rows.for_each(|(output, (weights, codes))| {
            for (i, (weights, codes)) in weights.chunks_mut(run).zip(codes.chunks(run)).enumerate() {
                let grid = self.grid((output * d_in + i * run) / self.group_len);
                weights.iter_mut().zip(codes).for_each(|(weight, &code)| *weight = grid.value(code));
            }
        });
        HostMatrix::new(weights, self.d_out, self.d_in)
    }
}
