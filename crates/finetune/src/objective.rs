//! What is trained for.

use burn::tensor::Tensor;
use junkdna_backend::Seed;
use std::collections::BTreeMap;

/// Metrics by name; `loss` among them.
pub type Metrics = BTreeMap<String, f64>;

/// What training a module minimizes, on which examples, and how good it is. Implement it for a module of your own.
pub trait Objective<M> {
    /// The number of training examples.
    fn examples(&self) -> usize;

    /// The length of a training example in tokens: batches are made of examples of like length.
    fn length(&self, example: usize) -> usize;

    /// What a batch counts for beside others whose gradients make one step with it: by default its examples.
    fn weight(&self, batch: &[usize]) -> f64 {
        batch.len() as f64
    }

    /// The mean loss of some training examples, `[1]`. `noise` is the seed of dropout.
    fn loss(&self, module: &M, batch: &[usize], noise: Seed) -> Tensor<1>;

    /// The metrics of a module that is not on an autodiff device, on the validation examples.
    fn evaluate(&self, module: &M) -> Metrics;

    /// The metric that tells which module is better, of those that [`evaluate`](Self::evaluate) gives. Higher is better,
    /// but for `loss` and `perplexity`.
    fn metric(&self) -> &str {
        "loss"
    }
}

/// Whether a value of a metric is better than another.
pub(crate) fn is_better(metric: &str, value: f64, than: f64) -> bool {
    if matches!(metric, "loss" | "perplexity") { value < than } else { value > than }
}
