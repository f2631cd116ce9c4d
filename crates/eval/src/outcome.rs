//! What a model answered.

use crate::{Document, Encoded, LogLikelihood};
use serde::{Deserialize, Serialize};

/// The answer to one document, kept so that every statistic can be computed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The task.
    pub task: String,
    /// The document's number within it.
    pub doc: usize,
    /// The right continuation.
    pub gold: usize,
    /// ln p of each continuation.
    pub loglikelihood: Vec<f64>,
    /// Whether greedy decoding would give each continuation.
    pub is_greedy: Vec<bool>,
    /// Characters of each continuation, for the normalized accuracy.
    pub lengths: Vec<usize>,
    /// Tokens of the context that were cut off because the model cannot read so many, the most over the continuations.
    #[serde(default)]
    pub cut: usize,
}

impl Outcome {
    /// From the log-likelihoods of a document's continuations.
    pub fn new(document: &Document, scores: &[LogLikelihood]) -> Self {
        Self {
            task: document.task.clone(),
            doc: document.doc,
            gold: document.gold,
            loglikelihood: scores.iter().map(|s| s.sum).collect(),
            is_greedy: scores.iter().map(|s| s.greedy).collect(),
            // lm-evaluation-harness counts the characters of the choice without the space before it.
            lengths: document.continuations.iter().map(|c| c.strip_prefix(' ').unwrap_or(c).chars().count()).collect(),
            cut: 0,
        }
    }

    /// Says what was cut off from the requests of its continuations.
    pub fn with_cut(self, requests: &[Encoded]) -> Self {
        Self { cut: requests.iter().map(|request| request.cut).max().unwrap_or(0), ..self }
    }

    /// Whether the likeliest continuation is the right one (`acc`).
    pub fn correct(&self) -> bool {
        best(self.loglikelihood.iter().copied()) == self.gold
    }

    /// Whether the continuation that is likeliest per character is the right one (`acc_norm`).
    pub fn correct_normalized(&self) -> bool {
        let per_character = self.loglikelihood.iter().zip(&self.lengths).map(|(l, &n)| l / n.max(1) as f64);
        best(per_character) == self.gold
    }
}

/// The first of the largest, as NumPy's `argmax`.
fn best(values: impl Iterator<Item = f64>) -> usize {
    let first = (0, f64::NEG_INFINITY);
    values.enumerate().fold(first, |best, next| if next.1 > best.1 { next } else { best }).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalization_can_change_the_answer() {
        let outcome = Outcome {
            task: String::new(),
            doc: 0,
            gold: 1,
            loglikelihood: vec![-4.0, -6.0],
            is_greedy: vec![false; 2],
            lengths: vec![2, 6],
            cut: 0,
        };
        assert!(!outcome.correct() && outcome.correct_normalized());
    }
}
