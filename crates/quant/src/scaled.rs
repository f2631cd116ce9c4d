//! Quantizing a model whose linears' inputs are scaled first.
//!
//! Multiplying the weights of an input by a factor and dividing the input by it changes nothing before quantization, and
//! decides whose weights the codes serve best. Where a model says what computes the input ([`Fold`]), that is divided once
//! and for all; elsewhere the factors can be kept beside the codes.

use crate::calibrated::{output_error, squared_errors};
use crate::inputs::Inputs;
use crate::scheme::stored_scale;
use crate::{LayerSummary, Parts, QuantError, Quantized, QuantizedModule, Scheme, Summary};
use burn::module::Module;
use junkdna_backend::calibration::{Order, QuadraticForm, change_by_block};
use junkdna_backend::{
    Blocks, Fold, FoldSource, HostMatrix, Selection, TokenTree, Weight, divide_vectors, replace_weights, weights,
};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A weight that reads an input.
pub(crate) struct Reader {
    pub(crate) path: String,
    pub(crate) matrix: HostMatrix,
    pub(crate) scheme: Scheme,
}

/// A method that scales inputs, and then quantizes.
pub(crate) trait Scaling: Sync {
    /// The codes where nobody asks for others.
    fn scheme(&self) -> Scheme;

    /// Whether inputs are scaled that nothing before can be divided for, the factors kept beside the codes.
    fn keeps_factors(&self) -> bool;

    /// A positive factor for each input of these weights, which all read it; `form` is that of its Hessian.
    fn factors(&self, inputs: &Inputs, form: &QuadraticForm, readers: &[Reader]) -> Result<Vec<f32>, QuantError>;

    /// The codes of a scaled weight, and the squared error of each output; `form` is that of the scaled inputs.
    fn quantize(&self, weight: &Reader, form: &QuadraticForm) -> Result<(Quantized, Vec<f64>), QuantError>;
}

/// The model with the selected linears of every block quantized, each block on the outputs of the quantized blocks before
/// it.
pub(crate) fn quantize_blocks<M: Module + Blocks>(
    method: &impl Scaling,
    model: M,
    samples: &[TokenTree],
    parts: &Parts,
    progress: impl FnMut(usize),
) -> Result<QuantizedModule<M>, QuantError> {
    if samples.is_empty() {
        return Err(QuantError::NoSamples);
    }
    let (selected, schemes) = parts.schemes(&model, method.scheme())?;
    if let Some((weight, dtype)) = selected.iter().map(|w| (w, w.value.dtype())).find(|(_, dtype)| !dtype.is_float()) {
        return Err(QuantError::NotFloat { dtype }.of_weight(&weight.path));
    }
    drop(selected);
    let (mut codes, mut summary) = (BTreeMap::new(), Summary::default());
    let change = |model: M, block: usize, inputs: Vec<(Vec<String>, Inputs)>| {
        let mut work = Block::new(&model, block, &inputs, &schemes);
        let mut new = BTreeMap::new();
        for (weight, quantized, layer) in work.quantize(method, &inputs)? {
            new.insert(weight.clone(), quantized.dequantize());
            codes.insert(weight, quantized);
            summary.layers.push(layer);
        }
        work.put_into(model, new)
    };
    let module = change_by_block(model, samples, parts.selection(), Order::Block, change, progress)?;
    match codes.is_empty() {
        true => Err(QuantError::NothingSelected),
        false => Ok(QuantizedModule { module, weights: codes, summary }),
    }
}

/// The weights of one block while it is changed.
struct Block<'a> {
    folds: Vec<Fold>,
    schemes: &'a BTreeMap<String, Scheme>,
    /// All weights that read an observed input or compute one.
    matrices: BTreeMap<String, HostMatrix>,
    /// What vectors of the model are to be divided by.
    divisors: BTreeMap<String, Vec<f32>>,
}

impl<'a> Block<'a> {
    fn new<M: Module + Blocks>(
        model: &M,
        block: usize,
        inputs: &[(Vec<String>, Inputs)],
        schemes: &'a BTreeMap<String, Scheme>,
    ) -> Self {
        let folds = model.folds(block);
        let involved = |path: &String| {
            let computes = |fold: &Fold| matches!(&fold.source, FoldSource::Linear { weight, .. } if weight == path);
            inputs.iter().any(|(readers, _)| readers.contains(path)) || folds.iter().any(computes)
        };
        let all = weights(model, &Selection::default()).into_iter().filter(|weight| involved(&weight.path));
        let matrices = all.map(|Weight { path, value }| (path, HostMatrix::from_weight(value))).collect();
        Self { folds, schemes, matrices, divisors: BTreeMap::new() }
    }

    /// Scales all inputs, and then quantizes all weights: one that computes an input has its last values only then.
    fn quantize(
        &mut self,
        method: &impl Scaling,
        inputs: &[(Vec<String>, Inputs)],
    ) -> Result<Vec<(String, Quantized, LayerSummary)>, QuantError> {
        let mut scaled = Vec::with_capacity(inputs.len());
        for (paths, inputs) in inputs {
            let form = inputs.hessian().quadratic_form();
            scaled.push(match self.scale(method, paths, inputs, &form)? {
                Some((factors, kept)) => (paths, form.divided(&factors), kept.then_some(factors)),
                None => (paths, form, None),
            });
        }
        let mut done = Vec::new();
        for (paths, form, kept) in scaled {
            let readers = self.readers(paths);
            let quantized = readers.par_iter().map(|reader| {
                finish(method, reader, &form, kept.as_ref()).map_err(|error| error.of_weight(&reader.path))
            });
            let quantized: Vec<_> = quantized.collect();
            for (reader, result) in readers.into_iter().zip(quantized) {
                let (quantized, layer) = result?;
                done.push((reader.path, quantized, layer));
            }
        }
        Ok(done)
    }

    /// Scales an input and the weights that read it; the factors, and whether they have to be kept beside the codes.
    fn scale(
        &mut self,
        method: &impl Scaling,
        paths: &[String],
        inputs: &Inputs,
        form: &QuadraticForm,
    ) -> Result<Option<(Vec<f32>, bool)>, QuantError> {
        let same = |fold: &&Fold| fold.readers.len() == paths.len() && fold.readers.iter().all(|r| paths.contains(r));
        let fold = self.folds.iter().find(same).cloned();
        let readers = self.readers(paths);
        if readers.is_empty() || fold.is_none() && !method.keeps_factors() {
            return Ok(None);
        }
        let storage = readers[0].scheme.scales();
        let factors = method.factors(inputs, form, &readers).map_err(|error| error.of_weight(&readers[0].path))?;
        let factors: Vec<f32> = match &fold {
            Some(_) => factors,
            None => factors.into_iter().map(|factor| stored_scale(factor, storage)).collect(),
        };
        // Whoever reads an input that is divided is multiplied, quantized or not.
        let multiplied = paths.iter().filter(|&path| fold.is_some() || self.schemes.contains_key(path));
        for path in multiplied.cloned().collect::<Vec<_>>() {
            self.change(&path, |_, row| row.iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor));
        }
        let kept = fold.is_none();
        if let Some(fold) = fold {
            self.divide(fold.source, &factors)?;
        }
        Ok(Some((factors, kept)))
    }

    /// Divides what computes an input.
    fn divide(&mut self, source: FoldSource, factors: &[f32]) -> Result<(), QuantError> {
        let vectors = match source {
            FoldSource::Norm(vectors) => vectors,
            FoldSource::Linear { weight, bias } => {
                if self.matrices.get(&weight).is_none_or(|matrix| matrix.d_out() != factors.len()) {
                    return Err(QuantError::Fold { path: weight, inputs: factors.len() });
                }
                self.change(&weight, |output, row| row.iter_mut().for_each(|w| *w /= factors[output]));
                bias.into_iter().collect()
            }
        };
        for vector in vectors {
            let by = self.divisors.entry(vector).or_insert_with(|| vec![1.0; factors.len()]);
            by.iter_mut().zip(factors).for_each(|(by, factor)| *by *= factor);
        }
        Ok(())
    }

    fn change(&mut self, path: &str, change: impl Fn(usize, &mut [f32])) {
        let Some(matrix) = self.matrices.get_mut(path) else { return };
        let (d_out, d_in) = (matrix.d_out(), matrix.d_in());
        let mut values = matrix.as_slice().to_vec();
        values.chunks_mut(d_in.max(1)).enumerate().for_each(|(output, row)| change(output, row));
        *matrix = HostMatrix::new(values, d_out, d_in);
    }

    /// The weights at these paths that are to be quantized, as they are now.
    fn readers(&self, paths: &[String]) -> Vec<Reader> {
        let reader = |path: &String| {
            let (scheme, matrix) = (*self.schemes.get(path)?, self.matrices.get(path)?.clone());
            Some(Reader { path: path.clone(), matrix, scheme })
        };
        paths.iter().filter_map(reader).collect()
    }

    /// The model with the quantized weights, and everything else that was scaled.
    fn put_into<M: Module>(self, model: M, mut new: BTreeMap<String, HostMatrix>) -> Result<M, QuantError> {
        for (path, matrix) in self.matrices {
            new.entry(path).or_insert(matrix);
        }
        let old = weights(&model, &Selection::default()).into_iter();
        let values = old.filter_map(|Weight { path, value }| {
            let matrix = new.remove(&path)?;
            Some((path, crate::module::in_place_of(&value, matrix)))
        });
        let values = values.collect();
        let model = replace_weights(model, values).0;
        let (model, left) = divide_vectors(model, self.divisors);
        match left.into_iter().next() {
            None => Ok(model),
            Some((path, by)) => Err(QuantError::Fold { path, inputs: by.len() }),
        }
    }
}

/// The codes of a scaled weight, with the factors that are kept beside them.
fn finish(
    method: &impl Scaling,
    reader: &Reader,
    form: &QuadraticForm,
    kept: Option<&Vec<f32>>,
) -> Result<(Quantized, LayerSummary), QuantError> {
    let (quantized, errors) = method.quantize(reader, form)?;
    let output_error = output_error(form, &reader.matrix, &errors);
    let (quantized, matrix) = match kept {
        None => (quantized, reader.matrix.clone()),
        Some(factors) => {
            let rows = reader.matrix.as_slice().chunks(factors.len().max(1));
            let unscaled = rows.flat_map(|row| row.iter().zip(factors).map(|(w, factor)| w / factor)).collect();
            let matrix = HostMatrix::new(unscaled, reader.matrix.d_out(), reader.matrix.d_in());
            (quantized.with_input_scales(factors.clone())?, matrix)
        }
    };
    let layer = LayerSummary::new(&reader.path, &quantized, quantized.distortion(&matrix));
    Ok((quantized, layer.with_output_error(output_error)))
}

/// The total squared error over all outputs of weights that read one input, each rounded to nearest after its inputs were
/// multiplied by `factors`.
pub(crate) fn error_with(
    factors: &[f32],
    form: &QuadraticForm,
    readers: &[Reader],
    round: impl Fn(&HostMatrix, Scheme) -> Result<HostMatrix, QuantError> + Sync,
) -> Result<f64, QuantError> {
    let of_reader = |reader: &Reader| {
        let (d_out, d_in) = (reader.matrix.d_out(), reader.matrix.d_in());
        let mut values = reader.matrix.as_slice().to_vec();
        for row in values.chunks_mut(d_in.max(1)) {
            row.iter_mut().zip(factors).for_each(|(w, factor)| *w *= factor);
        }
        let mut rounded = round(&HostMatrix::new(values, d_out, d_in), reader.scheme)?.as_slice().to_vec();
        for row in rounded.chunks_mut(d_in.max(1)) {
            row.iter_mut().zip(factors).for_each(|(w, factor)| *w /= factor);
        }
        Ok(squared_errors(form, &reader.matrix, &HostMatrix::new(rounded, d_out, d_in)).iter().sum::<f64>())
    };
    readers.iter().map(of_reader).sum()
}
