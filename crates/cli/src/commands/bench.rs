mod train;

use super::score::requests;
use super::{causal, load, load_compact};
use crate::arguments::{Bench, Benched, ModelSource};
use crate::error::CliError;
use crate::output;
use burn::module::ParamGroup;
use junkdna_backend::{CausalLm, KeyValues, Selection, TokenTree};
use junkdna_eval::{Document, Engine};
use junkdna_prune::{Magnitude, Pruner, Sparsity};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

pub fn run(arguments: Bench) -> Result<(), CliError> {
    let (result, json) = match arguments.what {
        Benched::Forward { source, batch, length, repeat, json } => (forward(&source, batch, length, repeat)?, json),
        Benched::Score { source, requests, json } => (score(&source, &requests)?, json),
        Benched::Train { source, batch, length, repeat, lora, json } => {
            (train::train(&source, batch, length, repeat, lora)?, json)
        }
        Benched::Prune { source, sparsity, repeat, json } => (prune(&source, sparsity, repeat)?, json),
    };
    match &result {
        Value::Object(fields) if !json => {
            fields.iter().try_for_each(|(key, value)| output::line(format!("{key}: {value}")))
        }
        _ => output::line(result.to_string()),
    }
}

/// Smallest and median seconds of `repeat` runs after one that is not counted.
fn timed(repeat: usize, mut work: impl FnMut() -> Result<(), CliError>) -> Result<(f64, f64), CliError> {
    work()?;
    let mut seconds = Vec::with_capacity(repeat);
    for _ in 0..repeat.max(1) {
        let started = Instant::now();
        work()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok((seconds[0], (seconds[(seconds.len() - 1) / 2] + seconds[seconds.len() / 2]) / 2.0))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn forward(source: &ModelSource, batch: usize, length: usize, repeat: usize) -> Result<Value, CliError> {
    let loaded = load_compact(source)?;
    let model = causal(&loaded, "bench forward")?;
    // The ids do not matter for the time; these look random and stay clear of special tokens.
    let vocabulary = model.vocab_size().saturating_sub(200).max(1);
    let id = |i: usize| (100 + i * 7919 % vocabulary) as u32;
    let mut tree = TokenTree::default();
    for sequence in 0..batch {
        let ids: Vec<u32> = (0..length).map(|i| id(sequence * length + i)).collect();
        tree.push_root(&ids, 0);
    }
    let (min, median) = timed(repeat, || {
        let (hidden, _) = model.forward(&tree, &KeyValues::default());
        let last = (1..=batch).map(|n| hidden.clone().narrow(0, n * length - 1, 1)).collect();
        model.head(burn::tensor::Tensor::cat(last, 0)).into_data();
        Ok(())
    })?;
    Ok(json!({
        "what": "forward", "min_s": min, "median_s": median, "repeat": repeat, "threads": threads(),
        "tokens_per_s": (batch * length) as f64 / median,
    }))
}

fn score(source: &ModelSource, file: &Path) -> Result<Value, CliError> {
    let documents = Document::read(file)?;
    let loaded = load_compact(source)?;
    let model = causal(&loaded, "bench score")?;
    let started = Instant::now();
    let requests = requests(&documents, &loaded.tokenizer, model)?;
    Engine::default().score(model, &requests, |_| {})?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({
        "what": "score", "requests": requests.len(), "seconds": seconds,
        "requests_per_s": requests.len() as f64 / seconds, "threads": threads(),
    }))
}

fn prune(source: &ModelSource, sparsity: Sparsity, repeat: usize) -> Result<Value, CliError> {
    let loaded = load(source)?;
    let model = causal(&loaded, "bench prune")?;
    let group = ParamGroup::from_predicate("layers.");
    let pruner = || Pruner::new(Magnitude).with_selection(Selection::of(group.clone()));
    let mut weights = 0;
    let (min, median) = timed(repeat, || {
        let (_, mask) = pruner().prune(model.clone(), sparsity)?;
        weights = mask.kept() + mask.removed();
        Ok(())
    })?;
    Ok(json!({
        "what": "prune", "min_s": min, "median_s": median, "repeat": repeat, "threads": threads(), "weights": weights,
    }))
}
