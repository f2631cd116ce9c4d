//! Operations on `flex` with a backward pass of their own.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, DispatchKindConversion, DispatchTensor, Flex};
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;
use std::fmt::Debug;

/// An operation on `N` tensors of any rank, contiguous and `f32`, and its derivative.
pub(super) trait Fused<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs to know of the forward pass.
    type State: Clone + Debug + Send + 'static;

    /// The result alone.
    fn forward(&self, inputs: [FlexTensor; N]) -> FlexTensor;

    /// The result, and what the backward pass needs.
    fn tracked(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::State);

    /// The gradients of the inputs, of the result's.
    fn backward(&self, state: Self::State, gradient: FlexTensor) -> [FlexTensor; N];
}

/// A tensor whose rank is for runtime to know.
pub(super) fn any_rank<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    Tensor::from_bridge(tensor.into_bridge())
}

/// The tensor of a rank that it is known to have.
pub(super) fn of_rank<const D: usize>(tensor: Tensor<1>) -> Tensor<D> {
    Tensor::from_bridge(tensor.into_bridge())
}

/// The result, where the tensors are on `flex`, `f32`, and all on an autodiff device or none; otherwise the tensors.
pub(super) fn run<F: Fused<N>, const N: usize>(
    operation: &F,
    inputs: [Tensor<1>; N],
) -> Result<Tensor<1>, [Tensor<1>; N]> {
    if inputs.iter().all(super::flex::holds) {
        return Ok(super::flex::give(operation.forward(inputs.map(super::flex::take))));
    }
    let inputs = match tracked::<NoCheckpointing, F, N>(operation, inputs) {
        Ok(result) => return Ok(result),
        Err(inputs) => inputs,
    };
    tracked::<BalancedCheckpointing, F, N>(operation, inputs)
}

fn tracked<C, F, const N: usize>(operation: &F, inputs: [Tensor<1>; N]) -> Result<Tensor<1>, [Tensor<1>; N]>
where
    C: CheckpointStrategy,
    F: Fused<N>,
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
{
    let primitive = |tensor: &Tensor<1>| tensor.clone().try_into_primitive::<Autodiff<Flex, C>>().ok();
    let found: Vec<_> = inputs.iter().filter_map(primitive).collect();
    if inputs.iter().any(|tensor| tensor.dtype() != DType::F32) {
        return Err(inputs);
    }
    let Ok(found): Result<[_; N], _> = found.try_into() else { return Err(inputs) };
    // Released, so that an operation may work in the memory of an input that nobody else has.
    drop(inputs);
    Ok(Tensor::from_primitive::<Autodiff<Flex, C>>(register::<C, F, N>(operation, found)))
}

fn register<C: CheckpointStrategy, F: Fused<N>, const N: usize>(
    operation: &F,
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| contiguous(input.into_primitive()));
    match Step(operation.clone()).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (result, state) = operation.tracked(inputs);
            prepared.finish(state, result)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(operation.forward(inputs)),
    }
}

/// The operation in the graph.
#[derive(Debug)]
struct Step<F>(F);

impl<F: Fused<N>, const N: usize> Backward<Flex, N> for Step<F> {
    type State = F::State;

    fn backward(self, ops: Ops<F::State, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        for (parent, gradient) in ops.parents.into_iter().zip(self.0.backward(ops.state, gradient)) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}
