//! The norm over a residual connection.

use super::dropout::dropout;
use crate::Seed;
use burn::tensor::{Tensor, module::layer_norm};

/// Layer norm (Ba et al. 2016) of dropout(x) + residual, over the last dimension: `[batch, tokens, width]` each, gamma and
/// beta `[width]`.
pub fn residual_norm(
    x: Tensor<3>,
    residual: Tensor<3>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f64,
    probability: f64,
    seed: Seed,
) -> Tensor<3> {
    #[cfg(all(feature = "flex", feature = "autodiff"))]
    {
        use super::fused::{any_rank, of_rank, run};
        let operation = on_flex::ResidualNorm { epsilon: epsilon as f32, probability, seed };
        match run(&operation, [any_rank(x), any_rank(residual), gamma, beta]) {
            Ok(y) => of_rank(y),
            Err([x, residual, gamma, beta]) => {
                composed(of_rank(x), of_rank(residual), [gamma, beta], epsilon, probability, seed)
            }
        }
    }
    #[cfg(not(all(feature = "flex", feature = "autodiff")))]
    composed(x, residual, [gamma, beta], epsilon, probability, seed)
}

fn composed(
    x: Tensor<3>,
    residual: Tensor<3>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f64,
    probability: f64,
    seed: Seed,
) -> Tensor<3> {
    layer_norm(dropout(x, probability, seed) + residual, gamma, Some(beta), epsilon)
}

#[cfg(all(feature = "flex", feature = "autodiff"))]
mod on_flex {
    use crate::Seed;
    use crate::kernels::dropout::scale_of;
    use crate::kernels::flex::{values, values_mut, vectorized};
    use crate::kernels::fused::Fused;
    use crate::kernels::lanes::{dot, sum};
    use burn_flex::FlexTensor;
    use rayon::prelude::*;

    /// Rows that a thread handles at a time; fixed, so that sums over rows do not depend on the number of threads.
    const ROWS: usize = 32;

    #[derive(Debug, Clone)]
    pub(super) struct ResidualNorm {
        pub(super) epsilon: f32,
        pub(super) probability: f64,
        pub(super) seed: Seed,
    }

    /// The normalized rows before gamma and beta, 1 / standard deviation of each, and gamma.
    #[derive(Debug, Clone)]
    pub(super) struct Normalized {
        rows: FlexTensor,
        inverse: Vec<f32>,
        gamma: FlexTensor,
    }

    impl ResidualNorm {
        /// Replaces x by the normalized rows, and gives the inverses of their standard deviations.
        fn normalize(&self, x: &mut FlexTensor, residual: &FlexTensor, width: usize) -> Vec<f32> {
            let mut inverse = vec![0.0; values(x).len() / width];
            let scale = scale_of(self.probability);
            let blocks = values_mut(x).par_chunks_mut(ROWS * width).zip(values(residual).par_chunks(ROWS * width));
            blocks.zip(inverse.par_chunks_mut(ROWS)).enumerate().for_each(|(block, ((x, residual), inverse))| {
                vectorized(
                    #[inline(always)]
                    || {
                        let mut index = (block * ROWS * width) as u64;
                        let rows = x.chunks_mut(width).zip(residual.chunks(width));
                        for ((x, residual), inverse) in rows.zip(inverse) {
                            if self.probability == 0.0 {
                                x.iter_mut().zip(residual).for_each(|(x, r)| *x += r);
                            } else {
                                let indices = index..;
                                for ((x, r), i) in x.iter_mut().zip(residual).zip(indices) {
                                    *x = x.mul_add(scale(self.seed, i), *r);
                                }
                            }
                            index += width as u64;
                            *inverse = normalize_row(x, self.epsilon);
                        }
                    },
                );
            });
            inverse
        }
    }

    impl Fused<4> for ResidualNorm {
        type State = Normalized;

        fn forward(&self, [mut x, residual, gamma, beta]: [FlexTensor; 4]) -> FlexTensor {
            let width = values(&gamma).len();
            self.normalize(&mut x, &residual, width);
            let (gamma, beta) = (values(&gamma), values(&beta));
            values_mut(&mut x).par_chunks_mut(ROWS * width).for_each(|x| {
                for row in x.chunks_mut(width) {
                    row.iter_mut().zip(gamma).zip(beta).for_each(|((x, g), b)| *x = x.mul_add(*g, *b));
                }
            });
            x
        }

        fn tracked(&self, [mut x, residual, gamma, beta]: [FlexTensor; 4]) -> (FlexTensor, Normalized) {
            let width = values(&gamma).len();
            let inverse = self.normalize(&mut x, &residual, width);
            let mut y = FlexTensor::empty(x.layout().shape().clone(), x.dtype());
            let (g, b) = (values(&gamma), values(&beta));
            let blocks = values_mut(&mut y).par_chunks_mut(ROWS * width).zip(values(&x).par_chunks(ROWS * width));
            blocks.for_each(|(y, x)| {
                for (y, x) in y.chunks_mut(width).zip(x.chunks(width)) {
                    for (((y, x), g), b) in y.iter_mut().zip(x).zip(g).zip(b) {
                        *y = x.mul_add(*g, *b);
                    }
                }
            });
            (y, Normalized { rows: x, inverse, gamma })
        }

        fn backward(&self, state: Normalized, mut gradient: FlexTensor) -> [FlexTensor; 4] {
            let width = values(&state.gamma).len();
            let (normalized, gamma) = (values(&state.rows), values(&state.gamma));
            let blocks = values_mut(&mut gradient).par_chunks_mut(ROWS * width);
            let blocks = blocks.zip(normalized.par_chunks(ROWS * width)).zip(state.inverse.par_chunks(ROWS));
            let sums = blocks.map(|((gradient, normalized), inverse)| {
                vectorized(
                    #[inline(always)]
                    || backward_block(gradient, normalized, inverse, gamma),
                )
            });
            let sums: Vec<[Vec<f32>; 2]> = sums.collect();
            let [d_gamma, d_beta] = [0, 1].map(|which| vector(&sums, which, &state.gamma));
            // What reaches the sum of both reaches the residual as it is, and x through its dropout.
            let mut d_x = gradient.clone();
            if self.probability > 0.0 {
                let scale = scale_of(self.probability);
                values_mut(&mut d_x).par_chunks_mut(ROWS * width).enumerate().for_each(|(block, d_x)| {
                    vectorized(
                        #[inline(always)]
                        || {
                            let first = (block * ROWS * width) as u64;
                            d_x.iter_mut().zip(first..).for_each(|(d, i)| *d *= scale(self.seed, i));
                        },
                    );
                });
            }
            [d_x, gradient, d_gamma, d_beta]
        }
    }

    /// The sum over blocks, in their order.
    fn vector(sums: &[[Vec<f32>; 2]], which: usize, like: &FlexTensor) -> FlexTensor {
        let mut vector = FlexTensor::zeros(like.layout().shape().clone(), like.dtype());
        let total = values_mut(&mut vector);
        for block in sums {
            total.iter_mut().zip(&block[which]).for_each(|(total, x)| *total += x);
        }
        vector
    }

    #[inline(always)]
    fn normalize_row(row: &mut [f32], epsilon: f32) -> f32 {
        let mean = sum(row, |x| x) / row.len() as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / row.len() as f32;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        row.iter_mut().for_each(|x| *x = (*x - mean) * inverse);
        inverse
    }

    /// Replaces the gradients of some rows by those of their sums, and gives their share of gamma's and beta's.
    #[inline(always)]
    fn backward_block(gradient: &mut [f32], normalized: &[f32], inverse: &[f32], gamma: &[f32]) -> [Vec<f32>; 2] {
        let width = gamma.len();
        let (mut d_gamma, mut d_beta) = (vec![0f32; width], vec![0f32; width]);
        for ((gradient, normalized), inverse) in gradient.chunks_mut(width).zip(normalized.chunks(width)).zip(inverse) {
            let sums = d_gamma.iter_mut().zip(&mut d_beta);
            for ((((dg, db), g), n), w) in sums.zip(gradient.iter_mut()).zip(normalized).zip(gamma) {
                *dg += *g * n;
                *db += *g;
                *g *= w;
            }
            let mean = sum(gradient, |g| g) / width as f32;
            let along = dot(gradient, normalized) / width as f32;
            for (g, n) in gradient.iter_mut().zip(normalized) {
                *g = (*g - mean - n * along) * inverse;
            }
        }
        [d_gamma, d_beta]
    }
}
