//! The examples of a BIG-bench `task.json`.

use super::{Records, json::parsed, json::under};
use crate::EvalError;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;

#[derive(Deserialize)]
struct Example {
    input: Value,
    #[serde(default)]
    target: Option<Value>,
    #[serde(default)]
    target_scores: Scores,
}

/// Choices with their scores in the order of the file, which `serde_json`'s map does not keep.
#[derive(Default)]
struct Scores(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Scores;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of choices and scores")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Scores, A::Error> {
                let mut scores = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    scores.push(entry);
                }
                Ok(Scores(scores))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

pub fn open(path: &Path) -> Result<Records, EvalError> {
    let (examples, path) = (under(path, "examples")?, path.to_owned());
    Ok(Box::new(examples.enumerate().map(move |(index, example)| {
        let (line, text) = example?;
        Ok(record(index, parsed(&path, line, &text)?))
    })))
}

fn record(index: usize, example: Example) -> Value {
    let (choices, scores): (Vec<_>, Vec<_>) = example.target_scores.0.into_iter().unzip();
    let targets = match example.target {
        Some(Value::Array(targets)) => targets,
        Some(target) => vec![target],
        // Of a multiple choice without a target of its own, the choices with the best score.
        None => best(&choices, &scores),
    };
    json!({
        "idx": index,
        "inputs": example.input,
        "targets": targets,
        "multiple_choice_targets": choices,
        "multiple_choice_scores": scores,
    })
}

fn best(choices: &[String], scores: &[Value]) -> Vec<Value> {
    let score = |value: &Value| value.as_f64().unwrap_or(f64::NEG_INFINITY);
    let top = scores.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
    let best = choices.iter().zip(scores).filter(|(_, value)| score(value) == top);
    best.map(|(choice, _)| Value::from(choice.as_str())).collect()
}
