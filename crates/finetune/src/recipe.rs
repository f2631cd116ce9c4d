//! How to train.

use crate::FinetuneError;
use crate::adamw::AdamWConfig;
use crate::schedule::{Decay, Schedule};
use serde::{Deserialize, Serialize};

/// Everything of a run but the module and the examples. Defaults are those of GLUE in the Junk DNA Hypothesis' paper:
/// batches of 16, 2e-5, 3 epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Times that every example is seen.
    pub epochs: usize,
    /// Examples of a forward and backward pass.
    pub batch_size: usize,
    /// Passes whose gradients make one step.
    pub accumulation: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How it falls.
    pub decay: Decay,
    /// The share of steps over which it rises first.
    pub warmup: f64,
    /// The optimizer's constants.
    pub adamw: AdamWConfig,
    /// The norm that gradients are clipped to, all together; 0 does not clip.
    pub clip: f32,
    /// The share of probability that is spread over all classes.
    pub label_smoothing: f64,
    /// Dropout probability, instead of the model's own.
    pub dropout: Option<f64>,
    /// Of the order of examples, dropout and new weights.
    pub seed: u64,
    /// The metric that tells the best epoch; by default the task's own.
    pub metric: Option<String>,
    /// Evaluations without a better one after which training stops; 0 goes on to the end.
    pub patience: usize,
    /// Steps between evaluations; 0 evaluates after every epoch.
    pub evaluate_every: usize,
    /// Steps between checkpoints; 0 writes one after every evaluation.
    pub checkpoint_every: usize,
    /// Recompute cheap operations in the backward pass instead of keeping what they gave.
    pub gradient_checkpointing: bool,
    /// The learning rate of LoRA's B factors over that of the others (LoRA+, Hayou et al. 2024).
    pub lora_plus: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch_size: 16,
            accumulation: 1,
            learning_rate: 2e-5,
            decay: Decay::Linear,
            warmup: 0.0,
            adamw: AdamWConfig::default(),
            clip: 1.0,
            label_smoothing: 0.0,
            dropout: None,
            seed: 41,
            metric: None,
            patience: 0,
            evaluate_every: 0,
            checkpoint_every: 0,
            gradient_checkpointing: false,
            lora_plus: 1.0,
        }
    }
}

impl Recipe {
    /// Whether its numbers make sense.
    ///
    /// # Errors
    /// [`FinetuneError::Recipe`] with the first that does not.
    pub fn check(&self) -> Result<(), FinetuneError> {
        let right = [
            ("epochs", self.epochs > 0, "at least 1"),
            ("batch-size", self.batch_size > 0, "at least 1"),
            ("accumulation", self.accumulation > 0, "at least 1"),
            ("learning-rate", self.learning_rate > 0.0 && self.learning_rate.is_finite(), "a positive number"),
            ("warmup", (0.0..1.0).contains(&self.warmup), "from 0 to below 1"),
            ("clip", self.clip >= 0.0, "a positive number, or 0"),
            ("label-smoothing", (0.0..1.0).contains(&self.label_smoothing), "from 0 to below 1"),
            ("dropout", self.dropout.is_none_or(|p| (0.0..1.0).contains(&p)), "from 0 to below 1"),
            ("lora-plus", self.lora_plus > 0.0 && self.lora_plus.is_finite(), "a positive number"),
            ("adamw.betas", self.adamw.betas.iter().all(|b| (0.0..1.0).contains(b)), "from 0 to below 1"),
            ("adamw.epsilon", self.adamw.epsilon > 0.0, "a positive number"),
            ("adamw.weight_decay", self.adamw.weight_decay >= 0.0, "0 or more"),
        ];
        match right.into_iter().find(|(_, right, _)| !right) {
            None => Ok(()),
            Some((field, _, expected)) => Err(FinetuneError::Recipe { field, expected }),
        }
    }

    /// Steps of an epoch over this many batches.
    pub fn steps_per_epoch(&self, batches: usize) -> usize {
        batches.div_ceil(self.accumulation)
    }

    /// The learning rates of a run with this many batches an epoch.
    pub fn schedule(&self, batches: usize) -> Schedule {
        let steps = self.steps_per_epoch(batches) * self.epochs;
        let warmup = (self.warmup * steps as f64).ceil() as usize;
        Schedule { peak: self.learning_rate, warmup, steps, decay: self.decay }
    }
}
