//! Accuracies.

use crate::Outcome;
use serde::{Deserialize, Serialize};

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over documents.
    pub value: f64,
    /// Standard error of the mean, from the sample variance (n - 1); 0 for one document.
    pub stderr: f64,
}

/// `acc`: the share of documents whose right continuation is the likeliest.
pub fn accuracy(outcomes: &[Outcome]) -> Estimate {
    mean(outcomes.iter().map(Outcome::correct))
}

/// `acc_norm`: the share of documents whose right continuation is the likeliest per character.
pub fn normalized_accuracy(outcomes: &[Outcome]) -> Estimate {
    mean(outcomes.iter().map(Outcome::correct_normalized))
}

fn mean(correct: impl ExactSizeIterator<Item = bool>) -> Estimate {
    let n = correct.len().max(1) as f64;
    let value = correct.filter(|&c| c).count() as f64 / n;
    let variance = if n > 1.0 { value * (1.0 - value) * n / (n - 1.0) } else { 0.0 };
    Estimate { value, stderr: (variance / n).sqrt() }
}
