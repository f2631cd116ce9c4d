//! Results against those that lm-evaluation-harness 0.4.13 computed from the same made-up responses (`harness/`).

use junkdna_eval::metrics::Response;
use junkdna_eval::{Example, FEWSHOT_SEED, LogLikelihood, Request, Task};
use serde_json::Value;
use std::path::PathBuf;

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
        Request::Rolling { text } => Response::Rolling(-f64::from(hash(text) % 1000) / 10.0),
        Request::Generate { context } => {
            let hash = hash(context) as usize;
            let words: Vec<&str> = context.split_whitespace().collect();
            let answers = [format!(" The {name}."), name.to_uppercase() + " ", words[hash % words.len()].to_owned()];
            Response::Text(answers[hash % 3].clone())
        }
    }
}

#[test]
fn parity_results_of_every_output_type() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/harness");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let documents: Vec<Value> = read("animals.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Value = serde_json::from_str(&read("results.json")).unwrap();
    let mut compared = 0;
    for (name, expected) in expected.as_object().unwrap() {
        let task = Task::load(&folder.join(format!("{name}.yaml"))).unwrap();
        let examples = task.examples(FEWSHOT_SEED, None).unwrap();
        let respond = |example: &Example| {
            let animal = documents[example.doc]["name"].as_str().unwrap();
            example.requests.iter().map(|request| respond(request, animal)).collect()
        };
        let responses: Vec<Vec<Response>> = examples.iter().map(respond).collect();
        let measured = task.measure(&examples, &responses, 1000).unwrap();
        assert_eq!(2 * measured.len(), expected.as_object().unwrap().len(), "{name}");
        for line in measured {
            let close = |suffix: &str, got: Option<f64>| {
                let expected = &expected[format!("{}{suffix},{}", line.metric, line.filter)];
                let same = match (got, expected.as_f64()) {
                    (Some(got), Some(expected)) => (got - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                    (None, None) => expected == "N/A",
                    _ => false,
                };
                assert!(same, "{name}, {}{suffix}, {}: {got:?}, not {expected}", line.metric, line.filter);
            };
            close("", Some(line.score.value));
            close("_stderr", line.score.stderr);
            compared += 1;
        }
    }
    assert_eq!(compared, 16);
}
