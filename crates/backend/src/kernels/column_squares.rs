//! Sums of squares.

use burn::tensor::Tensor;

/// Σ x² of each column of `[rows, columns]`.
pub fn column_squares(x: &Tensor<2>) -> Vec<f32> {
    #[cfg(feature = "flex")]
    if super::flex::holds(x) {
        return on_flex(&super::flex::take(x.clone()));
    }
    composed(x)
}

fn composed(x: &Tensor<2>) -> Vec<f32> {
    x.clone().square().sum_dim(0).into_data().convert::<f32>().iter::<f32>().collect()
}

#[cfg(feature = "flex")]
fn on_flex(x: &burn_flex::FlexTensor) -> Vec<f32> {
    use rayon::prelude::*;

    const ROWS: usize = 64;
    let columns = x.layout().shape()[1];
    let add = |mut sums: Vec<f32>, rows: &[f32]| {
        super::flex::vectorized(
            #[inline(always)]
            || {
                for row in rows.chunks_exact(columns) {
                    sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
                }
            },
        );
        sums
    };
    let rows = x.as_slice::<f32>().unwrap_or_default().par_chunks(ROWS * columns.max(1));
    // Partial sums are added in order, so that the result does not depend on the number of threads.
    let parts: Vec<Vec<f32>> = rows.map(|rows| add(vec![0.0; columns], rows)).collect();
    let mut total = vec![0.0; columns];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    total
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, TensorData, Tolerance};

    #[test]
    fn agrees_with_burns_operations() {
        let x = Tensor::<2>::random([150, 33], Distribution::Normal(0.0, 2.0), &Device::flex());
        for x in [x.clone(), x.transpose()] {
            let data = |sums: Vec<f32>| TensorData::from(sums.as_slice());
            data(column_squares(&x)).assert_approx_eq::<f32>(&data(composed(&x)), Tolerance::relative(1e-5));
        }
    }
}
