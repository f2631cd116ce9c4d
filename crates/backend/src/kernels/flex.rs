//! Access to the memory of tensors on the `flex` device.

use burn::tensor::Tensor;

/// Whether the tensor's memory can be changed in place: on `flex`, `f32`, without gradients.
#[cfg(feature = "flex")]
pub(crate) fn holds<const D: usize>(tensor: &Tensor<D>) -> bool {
    use burn::{backend::DispatchDevice, tensor::DType};
    !tensor.is_autodiff()
        && tensor.dtype() == DType::F32
        && matches!(tensor.device().as_dispatch(), DispatchDevice::Flex(_))
}

/// The contiguous memory of a tensor that `flex` [`holds`].
#[cfg(feature = "flex")]
pub(crate) fn take<const D: usize>(tensor: Tensor<D>) -> burn_flex::FlexTensor {
    match tensor.try_into_primitive::<burn::backend::Flex>() {
        Ok(primitive) if primitive.as_slice::<f32>().is_some() => primitive,
        Ok(primitive) => primitive.to_contiguous(),
        Err(_) => unreachable!("the caller asked whether flex holds it"),
    }
}

/// Whether a matrix lies in memory as its transpose does, as weights from PyTorch's layout do. Elementwise work on one is
/// faster on its transpose; matrix products of one and of its row-major copy differ in rounding.
pub fn lies_transposed<const D: usize>(tensor: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    if D == 2 {
        let plain = if tensor.is_autodiff() { tensor.clone().inner() } else { tensor.clone() };
        return plain
            .try_into_primitive::<burn::backend::Flex>()
            .is_ok_and(|matrix| !matrix.is_contiguous() && matrix.transpose(0, 1).is_contiguous());
    }
    let _ = tensor;
    false
}

/// The memory of a tensor that `flex` [`holds`], dense and in whatever order it lies.
#[cfg(feature = "flex")]
pub(super) fn take_any_order<const D: usize>(tensor: Tensor<D>) -> burn_flex::FlexTensor {
    let transposed = lies_transposed(&tensor);
    take(if transposed { tensor.swap_dims(0, D - 1) } else { tensor })
}

/// The values of a primitive that [`take`] gave.
#[cfg(feature = "flex")]
pub(super) fn values(primitive: &burn_flex::FlexTensor) -> &[f32] {
    primitive.as_slice().unwrap_or_default()
}

/// The tensor of a primitive.
#[cfg(feature = "flex")]
pub(super) fn give<const D: usize>(primitive: burn_flex::FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<burn::backend::Flex>(primitive)
}

/// The values of a primitive that [`take`] gave.
#[cfg(feature = "flex")]
pub(super) fn values_mut(primitive: &mut burn_flex::FlexTensor) -> &mut [f32] {
    let range = primitive.layout().contiguous_offsets().map_or(0..0, |(start, end)| start..end);
    &mut primitive.storage_mut::<f32>()[range]
}

/// Runs a loop with the widest vector instructions this processor has.
#[cfg(feature = "flex")]
#[inline(always)]
pub(super) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
