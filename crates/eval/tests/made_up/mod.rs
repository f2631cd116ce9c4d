//! Responses that the tests and `benches/peers/harness_fixtures.py` both make up.

use junkdna_eval::metrics::Response;
use junkdna_eval::{Example, FEWSHOT_SEED, LogLikelihood, Measured, Request, Task};
use serde_json::Value;
use std::path::PathBuf;

/// The task files, documents and expected results.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/harness")
}

pub fn read(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

/// FNV-1a: responses that any language can make up.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn respond(request: &Request, name: &str) -> Response {
    match request {
        Request::LogLikelihood { context, continuation } => {
            let hash = hash(&format!("{context}\0{continuation}"));
            let sum = -f64::from(hash % 1000) / 100.0;
            Response::LogLikelihood(LogLikelihood { sum, greedy: hash.is_multiple_of(3) })
        }
        Request::Classify { .. } => unreachable!("lm-evaluation-harness has no such tasks"),
        Request::Rolling { text } => Response::Rolling(-f64::from(hash(text) % 1000) / 10.0),
        Request::Generate { context } => {
            let hash = hash(context) as usize;
            let words: Vec<&str> = context.split_whitespace().collect();
            let answers = [format!(" The {name}."), name.to_uppercase() + " ", words[hash % words.len()].to_owned()];
            Response::Text(answers[hash % 3].clone())
        }
    }
}

/// The examples of a task over the animals, and what is measured of made-up responses.
pub fn measure(task: &Task) -> (Vec<Example>, Vec<Measured>) {
    let animals: Vec<Value> = read("animals.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let examples = task.examples(FEWSHOT_SEED, None).unwrap();
    let respond = |example: &Example| {
        let name = animals[example.doc]["name"].as_str().unwrap();
        example.requests.iter().map(|request| respond(request, name)).collect()
    };
    let responses: Vec<Vec<Response>> = examples.iter().map(respond).collect();
    let measured = task.measure(&examples, &responses, 1000).unwrap();
    (examples, measured)
}
