//! Weight-decomposed low-rank adaptation.

use burn::module::{Module, Param, Reparameterization};
use burn::tensor::Tensor;

/// effective = m · (base + scale · A·B) / ‖base + scale · A·B‖, the norm over the inputs of each output (DoRA, Liu et al.
/// 2024, equation 5). No gradient goes through the norm, as in its section 4.3 and in PEFT.
#[derive(Module, Debug)]
pub struct DoraAdapter {
    /// `[d_in, rank]`.
    pub a: Param<Tensor<2>>,
    /// `[rank, d_out]`.
    pub b: Param<Tensor<2>>,
    /// m, `[d_out]`.
    pub magnitude: Param<Tensor<1>>,
    /// alpha / rank.
    pub scale: f64,
}

impl DoraAdapter {
    pub(super) fn new(base: Tensor<2>, [a, b]: [Tensor<2>; 2], scale: f64) -> Self {
        let magnitude = norms(base).squeeze_dim(0);
        let [a, b] = [a, b].map(Param::from_tensor);
        Self { a, b, magnitude: Param::from_tensor(magnitude), scale }
    }
}

impl Reparameterization for DoraAdapter {
    const NAME: &'static str = "dora";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let base: Tensor<2> = Tensor::from_bridge(base.into_bridge());
        let moved = base + self.a.val().matmul(self.b.val()).mul_scalar(self.scale);
        let ratio = self.magnitude.val().unsqueeze::<2>() / norms(moved.clone().detach());
        Tensor::from_bridge((moved * ratio).into_bridge())
    }
}

/// The norm of each output's weights, `[1, d_out]` of `[d_in, d_out]`.
fn norms(weight: Tensor<2>) -> Tensor<2> {
    weight.square().sum_dim(0).sqrt()
}
