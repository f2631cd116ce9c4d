//! A model, a task and a metric of one's own, evaluated.
//!
//!     cargo run -p own-evaluation

mod model;
mod tokens;

use burn::tensor::Device;
use junkdna_eval::metrics::{CustomMetric, Measure, Response, Value};
use junkdna_eval::{Engine, EvalError, Example, FEWSHOT_SEED, Gold, Measured, Task};
use model::Alphabet;
use std::path::Path;
use tokens::Letters;

/// By how much the right choice is likelier than the likeliest wrong one, in nats: the mean over documents.
#[derive(Debug)]
struct Margin;

impl CustomMetric for Margin {
    fn name(&self) -> &str {
        "margin"
    }

    fn value(&self, example: &Example, responses: &[Response]) -> Result<Value, String> {
        let Gold::Choice(gold) = example.gold else { return Err("one right choice is needed".into()) };
        let (mut right, mut wrong) = (f64::NAN, f64::NEG_INFINITY);
        for (choice, response) in responses.iter().enumerate() {
            match response {
                Response::LogLikelihood(score) if choice == gold => right = score.sum,
                Response::LogLikelihood(score) => wrong = wrong.max(score.sum),
                _ => return Err("choices are scored by log-likelihood".into()),
            }
        }
        Ok(Value::Number(right - wrong))
    }
}

fn evaluate() -> Result<Vec<Measured>, EvalError> {
    let mut task = Task::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("letters.toml"))?;
    task.measures.push(Measure::custom(Margin));
    let examples = task.examples(FEWSHOT_SEED, None)?;
    let responses = Engine::default().respond(&Alphabet::new(&Device::flex()), &Letters, &task, &examples, |_| {})?;
    task.measure(&examples, &responses, 1000)
}

fn main() -> Result<(), EvalError> {
    for Measured { metric, score, .. } in evaluate()? {
        println!("{metric:10} {:.4} ± {:.4}", score.value, score.stderr.unwrap_or(f64::NAN));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_goes_on_and_the_margin_says_how_surely() {
        let measured = evaluate().unwrap();
        let names: Vec<&str> = measured.iter().map(|line| line.metric.as_str()).collect();
        assert_eq!(names, ["acc", "acc_norm", "margin"]);
        // Three of four questions have the next letter among their choices, the other has two wrong ones of which the
        // first is called right.
        assert_eq!(measured[2].values.iter().filter(|value| matches!(value, Value::Number(x) if *x > 1.0)).count(), 3);
        assert!(measured[0].score.value >= 0.75);
    }
}
