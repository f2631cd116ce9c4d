//! Root-mean-square norm (Zhang and Sennrich 2019).

use burn::tensor::{DType, Tensor};

/// x / √(mean(x²) + ε) · γ for each row: `[tokens, d_model]` and `[d_model]` → `[tokens, d_model]`.
pub fn rms_norm(x: Tensor<2>, gamma: Tensor<1>, epsilon: f64) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if super::flex::holds(&x) && super::flex::holds(&gamma) {
        return super::flex::give(on_flex(&super::flex::take(x), &super::flex::take(gamma), epsilon));
    }
    composed(x, gamma, epsilon)
}

/// As `burn::nn::RmsNorm`: the mean in single precision.
fn composed(x: Tensor<2>, gamma: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let dtype = x.dtype();
    let rms = (x.clone().cast(DType::F32).square().mean_dim(1) + epsilon).sqrt();
    x / rms.cast(dtype) * gamma.unsqueeze()
}

#[cfg(feature = "flex")]
fn on_flex(x: &burn_flex::FlexTensor, gamma: &burn_flex::FlexTensor, epsilon: f64) -> burn_flex::FlexTensor {
    use super::flex;
    use rayon::prelude::*;

    let mut out = burn_flex::FlexTensor::empty(x.layout().shape().clone(), DType::F32);
    let [x, gamma] = [x, gamma].map(|tensor| tensor.as_slice::<f32>().unwrap_or_default());
    let width = gamma.len().max(1);
    let rows = flex::values_mut(&mut out).par_chunks_mut(width).zip(x.par_chunks(width));
    rows.with_min_len(16).for_each(|(out, x)| {
        flex::vectorized(
            #[inline(always)]
            || {
                let scale = (sum_of_squares(x) / width as f32 + epsilon as f32).sqrt().recip();
                for ((out, x), gamma) in out.iter_mut().zip(x).zip(gamma) {
                    *out = x * scale * gamma;
                }
            },
        );
    });
    out
}

#[cfg(feature = "flex")]
#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f32 {
    // Sixteen partial sums: a single one would make the loop wait for itself.
    const LANES: usize = 16;
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, Tolerance};

    #[test]
    fn agrees_with_burns_operations() {
        let device = Device::flex();
        let x = Tensor::<2>::random([37, 131], Distribution::Normal(0.5, 3.0), &device);
        let gamma = Tensor::<1>::random([131], Distribution::Default, &device);
        let expected = composed(x.clone(), gamma.clone(), 1e-5).into_data();
        rms_norm(x, gamma, 1e-5).into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
    }

    #[test]
    fn gradients_go_through() {
        let device = Device::flex().autodiff();
        let gamma = Tensor::<1>::ones([3], &device).require_grad();
        let grads = rms_norm(Tensor::ones([2, 3], &device), gamma.clone(), 1e-5).sum().backward();
        assert!(gamma.grad(&grads).is_some());
    }
}
