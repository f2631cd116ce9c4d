//! SwiGLU (Shazeer 2020).

use burn::tensor::{Tensor, activation::silu};

/// silu(gate) · up, elementwise: `[tokens, d_ff]` each.
pub fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if super::flex::holds(&gate) && super::flex::holds(&up) {
        return super::flex::give(on_flex(super::flex::take(gate), &super::flex::take(up)));
    }
    composed(gate, up)
}

fn composed(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    silu(gate) * up
}

#[cfg(feature = "flex")]
fn on_flex(mut gate: burn_flex::FlexTensor, up: &burn_flex::FlexTensor) -> burn_flex::FlexTensor {
    use super::{exp::exp, flex};
    use rayon::prelude::*;

    const CHUNK: usize = 1 << 14;
    let up = up.as_slice::<f32>().unwrap_or_default();
    flex::values_mut(&mut gate).par_chunks_mut(CHUNK).zip(up.par_chunks(CHUNK)).for_each(|(gate, up)| {
        flex::vectorized(
            #[inline(always)]
            || {
                for (g, u) in gate.iter_mut().zip(up) {
                    *g = *g / (1.0 + exp(-*g)) * u;
                }
            },
        );
    });
    gate
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution, Tolerance};

    #[test]
    fn agrees_with_burns_operations() {
        let device = Device::flex();
        let [gate, up] = [(); 2].map(|()| Tensor::<2>::random([37, 129], Distribution::Normal(0.0, 3.0), &device));
        let expected = composed(gate.clone(), up.clone()).into_data();
        swiglu(gate, up).into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
    }

    #[test]
    fn gradients_go_through() {
        let device = Device::flex().autodiff();
        let gate = Tensor::<2>::ones([2, 3], &device).require_grad();
        let grads = swiglu(gate.clone(), Tensor::ones([2, 3], &device)).sum().backward();
        assert!(gate.grad(&grads).is_some());
    }
}
