//! Σ x xᵀ.

use burn::tensor::Tensor;
use std::borrow::Cow;

/// Σ x xᵀ over rows x of matrices, `[d, d]`.
#[derive(Debug, Clone, Default)]
pub(super) enum Gram {
    /// Of no rows.
    #[default]
    Zero,
    /// The upper triangle in the host's memory, row-major; zeros below it.
    #[cfg(feature = "flex")]
    Host(Vec<f32>),
    /// The whole matrix on a device.
    Device(Box<Tensor<2>>),
}

impl Gram {
    /// Of a symmetric matrix.
    pub fn of(matrix: Tensor<2>) -> Self {
        Self::Device(Box::new(matrix))
    }

    /// Adds the rows of `[rows, d]`.
    pub fn add(&mut self, rows: &Tensor<2>) {
        *self = match std::mem::take(self) {
            #[cfg(feature = "flex")]
            Self::Zero if crate::kernels::holds(rows) => {
                let d = rows.dims()[1];
                Self::Host(plus(vec![0.0; d * d], rows))
            }
            #[cfg(feature = "flex")]
            Self::Host(sum) => Self::Host(plus(sum, rows)),
            Self::Zero => Self::of(rows.clone().transpose().matmul(rows.clone())),
            Self::Device(sum) => Self::of(*sum + rows.clone().transpose().matmul(rows.clone())),
        };
    }

    /// At least the upper triangle, row-major; `d` says how large zero is.
    pub fn upper(&self, d: usize) -> Cow<'_, [f32]> {
        match self {
            Self::Zero => vec![0.0; d * d].into(),
            #[cfg(feature = "flex")]
            Self::Host(sum) => sum.into(),
            Self::Device(sum) => sum.to_data().convert::<f32>().iter::<f32>().collect::<Vec<_>>().into(),
        }
    }
}

/// Adds in place, and only what lies on and above the diagonal.
#[cfg(feature = "flex")]
fn plus(mut sum: Vec<f32>, rows: &Tensor<2>) -> Vec<f32> {
    use faer::linalg::matmul::triangular::{BlockStructure, matmul};
    use faer::{Accum, MatMut, MatRef, Par};

    let [count, d] = rows.dims();
    let rows = crate::kernels::take(rows.clone());
    let rows = MatRef::from_row_major_slice(rows.as_slice::<f32>().unwrap_or_default(), count, d);
    let (whole, upper) = (BlockStructure::Rectangular, BlockStructure::TriangularLower);
    // What is an upper triangle by rows is a lower one by columns.
    let sum_by_columns = MatMut::from_column_major_slice_mut(&mut sum, d, d);
    matmul(sum_by_columns, upper, Accum::Add, rows.transpose(), whole, rows, whole, 1.0, Par::rayon(0));
    sum
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn adds_the_products_of_all_rows() {
        for d in [1, 3, 70, 600] {
            let rows = Tensor::<2>::random([40, d], Distribution::Normal(0.0, 1.0), &Device::flex());
            // Rows that lie in memory one after another, and columns that do.
            let (first, second) = (rows.clone().narrow(0, 0, 25), rows.clone().narrow(0, 25, 15));
            let by_columns = (second.clone() * 1.0).transpose().mul_scalar(1.0).transpose();
            let mut sum = Gram::default();
            sum.add(&first);
            sum.add(&by_columns);
            let expected = rows.clone().transpose().matmul(rows).into_data();
            let expected: Vec<f32> = expected.iter::<f32>().collect();
            let sum = sum.upper(d);
            for i in 0..d {
                for j in i..d {
                    let (is, should) = (sum[i * d + j], expected[i * d + j]);
                    assert!((is - should).abs() < 1e-4, "({i}, {j}) of {d}: {is}, not {should}");
                }
            }
        }
    }
}
