//! Quantizing a model block by block, on what its linears read.

use crate::{LayerSummary, Parts, QuantError, Quantized, QuantizedModule, Scheme, Summary};
use burn::module::Module;
use junkdna_backend::calibration::{Order, QuadraticForm, Statistic, compress_by_block};
use junkdna_backend::{Blocks, HostMatrix, TokenTree};
use std::collections::BTreeMap;

/// A weight quantized by statistics of its inputs, and ‖X (W − Ŵ)ᵀ‖ / ‖X Wᵀ‖ of its outputs.
pub(crate) type Calibrated = (Quantized, f64);

/// The model with the selected linears of every block quantized, each block on the outputs of the quantized blocks before
/// it.
pub(crate) fn quantize_blocks<M: Module + Blocks, S: Statistic>(
    model: M,
    samples: &[TokenTree],
    parts: &Parts,
    scheme: Scheme,
    quantize: impl Fn(&HostMatrix, Scheme, &S) -> Result<Calibrated, QuantError> + Sync,
    progress: impl FnMut(usize),
) -> Result<QuantizedModule<M>, QuantError> {
    if samples.is_empty() {
        return Err(QuantError::NoSamples);
    }
    let (selected, schemes) = parts.schemes(&model, scheme)?;
    for weight in &selected {
        let dtype = weight.value.dtype();
        if !dtype.is_float() {
            return Err(QuantError::NotFloat { dtype }.of_weight(&weight.path));
        }
    }
    drop(selected);
    let compress = |path: &str, matrix: HostMatrix, inputs: &S| {
        let (quantized, output_error) =
            quantize(&matrix, schemes[path], inputs).map_err(|error| error.of_weight(path))?;
        let values = quantized.dequantize();
        let layer = LayerSummary::new(path, &quantized, quantized.distortion(&matrix)).with_output_error(output_error);
        Ok::<_, QuantError>((values, (quantized, layer)))
    };
    let (module, done) = compress_by_block(model, samples, parts.selection(), Order::Block, compress, progress)?;
    if done.is_empty() {
        return Err(QuantError::NothingSelected);
    }
    let (mut weights, mut summary) = (BTreeMap::new(), Summary::default());
    for (path, (quantized, layer)) in done {
        weights.insert(path, quantized);
        summary.layers.push(layer);
    }
    Ok(QuantizedModule { module, weights, summary })
}

/// The squared error of each output over the calibration tokens, up to a common factor: δ H δᵀ of each row δ of W − Ŵ.
pub(crate) fn squared_errors(form: &QuadraticForm, matrix: &HostMatrix, rounded: &HostMatrix) -> Vec<f64> {
    let moved: Vec<f32> = matrix.as_slice().iter().zip(rounded.as_slice()).map(|(w, r)| w - r).collect();
    form.of_rows(&moved)
}

/// ‖X (W − Ŵ)ᵀ‖ / ‖X Wᵀ‖, given the squared error of each output; 0 for outputs that are always zero.
pub(crate) fn output_error(form: &QuadraticForm, matrix: &HostMatrix, squared_errors: &[f64]) -> f64 {
    let outputs: f64 = form.of_rows(matrix.as_slice()).iter().sum();
    let moved: f64 = squared_errors.iter().sum();
    if outputs > 0.0 { (moved.max(0.0) / outputs).sqrt() } else { 0.0 }
}
