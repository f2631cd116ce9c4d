//! Masks of the prune crate for the finetune crate.

use crate::ExperimentError;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::Selection;
use junkdna_prune::{LayerMask, Mask};
use std::collections::BTreeMap;

/// 1 for what stays and 0 for what goes, `[d_in, d_out]`, by parameter path.
pub fn mask_tensors(mask: &Mask, device: &Device) -> BTreeMap<String, Tensor<2>> {
    let tensor = |layer: &LayerMask| {
        let bit = |index: usize| (layer.words()[index / 64] >> (index % 64) & 1) as f32;
        let values: Vec<f32> = (0..layer.weights()).map(bit).collect();
        Tensor::<2>::from_data(TensorData::new(values, layer.shape()), device).transpose()
    };
    mask.layers().iter().map(|(path, layer)| (path.clone(), tensor(layer))).collect()
}

/// The mask that a pruned model already has: its zeros. Of linears that have some.
///
/// # Errors
/// A model without linears.
pub fn zeros_as_mask<M: Module>(model: &M) -> Result<Mask, ExperimentError> {
    let mask = Mask::of_zeros(model, &Selection::default())?;
    let pruned = mask.layers().iter().filter(|(_, layer)| layer.removed() > 0);
    Ok(pruned.map(|(path, layer)| (path.clone(), layer.clone())).collect())
}
