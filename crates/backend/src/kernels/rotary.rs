//! Rotary position embedding (Su et al. 2021), the half-rotated form of Hugging Face checkpoints.

use burn::tensor::{Device, Tensor, TensorData};

/// Cosines and sines of the tokens of one forward pass.
#[derive(Debug, Clone)]
pub struct Rotary {
    head_dim: usize,
    /// `[tokens, head_dim / 2]`, row-major.
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// For tokens at these positions; `inverse_frequencies` holds one angle per position step and pair of dimensions,
    /// `[head_dim / 2]`.
    pub fn new(positions: &[usize], inverse_frequencies: &[f32]) -> Self {
        let angles = positions.iter().flat_map(|&p| inverse_frequencies.iter().map(move |f| p as f32 * f));
        let (cos, sin) = angles.map(|a| (a.cos(), a.sin())).unzip();
        Self { head_dim: 2 * inverse_frequencies.len(), cos, sin }
    }

    fn tokens(&self) -> usize {
        self.cos.len() / (self.head_dim / 2)
    }

    fn tensors(&self, device: &Device) -> [Tensor<3>; 2] {
        let shape = [self.tokens(), 1, self.head_dim / 2];
        [&self.cos, &self.sin].map(|values| Tensor::from_data(TensorData::new(values.clone(), shape), device))
    }
}

/// Rotates the heads of queries or keys, `[tokens, heads * head_dim]`.
pub fn rotate(x: Tensor<2>, rotary: &Rotary) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if super::flex::holds(&x) {
        return super::flex::give(on_flex(super::flex::take(x), rotary));
    }
    composed(x, rotary)
}

fn composed(x: Tensor<2>, rotary: &Rotary) -> Tensor<2> {
    let [tokens, width] = x.dims();
    let half = rotary.head_dim / 2;
    let [cos, sin] = rotary.tensors(&x.device());
    let x = x.reshape([tokens, width / rotary.head_dim, rotary.head_dim]);
    let low = x.clone().narrow(2, 0, half);
    let high = x.narrow(2, half, half);
    let rotated_low = low.clone() * cos.clone() - high.clone() * sin.clone();
    let rotated_high = high * cos + low * sin;
    Tensor::cat(vec![rotated_low, rotated_high], 2).reshape([tokens, width])
}

#[cfg(feature = "flex")]
fn on_flex(mut x: burn_flex::FlexTensor, rotary: &Rotary) -> burn_flex::FlexTensor {
    use super::flex;
    use rayon::prelude::*;

    let width = x.layout().shape()[1];
    let half = rotary.head_dim / 2;
    let angles = rotary.cos.par_chunks(half).zip(rotary.sin.par_chunks(half));
    flex::values_mut(&mut x).par_chunks_mut(width).zip(angles).with_min_len(16).for_each(|(token, (cos, sin))| {
        flex::vectorized(
            #[inline(always)]
            || token.chunks_exact_mut(rotary.head_dim).for_each(|head| rotate_head(head, cos, sin)),
        );
    });
    x
}

#[cfg(feature = "flex")]
#[inline(always)]
fn rotate_head(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (low, high) = head.split_at_mut(cos.len());
    for (((l, h), c), s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
        (*l, *h) = (*l * c - *h * s, *h * c + *l * s);
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};

    #[test]
    fn agrees_with_burns_operations_and_keeps_lengths() {
        let device = Device::flex();
        let rotary = Rotary::new(&[0, 1, 2, 7, 100], &[1.0, 0.1, 0.01, 0.001]);
        let x = Tensor::<2>::random([5, 24], Distribution::Default, &device);
        let expected = composed(x.clone(), &rotary);
        let rotated = rotate(x.clone(), &rotary);
        rotated.to_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
        let norm = |t: Tensor<2>| t.square().sum_dim(1).into_data();
        norm(rotated).assert_approx_eq::<f32>(&norm(x), Tolerance::absolute(1e-5));
    }
}
