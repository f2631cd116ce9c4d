//! Quantizing a whole module.

use crate::{LayerSummary, QuantError, Range, RoundToNearest, Summary};
use burn::module::Module;
use burn::tensor::{FloatDType, Tensor};
use junkdna_backend::{HostMatrix, Selection, Weight, replace_weights, weights};
use std::collections::BTreeMap;

impl<R: Range> RoundToNearest<R> {
    /// The module with every selected weight `[d_in, d_out]` replaced by the values its codes stand for, in the weight's
    /// own float type and on its own device; and what that did to each.
    ///
    /// The module runs as before: what changes is what the weights can say, not how they are stored.
    ///
    /// # Errors
    /// If the selection matches nothing; if the group size does not divide the input dimension of a weight; if a weight
    /// is NaN, infinite or 2^126 and more, or is not stored as floats.
    pub fn quantize_module<M: Module>(&self, module: M, selection: &Selection) -> Result<(M, Summary), QuantError> {
        let mut rounded = BTreeMap::new();
        let mut layers = Vec::new();
        for weight in weights(&module, selection) {
            let (value, layer) = self.round_weight(&weight).map_err(|error| error.of_weight(&weight.path))?;
            rounded.insert(weight.path, value);
            layers.push(layer);
        }
        if layers.is_empty() {
            return Err(QuantError::NothingSelected);
        }
        let (module, _) = replace_weights(module, rounded);
        Ok((module, Summary { layers }))
    }

    fn round_weight(&self, weight: &Weight) -> Result<(Tensor<2>, LayerSummary), QuantError> {
        let dtype = weight.value.dtype();
        if !dtype.is_float() {
            return Err(QuantError::NotFloat { dtype });
        }
        let matrix = HostMatrix::from_weight(weight.value.clone());
        let (rounded, distortion) = self.round(&matrix)?;
        let shape = [matrix.d_out(), matrix.d_in()];
        let layer = LayerSummary::new(&weight.path, shape, &self.scheme(), distortion)?;
        // A new leaf that trains if the old one did.
        let value = rounded.into_weight(&weight.value.device()).cast(FloatDType::from(dtype));
        Ok((value.set_require_grad(weight.value.is_require_grad()), layer))
    }
}
