//! Softmax of attention scores with padding and dropout.

use super::dropout::dropout;
use crate::Seed;
use burn::tensor::{Tensor, activation::softmax};

/// Dropout of softmax(scale · scores + mask) over keys: scores `[batch, heads, tokens, keys]`, mask `[batch, keys]`, 0 for
/// tokens and a large negative number for padding.
pub fn masked_softmax(scores: Tensor<4>, mask: Tensor<2>, scale: f32, probability: f64, seed: Seed) -> Tensor<4> {
    #[cfg(all(feature = "flex", feature = "autodiff"))]
    {
        let plain = if mask.is_autodiff() { mask.clone().inner() } else { mask.clone() };
        if super::flex::holds(&plain) {
            let mask = super::flex::take(plain);
            let operation = on_flex::MaskedSoftmax { mask, scale, probability, seed };
            return match super::fused::run(&operation, [super::fused::any_rank(scores)]) {
                Ok(weights) => super::fused::of_rank(weights),
                Err([scores]) => {
                    let mask = super::flex::give(operation.mask);
                    composed(super::fused::of_rank(scores), mask, scale, probability, seed)
                }
            };
        }
    }
    composed(scores, mask, scale, probability, seed)
}

fn composed(scores: Tensor<4>, mask: Tensor<2>, scale: f32, probability: f64, seed: Seed) -> Tensor<4> {
    let [batch, keys] = mask.dims();
    let mask = mask.reshape([batch, 1, 1, keys]);
    let mask = if scores.is_autodiff() && !mask.is_autodiff() { Tensor::from_inner(mask) } else { mask };
    dropout(softmax(scores * scale + mask, 3), probability, seed)
}

#[cfg(all(feature = "flex", feature = "autodiff"))]
mod on_flex {
    use crate::Seed;
    use crate::kernels::dropout::scale_of;
    use crate::kernels::exp::exp;
    use crate::kernels::flex::{values, values_mut, vectorized};
    use crate::kernels::fused::Fused;
    use crate::kernels::lanes::{dot, max, sum};
    use burn_flex::FlexTensor;
    use rayon::prelude::*;

    #[derive(Debug, Clone)]
    pub(super) struct MaskedSoftmax {
        pub(super) mask: FlexTensor,
        pub(super) scale: f32,
        pub(super) probability: f64,
        pub(super) seed: Seed,
    }

    impl MaskedSoftmax {
        /// Replaces scores by their softmax.
        fn softmax(&self, scores: &mut FlexTensor) {
            let keys = scores.layout().shape()[3];
            let rows_a_batch = scores.layout().shape()[1] * scores.layout().shape()[2];
            let mask = values(&self.mask);
            let rows = values_mut(scores).par_chunks_mut(keys).with_min_len(16).enumerate();
            rows.for_each(|(row, scores)| {
                let batch = row / rows_a_batch;
                let mask = &mask[batch * keys..][..keys];
                vectorized(
                    #[inline(always)]
                    || softmax_row(scores, mask, self.scale),
                );
            });
        }

        /// Multiplies by what dropout does to each element.
        fn drop(&self, weights: &mut FlexTensor) {
            const CHUNK: usize = 1 << 13;
            if self.probability == 0.0 {
                return;
            }
            let scale = scale_of(self.probability);
            let chunks = values_mut(weights).par_chunks_mut(CHUNK).enumerate();
            chunks.for_each(|(chunk, weights)| {
                vectorized(
                    #[inline(always)]
                    || {
                        let first = (chunk * CHUNK) as u64;
                        weights.iter_mut().zip(first..).for_each(|(w, i)| *w *= scale(self.seed, i));
                    },
                );
            });
        }
    }

    impl Fused<1> for MaskedSoftmax {
        /// The softmax before dropout.
        type State = FlexTensor;

        fn forward(&self, [mut scores]: [FlexTensor; 1]) -> FlexTensor {
            self.softmax(&mut scores);
            self.drop(&mut scores);
            scores
        }

        fn tracked(&self, [mut scores]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
            self.softmax(&mut scores);
            let mut dropped = scores.clone();
            self.drop(&mut dropped);
            (dropped, scores)
        }

        fn backward(&self, softmax: FlexTensor, mut gradient: FlexTensor) -> [FlexTensor; 1] {
            self.drop(&mut gradient);
            let keys = softmax.layout().shape()[3];
            let rows = values_mut(&mut gradient).par_chunks_mut(keys).zip(values(&softmax).par_chunks(keys));
            rows.with_min_len(16).for_each(|(gradient, softmax)| {
                vectorized(
                    #[inline(always)]
                    || {
                        let mean = dot(gradient, softmax);
                        for (g, p) in gradient.iter_mut().zip(softmax) {
                            *g = (*g - mean) * p * self.scale;
                        }
                    },
                );
            });
            [gradient]
        }
    }

    #[inline(always)]
    fn softmax_row(row: &mut [f32], mask: &[f32], scale: f32) {
        for (x, m) in row.iter_mut().zip(mask) {
            *x = x.mul_add(scale, *m);
        }
        let most = max(row);
        row.iter_mut().for_each(|x| *x = exp(*x - most));
        let scale = 1.0 / sum(row, |x| x);
        row.iter_mut().for_each(|x| *x *= scale);
    }
}
