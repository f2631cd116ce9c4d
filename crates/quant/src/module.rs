//! Quantizing a whole module.

use crate::{LayerSummary, Parts, QuantError, Quantized, Range, RoundToNearest, Summary};
use burn::module::Module;
use burn::tensor::{FloatDType, Tensor};
use junkdna_backend::{Blocks, HostMatrix, Weight, replace_weights};
use std::collections::BTreeMap;

/// A module after quantization.
#[derive(Debug, Clone)]
pub struct QuantizedModule<M> {
    /// The module with the values that the codes stand for, as floats: it runs, trains and saves as before.
    pub module: M,
    /// The codes, by parameter path.
    pub weights: BTreeMap<String, Quantized>,
    /// What that did to each weight.
    pub summary: Summary,
}

impl<M: Module + Blocks> QuantizedModule<M> {
    /// With what the quantized weights read rounded to `bits` too, token by token, whenever the model runs; with 8 for weights
    /// and inputs what integer units multiply. It is the model that rounds ([`Blocks::with_rounded_inputs`]).
    ///
    /// # Errors
    /// [`QuantError::Bits`]; [`QuantError::RoundedInputs`] where the model cannot.
    pub fn with_rounded_inputs(self, bits: u8) -> Result<Self, QuantError> {
        if !(2..=8).contains(&bits) {
            return Err(QuantError::Bits { bits });
        }
        let weights = self.weights.keys().cloned().collect();
        let module = self.module.with_rounded_inputs(&weights, bits).ok_or(QuantError::RoundedInputs)?;
        Ok(Self { module, ..self })
    }
}

impl<R: Range> RoundToNearest<R> {
    /// The module with every selected weight `[d_in, d_out]` replaced by the values its codes stand for, in the weight's
    /// own float type and on its own device; the codes, and what that did to each.
    ///
    /// # Errors
    /// If the selection matches nothing; if the group size does not divide the input dimension of a weight; if a weight
    /// is NaN, infinite or 2^126 and more, or is not stored as floats; if a scale overflows the type it is stored in.
    pub fn quantize_module<M: Module>(
        &self,
        module: M,
        parts: impl Into<Parts>,
    ) -> Result<QuantizedModule<M>, QuantError> {
        let (selected, schemes) = parts.into().schemes(&module, self.scheme())?;
        let mut done = Vec::with_capacity(selected.len());
        for weight in selected {
            let quantize = |matrix: &HostMatrix| self.with_scheme(schemes[&weight.path]).quantize(matrix);
            let codes = of_weight(&weight, quantize).map_err(|error| error.of_weight(&weight.path))?;
            done.push((weight, codes));
        }
        Ok(assemble(module, done))
    }
}

/// Quantizes one weight of a module.
fn of_weight(
    weight: &Weight,
    quantize: impl FnOnce(&HostMatrix) -> Result<Quantized, QuantError>,
) -> Result<(Quantized, LayerSummary), QuantError> {
    let dtype = weight.value.dtype();
    if !dtype.is_float() {
        return Err(QuantError::NotFloat { dtype });
    }
    let matrix = HostMatrix::from_weight(weight.value.clone());
    let quantized = quantize(&matrix)?;
    let layer = LayerSummary::new(&weight.path, &quantized, quantized.distortion(&matrix));
    Ok((quantized, layer))
}

/// The module with new values for these weights.
fn assemble<M: Module>(module: M, done: Vec<(Weight, (Quantized, LayerSummary))>) -> QuantizedModule<M> {
    let (mut values, mut weights, mut summary) = (BTreeMap::new(), BTreeMap::new(), Summary::default());
    for (Weight { path, value }, (quantized, layer)) in done {
        values.insert(path.clone(), in_place_of(&value, quantized.dequantize()));
        weights.insert(path, quantized);
        summary.layers.push(layer);
    }
    QuantizedModule { module: replace_weights(module, values).0, weights, summary }
}

/// New values on the device and in the float type of the old; a leaf that trains if the old one did.
pub(crate) fn in_place_of(old: &Tensor<2>, new: HostMatrix) -> Tensor<2> {
    let value = new.into_weight(&old.device()).cast(FloatDType::from(old.dtype()));
    value.set_require_grad(old.is_require_grad())
}
