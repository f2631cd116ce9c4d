//! From one value a document to one number, with its standard error.

use super::bleu::Counts;
use super::bootstrap::{bootstrap_interval, bootstrap_stderr};
use super::classification::{brier_score, f1, macro_f1, matthews};
use super::correlation::{pearson, spearman};
use serde::Serialize;

/// What one document contributes to a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A sum and the number of units it is of: a log-likelihood and its words or bytes.
    Weighted(f64, f64),
    /// The right class and the predicted one.
    Classes(usize, usize),
    /// The right class and the probability of each.
    Probabilities(usize, Vec<f64>),
    /// The right number and the one that was found.
    Pair(f64, f64),
    /// The right texts and the answer.
    Texts(Vec<String>, String),
}

impl Value {
    fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            _ => f64::NAN,
        }
    }

    fn weighted(&self) -> (f64, f64) {
        match self {
            Self::Weighted(sum, weight) => (*sum, *weight),
            _ => (f64::NAN, f64::NAN),
        }
    }

    fn classes(&self) -> (usize, usize) {
        match self {
            Self::Classes(gold, predicted) => (*gold, *predicted),
            _ => (0, 0),
        }
    }
}

/// A number over all documents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The number.
    pub value: f64,
    /// Its standard error, where lm-evaluation-harness gives one.
    pub stderr: Option<f64>,
}

/// How documents' values become one, by the names of lm-evaluation-harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// The mean.
    Mean,
    /// The upper median.
    Median,
    /// exp(-mean).
    Perplexity,
    /// exp(-Σ sums / Σ weights).
    WeightedPerplexity,
    /// -Σ sums / Σ weights / ln 2.
    BitsPerByte,
    /// F1 of class 1.
    F1,
    /// Matthews's correlation coefficient.
    Matthews,
    /// The mean F1 of all classes.
    MacroF1,
    /// The Brier score.
    Brier,
    /// BLEU of the corpus.
    Bleu,
    /// Pearson's correlation.
    Pearson,
    /// Spearman's.
    Spearman,
}

impl Aggregation {
    /// By its name in `metric_list`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mean" => Self::Mean,
            "median" => Self::Median,
            "perplexity" => Self::Perplexity,
            "weighted_perplexity" => Self::WeightedPerplexity,
            "bits_per_byte" => Self::BitsPerByte,
            "f1" => Self::F1,
            "macro_f1" => Self::MacroF1,
            "bleu" => Self::Bleu,
            "pearson" => Self::Pearson,
            "spearman" => Self::Spearman,
            "matthews_corrcoef" => Self::Matthews,
            "brier_score" => Self::Brier,
            _ => return None,
        })
    }

    /// The number over these documents.
    pub fn value(self, values: &[&Value]) -> f64 {
        let mean = || values.iter().map(|value| value.number()).sum::<f64>() / values.len() as f64;
        let ratio = || {
            let add = |(a, b), (c, d)| (a + c, b + d);
            let (sum, weight) = values.iter().map(|value| value.weighted()).fold((0.0, 0.0), add);
            sum / weight
        };
        let classes = || values.iter().map(|value| value.classes()).collect::<Vec<_>>();
        match self {
            Self::Mean => mean(),
            Self::Median => {
                let mut numbers: Vec<f64> = values.iter().map(|value| value.number()).collect();
                numbers.sort_by(f64::total_cmp);
                numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
            }
            Self::Perplexity => (-mean()).exp(),
            Self::WeightedPerplexity => (-ratio()).exp(),
            Self::BitsPerByte => -ratio() / std::f64::consts::LN_2,
            Self::F1 => f1(&classes()),
            Self::Matthews => matthews(&classes()),
            Self::MacroF1 => macro_f1(&classes()),
            Self::Pearson => correlation(values, pearson),
            Self::Spearman => correlation(values, spearman),
            Self::Bleu => Counts::bleu(&counts(values).iter().collect::<Vec<_>>()),
            Self::Brier => {
                let parts = values.iter().filter_map(|value| match value {
                    Value::Probabilities(gold, probabilities) => Some((*gold, probabilities.as_slice())),
                    _ => None,
                });
                brier_score(parts)
            }
        }
    }

    /// The number with its standard error: of a mean that of the sample, of others by the bootstrap with `iterations`
    /// resamples (lm-evaluation-harness takes 100,000), and none for weighted numbers, the Brier score and one document.
    pub fn score(self, values: &[Value], iterations: usize) -> Score {
        let all: Vec<&Value> = values.iter().collect();
        let stderr = match self {
            _ if values.len() < 2 || iterations == 0 => None,
            Self::Mean => {
                let numbers: Vec<f64> = values.iter().map(Value::number).collect();
                Some(sample_deviation(&numbers) / (numbers.len() as f64).sqrt())
            }
            Self::Bleu => {
                // Answers are counted once, and resampled as counts.
                let statistic = |sample: &[&Counts]| Counts::bleu(sample);
                Some(bootstrap_stderr(&counts(&all), iterations.min(BLEU_ITERATIONS), statistic))
            }
            Self::Median
            | Self::Perplexity
            | Self::F1
            | Self::MacroF1
            | Self::Matthews
            | Self::Pearson
            | Self::Spearman => Some(bootstrap_stderr(values, iterations, |sample| self.value(sample))),
            Self::WeightedPerplexity | Self::BitsPerByte | Self::Brier => None,
        };
        Score { value: self.value(&all), stderr }
    }

    /// The percentile interval of the number; see [`bootstrap_interval`].
    pub fn interval(self, values: &[Value], confidence: f64, iterations: usize) -> (f64, f64) {
        match self {
            Self::Bleu => {
                let counts = counts(&values.iter().collect::<Vec<_>>());
                bootstrap_interval(&counts, confidence, iterations, |sample: &[&Counts]| Counts::bleu(sample))
            }
            _ => bootstrap_interval(values, confidence, iterations, |sample| self.value(sample)),
        }
    }
}

/// Resamples for the standard error of BLEU, at most, as in lm-evaluation-harness.
const BLEU_ITERATIONS: usize = 100;

fn counts(values: &[&Value]) -> Vec<Counts> {
    let count = |value: &&Value| match value {
        Value::Texts(golds, answer) => Counts::new(answer, golds),
        _ => Counts::default(),
    };
    values.iter().map(count).collect()
}

fn correlation(values: &[&Value], of: fn(&[f64], &[f64]) -> f64) -> f64 {
    let pair = |value: &&Value| match value {
        Value::Pair(gold, found) => (*gold, *found),
        _ => (f64::NAN, f64::NAN),
    };
    let (golds, found): (Vec<f64>, Vec<f64>) = values.iter().map(pair).unzip();
    of(&golds, &found)
}

/// The standard deviation with n - 1.
pub(super) fn sample_deviation(numbers: &[f64]) -> f64 {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let squares: f64 = numbers.iter().map(|x| (x - mean).powi(2)).sum();
    (squares / (numbers.len() as f64 - 1.0)).sqrt()
}
