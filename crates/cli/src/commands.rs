//! One file a command.

pub mod bench;
pub mod eval;
pub mod finetune;
pub mod inspect;
pub mod list;
pub mod plan;
pub mod prune;
pub mod quantize;
pub mod report;
pub mod run;
pub mod score;

use crate::arguments::{CalibrationArguments, ModelSource, SelectionArguments};
use crate::error::CliError;
use burn::module::{ParamGroup, ParamGroupError};
use junkdna_backend::{Selection, TokenTree};
use junkdna_experiment::{Calibration, Compressed, Compression, ExperimentError};
use junkdna_model::{Cache, Llama, Loaded, Model, Source, Tokenizer};

/// The model after `--model` on the device after `--device`.
fn load(arguments: &ModelSource) -> Result<Loaded, CliError> {
    let device = arguments.device.open()?;
    let source: Source = arguments.model.parse()?;
    let resolved = source.resolve(&Cache::from_env()?)?;
    Ok(Loaded::from_resolved(resolved, &device)?)
}

/// As [`load`], with what is stored in few bits kept so: for scoring.
fn load_compact(arguments: &ModelSource) -> Result<Loaded, CliError> {
    let device = arguments.device.open()?;
    let source: Source = arguments.model.parse()?;
    let resolved = source.resolve(&Cache::from_env()?)?;
    Ok(Loaded::compact_from_resolved(resolved, &device)?)
}

/// The tokenizer of the model after `--model`, without its weights.
fn tokenizer(arguments: &ModelSource) -> Result<Tokenizer, CliError> {
    let source: Source = arguments.model.parse()?;
    Ok(source.resolve(&Cache::from_env()?)?.tokenizer)
}

/// The model as a causal language model.
fn causal<'a>(loaded: &'a Loaded, work: &'static str) -> Result<&'a Llama, CliError> {
    match &loaded.model {
        Model::Llama(model) => Ok(model),
        Model::Bert(_) => Err(ExperimentError::NotCausal { model: loaded.source.clone(), work }.into()),
    }
}

/// Compresses a model of either kind.
fn compress(
    mut loaded: Loaded,
    compression: &Compression,
    selection: &Selection,
    samples: &[TokenTree],
    mut progress: impl FnMut(f64),
) -> Result<(Loaded, Compressed), CliError> {
    let (model, compressed) = match loaded.model {
        Model::Llama(model) => {
            let (model, compressed) = compression.apply(model, selection, samples, &mut progress)?;
            (Model::Llama(model), compressed)
        }
        Model::Bert(model) => {
            let (model, compressed) = compression.apply(model, selection, samples, &mut progress)?;
            (Model::Bert(model), compressed)
        }
    };
    loaded.model = model;
    Ok((loaded, compressed))
}

fn selection(arguments: &SelectionArguments) -> Result<Selection, CliError> {
    let group = |patterns: &[String]| {
        let wrong = |ParamGroupError::InvalidPatternError(problem)| CliError::Request(problem.replace('\n', " "));
        ParamGroup::from_any_regexes(patterns.to_vec()).map_err(wrong)
    };
    let all = if arguments.include.is_empty() { ParamGroup::all() } else { group(&arguments.include)? };
    let group = if arguments.exclude.is_empty() { all } else { all.exclude(group(&arguments.exclude)?) };
    Ok(Selection { group, embeddings: arguments.embeddings })
}

/// Where the samples of a method that needs some come from.
fn calibration(
    arguments: &CalibrationArguments,
    compression: &Compression,
    seed: u64,
) -> Result<Option<Calibration>, CliError> {
    let CalibrationArguments { calibration, samples, length } = arguments;
    match calibration {
        None if compression.needs_calibration() => {
            Err(CliError::Request(format!("`{}` needs text: give --calibration FILE", compression.name())))
        }
        file => Ok(file.clone().map(|file| Calibration { file, samples: *samples, length: *length, seed })),
    }
}

/// The samples, packed; none where none are needed.
fn samples(calibration: Option<&Calibration>, loaded: &Loaded) -> Result<Vec<TokenTree>, CliError> {
    let read = |calibration: &Calibration| calibration.read(&loaded.tokenizer, loaded.model.config().vocab_size());
    Ok(calibration.map(read).transpose()?.unwrap_or_default())
}
