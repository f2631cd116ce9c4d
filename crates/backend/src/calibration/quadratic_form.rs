//! Squared errors of outputs, from the Hessian of the inputs.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// A symmetric matrix `[d_in, d_in]`, to be multiplied with vectors from both sides.
#[derive(Debug, Clone)]
pub struct QuadraticForm {
    d_in: usize,
    values: Vec<f32>,
}

impl QuadraticForm {
    /// Of a symmetric matrix, row-major.
    pub(super) fn new(d_in: usize, values: Vec<f32>) -> Self {
        Self { d_in, values }
    }

    /// δ H δᵀ of each row δ of `rows`, `[n, d_in]` row-major: with the rows of a change of a weight, twice the mean square
    /// of the change of each output.
    pub fn of_rows(&self, rows: &[f32]) -> Vec<f64> {
        let d_in = self.d_in.max(1);
        let n = rows.len() / d_in;
        let mut products = vec![0.0f32; rows.len()];
        let (left, right) =
            (MatRef::from_row_major_slice(rows, n, d_in), MatRef::from_row_major_slice(&self.values, d_in, d_in));
        let out = MatMut::from_row_major_slice_mut(&mut products, n, d_in);
        if n > 0 {
            matmul(out, Accum::Replace, left, right, 1.0, Par::rayon(0));
        }
        let dot = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        rows.chunks(d_in).zip(products.chunks(d_in)).map(dot).collect()
    }

    /// The same with H_ij divided by `by[i] · by[j]`: that of inputs divided by `by`.
    ///
    /// # Panics
    /// If there is not one divisor for each input.
    pub fn divided(&self, by: &[f32]) -> Self {
        assert_eq!(by.len(), self.d_in, "divisors of {} inputs", self.d_in);
        let rows = self.values.chunks(self.d_in.max(1)).zip(by);
        let values = rows.flat_map(|(row, a)| row.iter().zip(by).map(move |(value, b)| value / a / b));
        Self { d_in: self.d_in, values: values.collect() }
    }

    /// That of `len` neighbouring inputs alone.
    ///
    /// # Panics
    /// If there are not so many inputs.
    pub fn of_inputs(&self, start: usize, len: usize) -> Self {
        let row = |i: usize| &self.values[i * self.d_in + start..][..len];
        Self { d_in: len, values: (start..start + len).flat_map(|i| row(i).iter().copied()).collect() }
    }
}
