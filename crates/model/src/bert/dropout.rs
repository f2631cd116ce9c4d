//! Where BERT drops in training.

use crate::config::BertConfig;
use burn::tensor::Tensor;
use junkdna_backend::{Seed, kernels::dropout};

/// The dropout of one pass, or none. Every place of every layer draws from a seed of its own.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    hidden: f64,
    attention: f64,
    seed: Seed,
}

impl Dropout {
    /// As in evaluation.
    pub const NONE: Self = Self { hidden: 0.0, attention: 0.0, seed: Seed(0) };

    /// As in training, with the probabilities of the configuration.
    pub fn new(config: &BertConfig, seed: Seed) -> Self {
        Self { hidden: config.hidden_dropout_prob, attention: config.attention_probs_dropout_prob, seed }
    }

    pub(super) fn layer(self, index: usize) -> Self {
        Self { seed: self.seed.derive(&index.to_string()), ..self }
    }

    pub(super) fn hidden<const D: usize>(self, x: Tensor<D>, place: &str) -> Tensor<D> {
        dropout(x, self.hidden, self.seed.derive(place))
    }

    /// Probability and seed of hidden states.
    pub(super) fn of_hidden(self, place: &str) -> (f64, Seed) {
        (self.hidden, self.seed.derive(place))
    }

    /// Probability and seed of attention weights.
    pub(super) fn of_attention(self) -> (f64, Seed) {
        (self.attention, self.seed.derive("attention.weights"))
    }
}
