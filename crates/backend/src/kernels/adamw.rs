//! The step of AdamW (Loshchilov and Hutter 2019).

use burn::tensor::Tensor;

/// The numbers of one AdamW step, the same for all elements of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub learning_rate: f32,
    /// Decay of the moments.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay: the weight is multiplied by 1 - learning rate · decay.
    pub weight_decay: f32,
    /// Which step of this parameter it is, from 1.
    pub time: u32,
    /// What gradients are multiplied by first: 1, or less where they are clipped.
    pub gradient_scale: f32,
}

/// What a step changes, `[n]` each.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The weights.
    pub weight: Tensor<1>,
    /// First moment.
    pub first: Tensor<1>,
    /// Second moment.
    pub second: Tensor<1>,
}

impl AdamWStep {
    fn corrections(&self) -> [f32; 2] {
        // In double precision, as PyTorch has it: 1 - 0.999 loses four digits in single.
        self.betas.map(|beta| (1.0 - f64::from(beta).powi(self.time as i32)) as f32)
    }
}

/// Moves weights `[n]` against their gradient `[n]`; PyTorch's order of operations.
pub fn adamw(state: Moved, gradient: Tensor<1>, step: AdamWStep) -> Moved {
    #[cfg(feature = "flex")]
    if [&state.weight, &state.first, &state.second, &gradient].into_iter().all(super::flex::holds) {
        return on_flex(state, gradient, step);
    }
    composed(state, gradient, step)
}

fn composed(state: Moved, gradient: Tensor<1>, step: AdamWStep) -> Moved {
    let [first_beta, second_beta] = step.betas;
    let [first_correction, second_correction] = step.corrections();
    let gradient = gradient * step.gradient_scale;
    let first = state.first * first_beta + gradient.clone() * (1.0 - first_beta);
    let second = state.second * second_beta + gradient.square() * (1.0 - second_beta);
    let denominator = second.clone().sqrt() / second_correction.sqrt() + step.epsilon;
    let weight = state.weight * (1.0 - step.learning_rate * step.weight_decay);
    let weight = weight - first.clone() / denominator * (step.learning_rate / first_correction);
    Moved { weight, first, second }
}

#[cfg(feature = "flex")]
fn on_flex(state: Moved, gradient: Tensor<1>, step: AdamWStep) -> Moved {
    use super::flex::{give, take, values_mut, vectorized};
    use rayon::prelude::*;

    const CHUNK: usize = 1 << 14;
    let gradient = take(gradient);
    let gradient = gradient.as_slice::<f32>().unwrap_or_default();
    let [mut weight, mut first, mut second] = [state.weight, state.first, state.second].map(take);
    let chunks = values_mut(&mut weight).par_chunks_mut(CHUNK);
    let moments = values_mut(&mut first).par_chunks_mut(CHUNK).zip(values_mut(&mut second).par_chunks_mut(CHUNK));
    chunks.zip(moments).zip(gradient.par_chunks(CHUNK)).for_each(|((weight, (first, second)), gradient)| {
        vectorized(
            #[inline(always)]
            || move_chunk(weight, first, second, gradient, step),
        );
    });
    Moved { weight: give(weight), first: give(first), second: give(second) }
}

#[cfg(feature = "flex")]
#[inline(always)]
fn move_chunk(weight: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], step: AdamWStep) {
    let [first_beta, second_beta] = step.betas;
    let [first_correction, second_correction] = step.corrections();
    let keep = 1.0 - step.learning_rate * step.weight_decay;
    // Rows of an embedding that no example has used: nothing but decay moves them.
    if gradient.iter().chain(first.iter()).all(|&x| x == 0.0) {
        second.iter_mut().for_each(|v| *v *= second_beta);
        weight.iter_mut().for_each(|w| *w *= keep);
        return;
    }
    let rate = step.learning_rate / first_correction;
    let root = 1.0 / second_correction.sqrt();
    for (((w, m), v), g) in weight.iter_mut().zip(first).zip(second).zip(gradient) {
        let g = g * step.gradient_scale;
        *m = first_beta * *m + (1.0 - first_beta) * g;
        *v = second_beta * *v + (1.0 - second_beta) * g * g;
        *w = *w * keep - rate * *m / (v.sqrt() * root + step.epsilon);
    }
}

/// The sum of the squares of a tensor's elements. On `flex` in double precision, so that it does not depend on the number of
/// threads, nor, but for the last of sixteen digits, on the order of the elements.
pub fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> f64 {
    #[cfg(feature = "flex")]
    if super::flex::holds(&tensor) {
        return sum_on_flex(tensor);
    }
    f64::from(tensor.square().sum().into_scalar::<f32>())
}

#[cfg(feature = "flex")]
fn sum_on_flex<const D: usize>(tensor: Tensor<D>) -> f64 {
    use rayon::prelude::*;
    const CHUNK: usize = 1 << 14;
    let tensor = super::flex::take_any_order(tensor);
    let chunk = |values: &[f32]| {
        super::flex::vectorized(
            #[inline(always)]
            || {
                const LANES: usize = 16;
                let (chunks, rest) = values.as_chunks::<LANES>();
                let mut sums = [0f64; LANES];
                for chunk in chunks {
                    for (sum, &x) in sums.iter_mut().zip(chunk) {
                        *sum += f64::from(x) * f64::from(x);
                    }
                }
                sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
            },
        )
    };
    // Collected first, so that the order of the sum is fixed.
    let sums: Vec<f64> = super::flex::values(&tensor).par_chunks(CHUNK).map(chunk).collect();
    sums.iter().sum()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, Tolerance};

    fn random(mean: f64) -> Tensor<1> {
        Tensor::random([40_000], Distribution::Normal(mean, 1.0), &Device::flex())
    }

    #[test]
    fn agrees_with_burns_operations_step_after_step() {
        let zeros = Tensor::zeros([40_000], &Device::flex());
        let start = Moved { weight: random(0.0), first: zeros.clone(), second: zeros };
        let (mut fused, mut plain) = (start.clone(), start);
        for time in 1..=3 {
            let step = AdamWStep {
                learning_rate: 1e-2,
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                weight_decay: 0.1,
                time,
                gradient_scale: 0.5,
            };
            // The first chunk stays without gradient.
            let gradient =
                Tensor::cat(vec![Tensor::zeros([20_000], &Device::flex()), random(0.0).narrow(0, 0, 20_000)], 0);
            fused = adamw(fused, gradient.clone(), step);
            plain = composed(plain, gradient, step);
        }
        let close = |a: Tensor<1>, b: Tensor<1>| {
            a.into_data().assert_approx_eq::<f32>(&b.into_data(), Tolerance::absolute(2e-6));
        };
        close(fused.weight, plain.weight);
        close(fused.first, plain.first);
        close(fused.second, plain.second);
    }

    #[test]
    fn squares_are_summed_in_any_layout() {
        let tensor = Tensor::<2>::random([301, 77], Distribution::Normal(0.0, 2.0), &Device::flex());
        let expected = f64::from(tensor.clone().square().sum().into_scalar::<f32>());
        for tensor in [tensor.clone(), tensor.transpose()] {
            assert!((sum_of_squares(tensor) - expected).abs() < 1e-4 * expected);
        }
    }
}
