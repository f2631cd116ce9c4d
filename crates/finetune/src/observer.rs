//! Who watches a run.

use crate::Metrics;
use serde::Serialize;

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Steps taken, from 1.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Epochs, as a fraction.
    pub epoch: f64,
    /// Mean loss of the step's examples.
    pub loss: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The norm of the gradients before clipping.
    pub gradient_norm: f64,
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Evaluation {
    /// Steps taken.
    pub step: usize,
    /// Epochs, as a fraction.
    pub epoch: f64,
    /// Metrics on the validation examples, by name.
    pub metrics: Metrics,
    /// Whether no evaluation before was better.
    pub best: bool,
}

/// Sees what happens in a run, as it happens.
pub trait Observer {
    /// After a step.
    ///
    /// # Errors
    /// Whatever keeps the observer from its work; it ends the run.
    fn step(&mut self, _report: &StepReport) -> Result<(), std::io::Error> {
        Ok(())
    }

    /// After an evaluation.
    ///
    /// # Errors
    /// As of [`step`](Self::step).
    fn evaluation(&mut self, _evaluation: &Evaluation) -> Result<(), std::io::Error> {
        Ok(())
    }
}

/// Nobody.
impl Observer for () {}
