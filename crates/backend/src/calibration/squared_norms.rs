//! Norms of inputs.

use super::Statistic;
use crate::kernels::column_squares;
use burn::tensor::Tensor;

/// Σ x² over tokens for each input of a linear: what Wanda (Sun et al. 2023) and RIA (Zhang et al. 2024) need.
#[derive(Debug, Clone, PartialEq)]
pub struct SquaredNorms {
    sums: Vec<f64>,
}

impl SquaredNorms {
    /// The Euclidean norm of each input over all tokens, `[d_in]`.
    pub fn norms(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| sum.sqrt() as f32).collect()
    }
}

impl Statistic for SquaredNorms {
    fn new(d_in: usize) -> Self {
        Self { sums: vec![0.0; d_in] }
    }

    fn add(&mut self, input: &Tensor<2>) {
        for (sum, squares) in self.sums.iter_mut().zip(column_squares(input)) {
            *sum += f64::from(squares);
        }
    }
}
