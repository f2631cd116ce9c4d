//! Masks on modules.

use super::{LayerMask, Mask};
use crate::PruneError;
use burn::module::{Module, ParamGroup};
use burn::tensor::{Bool, DType, Tensor};
use junkdna_backend::{HostMatrix, Selection, Weight, replace_weights, weights};
use std::collections::BTreeMap;

impl Mask {
    /// The module with zeros where weights go. What stays keeps its bits, whatever its float type, and parameters that the
    /// mask does not name are not touched.
    ///
    /// # Errors
    /// [`PruneError::MissingParameter`] or [`PruneError::ShapeMismatch`].
    pub fn apply<M: Module>(&self, module: M) -> Result<M, PruneError> {
        let pruned = |(weight, layer): (Weight, &LayerMask)| (weight.path, prune(weight.value, layer));
        let pruned = self.weights_of(&module)?.into_iter().map(pruned).collect();
        Ok(replace_weights(module, pruned).0)
    }

    /// Whether every weight that goes is zero in this module.
    ///
    /// # Errors
    /// [`PruneError::NotZero`] with the first that is not, [`PruneError::MissingParameter`] or
    /// [`PruneError::ShapeMismatch`].
    pub fn verify<M: Module>(&self, module: &M) -> Result<(), PruneError> {
        // A weight that a reparameterization keeps masked is stored with whatever it was.
        for (weight, layer) in self.weights_of(&module.clone().materialize())? {
            let matrix = HostMatrix::from_weight(weight.value);
            if let Some(index) = layer.first_not_zero(matrix.as_slice()) {
                let (output, input) = (index / layer.d_in(), index % layer.d_in());
                let value = matrix.as_slice()[index];
                return Err(PruneError::NotZero { path: weight.path, output, input, value });
            }
        }
        Ok(())
    }

    /// The mask a module already has: what is zero in it goes. Of a pruned checkpoint, for example.
    ///
    /// # Errors
    /// [`PruneError::NothingSelected`].
    pub fn of_zeros<M: Module>(module: &M, selection: &Selection) -> Result<Self, PruneError> {
        let found = weights(&module.clone().materialize(), selection);
        if found.is_empty() {
            return Err(PruneError::NothingSelected);
        }
        let layer = |weight: Weight| {
            let matrix = HostMatrix::from_weight(weight.value);
            (weight.path, LayerMask::of_zeros(matrix.d_out(), matrix.d_in(), matrix.as_slice()))
        };
        Ok(found.into_iter().map(layer).collect())
    }

    /// The module's weights that this mask names, with their masks, in the module's order.
    fn weights_of<M: Module>(&self, module: &M) -> Result<Vec<(Weight, &LayerMask)>, PruneError> {
        let all = Selection { group: ParamGroup::all(), embeddings: true };
        let mut missing: BTreeMap<&str, &LayerMask> = self.layers.iter().map(|(p, l)| (p.as_str(), l)).collect();
        let mut found = Vec::with_capacity(missing.len());
        for weight in weights(module, &all) {
            if let Some(layer) = missing.remove(weight.path.as_str()) {
                check_shape(&weight, layer)?;
                found.push((weight, layer));
            }
        }
        match missing.first_key_value() {
            Some((path, _)) => Err(PruneError::MissingParameter { path: (*path).into() }),
            None => Ok(found),
        }
    }
}

fn check_shape(weight: &Weight, layer: &LayerMask) -> Result<(), PruneError> {
    let [d_in, d_out] = weight.value.dims();
    if layer.shape() == [d_out, d_in] {
        return Ok(());
    }
    let (path, expected, found) = (weight.path.clone(), layer.shape(), [d_out, d_in]);
    Err(PruneError::ShapeMismatch { path, expected, found })
}

/// A weight `[d_in, d_out]` with zeros where weights go.
fn prune(weight: Tensor<2>, layer: &LayerMask) -> Tensor<2> {
    let device = weight.device();
    let trains = weight.is_require_grad();
    let pruned = if weight.dtype() == DType::F32 {
        let matrix = HostMatrix::from_weight(weight);
        HostMatrix::new(layer.zeroed(matrix.as_slice()), layer.d_out(), layer.d_in()).into_weight(&device)
    } else {
        // A host copy would be of another type.
        zero_where(weight.detach(), layer.removed_tensor(&device))
    };
    pruned.set_require_grad(trains)
}

/// A weight `[d_in, d_out]` with zeros where `removed`, `[d_out, d_in]`, is true.
///
/// By way of the transpose, because that is how weights from PyTorch's layout lie in memory.
pub(super) fn zero_where<const D: usize>(weight: Tensor<D>, removed: Tensor<D, Bool>) -> Tensor<D> {
    weight.transpose().mask_fill(removed, 0.0).transpose()
}
