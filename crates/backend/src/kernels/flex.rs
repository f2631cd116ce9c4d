//! Access to the memory of tensors on the `flex` device.

use burn::tensor::Tensor;

/// Whether the tensor's memory can be changed in place: on `flex`, `f32`, without gradients.
#[cfg(feature = "flex")]
pub(super) fn holds<const D: usize>(tensor: &Tensor<D>) -> bool {
    use burn::{backend::DispatchDevice, tensor::DType};
    !tensor.is_autodiff()
        && tensor.dtype() == DType::F32
        && matches!(tensor.device().as_dispatch(), DispatchDevice::Flex(_))
}

/// The contiguous memory of a tensor that `flex` [`holds`].
#[cfg(feature = "flex")]
pub(super) fn take<const D: usize>(tensor: Tensor<D>) -> burn_flex::FlexTensor {
    match tensor.try_into_primitive::<burn::backend::Flex>() {
        Ok(primitive) if primitive.as_slice::<f32>().is_some() => primitive,
        Ok(primitive) => primitive.to_contiguous(),
        Err(_) => unreachable!("the caller asked whether flex holds it"),
    }
}

/// The memory of a tensor that `flex` [`holds`], dense and in whatever order it lies.
#[cfg(feature = "flex")]
pub(super) fn take_any_order<const D: usize>(tensor: Tensor<D>) -> burn_flex::FlexTensor {
    let transposed =
        D == 2 && tensor.clone().try_into_primitive::<burn::backend::Flex>().is_ok_and(|t| !t.is_contiguous());
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
