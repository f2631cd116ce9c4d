//! Texts put to a model with a head: classes, or a number.

use crate::metrics::Response;
use crate::{EvalError, Example, Progress, Request, Task};
use serde::Serialize;

/// A model that finds the class, or the number, of a text or of a pair of texts: an encoder with a head, and its tokenizer.
pub trait TextClassifier {
    /// The names of the head's outputs, one a class; a single one where it finds a number.
    fn labels(&self) -> Vec<String>;

    /// What the head says of each text or pair, in their order. They are of about the same length and few enough for one
    /// batch.
    ///
    /// # Errors
    /// A sentence that says what the tokenizer or the model could not do.
    fn classify(&self, texts: &[(&str, Option<&str>)]) -> Result<Vec<Classified>, String>;
}

/// What a head says of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classified {
    /// One number an output: the logits of classes, or the number that was to be found.
    pub logits: Vec<f64>,
    /// How many tokens of the text were cut off because the model cannot read so many.
    pub cut: usize,
}

/// Texts of one batch.
const BATCH: usize = 32;

/// The responses of a classifier to the examples of a task whose output type is classification, one each. The logits are in
/// the order of the task's choices: where the head's outputs bear their names, those are meant, else those of their places.
///
/// # Errors
/// A head that has no output for a choice; a classifier that fails; a task of another output type; logits that are no
/// numbers.
pub fn classify(
    classifier: &dyn TextClassifier,
    task: &Task,
    examples: &[Example],
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Vec<Response>>, EvalError> {
    let labels = classifier.labels();
    let wrong = |doc: usize| move |problem| EvalError::Document { task: task.task.clone(), doc, problem };
    let mut texts = Vec::with_capacity(examples.len());
    for example in examples {
        match example.requests.as_slice() {
            [Request::Classify { first, second }] => texts.push((first.as_str(), second.as_deref())),
            _ => return Err(wrong(example.doc)("asks for more than the class of a text".into())),
        }
    }
    // Texts of like length share a batch: little padding.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&index| texts[index].0.len() + texts[index].1.map_or(0, str::len));
    let mut responses = vec![Vec::new(); texts.len()];
    for (batch, indices) in order.chunks(BATCH).enumerate() {
        let asked: Vec<_> = indices.iter().map(|&index| texts[index]).collect();
        let found = classifier.classify(&asked).map_err(wrong(examples[indices[0]].doc))?;
        for (&index, found) in indices.iter().zip(found) {
            let (example, logits) = (&examples[index], found.logits);
            if let Some(bad) = logits.iter().find(|logit| !logit.is_finite()) {
                let problem = format!("the model's head says {bad}: its weights are broken");
                return Err(wrong(example.doc)(problem));
            }
            let outputs = outputs(&labels, &example.choices).map_err(wrong(example.doc))?;
            let logits = outputs.into_iter().filter_map(|output| logits.get(output).copied()).collect();
            responses[index] = vec![Response::Classified(Classified { logits, cut: found.cut })];
        }
        progress(Progress { done: (batch * BATCH + indices.len()).min(texts.len()), total: texts.len() });
    }
    Ok(responses)
}

/// The output of the head for each choice.
fn outputs(labels: &[String], choices: &[String]) -> Result<Vec<usize>, String> {
    let named: Option<Vec<usize>> =
        choices.iter().map(|choice| labels.iter().position(|label| label == choice)).collect();
    match named {
        Some(outputs) if !choices.is_empty() => Ok(outputs),
        _ if choices.is_empty() || choices.len() == labels.len() => Ok((0..labels.len()).collect()),
        _ => Err(format!("doc_to_choice: gives {choices:?}, the outputs of the model's head are {labels:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_outputs_by_name_or_by_place() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let labels = texts(&["no", "maybe", "yes"]);
        let found = |choices: &[&str]| outputs(&labels, &texts(choices));
        assert_eq!(found(&["yes", "no"]), Ok(vec![2, 0]));
        assert_eq!(found(&["a", "b", "c"]), Ok(vec![0, 1, 2]));
        assert_eq!(found(&[]), Ok(vec![0, 1, 2]));
        assert!(found(&["yes", "never"]).unwrap_err().contains("never"));
    }
}
