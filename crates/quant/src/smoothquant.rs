//! SmoothQuant.

use crate::calibrated::squared_errors;
use crate::scaled::{self, Reader, Scaling};
use crate::{Inputs, Parts, QuantError, Quantized, QuantizedModule, RoundToNearest, Scheme};
use burn::module::Module;
use burn::tensor::Tensor;
use junkdna_backend::calibration::QuadraticForm;
use junkdna_backend::kernels::round_tokens;
use junkdna_backend::{Blocks, TokenTree};

/// Moves the spread of activations into the weights, so that both can be rounded to 8 bits (Xiao et al. 2022, *SmoothQuant*,
/// arXiv 2211.10438, equation 4): the weights of input j are multiplied by max|X_j|^α / max|W_j|^(1−α), and what computes the
/// input is divided by it. Inputs that nothing can be divided for ([`Blocks::folds`]) stay as they are. Weights are then
/// rounded to nearest; [`QuantizedModule::with_rounded_inputs`] makes the model round inputs too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothQuant {
    scheme: Scheme,
    strength: f32,
}

impl SmoothQuant {
    /// With α = 0.5: weights and activations share the difficulty.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, strength: 0.5 }
    }

    /// With another α between 0, where activations stay as they are, and 1, where all of their spread is moved.
    pub fn with_strength(self, strength: f32) -> Self {
        Self { strength: strength.clamp(0.0, 1.0), ..self }
    }

    /// The model with the selected linears of every block quantized, each block on the outputs of the quantized blocks before
    /// it, and what that did to each weight. `progress` hears how many blocks are done.
    ///
    /// # Errors
    /// Those of [`RoundToNearest::quantize_module`]; no samples, a selection that matches no linear of a block, or a model
    /// that names a parameter before its linears which it does not have.
    pub fn quantize_blocks<M: Module + Blocks>(
        &self,
        model: M,
        samples: &[TokenTree],
        parts: impl Into<Parts>,
        progress: impl FnMut(usize),
    ) -> Result<QuantizedModule<M>, QuantError> {
        scaled::quantize_blocks(self, model, samples, &parts.into(), progress)
    }
}

impl Scaling for SmoothQuant {
    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn keeps_factors(&self) -> bool {
        false
    }

    fn factors(&self, inputs: &Inputs, _form: &QuadraticForm, readers: &[Reader]) -> Result<Vec<f32>, QuantError> {
        let mut of_weights = vec![0.0f32; inputs.largest_magnitudes().len()];
        for reader in readers {
            for row in reader.matrix.as_slice().chunks(reader.matrix.d_in().max(1)) {
                of_weights.iter_mut().zip(row).for_each(|(largest, w)| *largest = largest.max(w.abs()));
            }
        }
        let factor = |(&x, w): (&f32, f32)| match x > 0.0 && w > 0.0 {
            true => (x.powf(self.strength) / w.powf(1.0 - self.strength)).clamp(1e-5, 1e5),
            // An input or its weights that are all zero have nothing to move.
            false => 1.0,
        };
        Ok(inputs.largest_magnitudes().iter().zip(of_weights).map(factor).collect())
    }

    fn quantize(&self, weight: &Reader, form: &QuadraticForm) -> Result<(Quantized, Vec<f64>), QuantError> {
        let quantized = RoundToNearest::new(weight.scheme).quantize(&weight.matrix)?;
        let errors = squared_errors(form, &weight.matrix, &quantized.dequantize());
        Ok((quantized, errors))
    }
}

/// Inputs of a linear, `[tokens, d_in]`, rounded to symmetric codes of `bits` with one scale for each token, set by its largest
/// value as it comes ("per-token dynamic"): [`round_tokens`].
///
/// # Errors
/// If `bits` is not 2 to 8.
pub fn quantize_activations(input: Tensor<2>, bits: u8) -> Result<Tensor<2>, QuantError> {
    if !(2..=8).contains(&bits) {
        return Err(QuantError::Bits { bits });
    }
    Ok(round_tokens(input, bits))
}
