use super::{causal, load_compact};
use crate::arguments::Score;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_backend::CausalLm;
use junkdna_eval::{Document, Encoded, Engine, EvalError, LogLikelihood, encode};
use junkdna_experiment::write_whole;
use junkdna_model::{Llama, Tokenizer};
use serde::Serialize;
use serde_json::json;
use std::time::Instant;

/// A document with what the model says of it: the schema of the reference files.
#[derive(Serialize)]
struct Scored<'a> {
    #[serde(flatten)]
    document: &'a Document,
    loglikelihood: Vec<f64>,
    is_greedy: Vec<bool>,
}

pub fn run(arguments: &Score) -> Result<(), CliError> {
    let mut documents = Document::read(&arguments.requests)?;
    documents.truncate(arguments.limit.unwrap_or(usize::MAX));
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load_compact(&arguments.source)?;
    let model = causal(&loaded, "scoring")?;
    let requests = requests(&documents, &loaded.tokenizer, model)?;
    progress.label("scoring");
    let started = Instant::now();
    let scores =
        Engine::default().score(model, &requests, |p| progress.share(p.done as f64 / p.total.max(1) as f64))?;
    let seconds = started.elapsed().as_secs_f64();
    progress.finish();
    write_whole(&arguments.out, &lines(&documents, &scores)?)?;
    if arguments.json {
        output::json(&json!({ "documents": documents.len(), "requests": requests.len(), "seconds": seconds }))
    } else {
        output::line(format!("{} requests of {} documents in {seconds:.1} s", requests.len(), documents.len()))
    }
}

/// One request a continuation.
pub fn requests(documents: &[Document], tokenizer: &Tokenizer, model: &Llama) -> Result<Vec<Encoded>, EvalError> {
    let context = model.context_length();
    let pairs = documents.iter().flat_map(|d| d.continuations.iter().map(move |continuation| (d, continuation)));
    pairs.map(|(document, continuation)| encode(tokenizer, &document.context, continuation, context)).collect()
}

fn lines(documents: &[Document], mut scores: &[LogLikelihood]) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    for document in documents {
        let (own, rest) = scores.split_at(document.continuations.len());
        scores = rest;
        let line = Scored {
            document,
            loglikelihood: own.iter().map(|s| s.sum).collect(),
            is_greedy: own.iter().map(|s| s.greedy).collect(),
        };
        serde_json::to_writer(&mut text, &line).map_err(|error| CliError::Request(error.to_string()))?;
        text.push(b'\n');
    }
    Ok(text)
}
