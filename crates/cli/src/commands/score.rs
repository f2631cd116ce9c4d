use super::{causal, load_compact};
use crate::arguments::Score;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_backend::CausalLm;
use junkdna_eval::{Document, Encoded, EvalError, LogLikelihood, encode};
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
    /// Tokens of the context that the model could not read; absent where it read all.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<usize>,
}

pub fn run(arguments: &Score) -> Result<(), CliError> {
    let mut documents = Document::read(&arguments.requests)?;
    documents.truncate(arguments.limit.unwrap_or(usize::MAX));
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load_compact(&arguments.source)?;
    let model = causal(&loaded, "scoring")?;
    progress.label("scoring");
    let started = Instant::now();
    let requests = requests(&documents, &loaded.tokenizer, model)?;
    let engine = arguments.engine.engine();
    let scores = engine.score(model, &requests, |p| progress.share(p.done as f64 / p.total.max(1) as f64))?;
    let seconds = started.elapsed().as_secs_f64();
    progress.finish();
    let cut = requests.iter().filter(|request| request.cut > 0).count();
    write_whole(&arguments.out, &lines(&documents, &requests, &scores)?)?;
    if arguments.json {
        let counts = json!({
            "documents": documents.len(), "requests": requests.len(), "cut_requests": cut, "seconds": seconds,
        });
        return output::json(&counts);
    }
    output::line(format!("{} requests of {} documents in {seconds:.1} s", requests.len(), documents.len()))?;
    if cut > 0 {
        let context = model.context_length();
        output::line(format!(
            "{cut} requests are longer than the model's {context} tokens: their beginnings were cut off"
        ))?;
    }
    Ok(())
}

/// One request a continuation.
pub fn requests(documents: &[Document], tokenizer: &Tokenizer, model: &Llama) -> Result<Vec<Encoded>, EvalError> {
    let context = model.context_length();
    let pairs = documents.iter().flat_map(|d| d.continuations.iter().map(move |continuation| (d, continuation)));
    pairs.map(|(document, continuation)| encode(tokenizer, &document.context, continuation, context)).collect()
}

fn lines(documents: &[Document], mut requests: &[Encoded], mut scores: &[LogLikelihood]) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    for document in documents {
        let count = document.continuations.len();
        let (own, rest) = scores.split_at(count);
        let (encoded, other) = requests.split_at(count);
        (scores, requests) = (rest, other);
        let line = Scored {
            document,
            loglikelihood: own.iter().map(|s| s.sum).collect(),
            is_greedy: own.iter().map(|s| s.greedy).collect(),
            cut: encoded.iter().map(|request| request.cut).max().filter(|&cut| cut > 0),
        };
        serde_json::to_writer(&mut text, &line).map_err(|error| CliError::Request(error.to_string()))?;
        text.push(b'\n');
    }
    Ok(text)
}
