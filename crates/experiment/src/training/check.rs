//! Models that would seem to train.

use crate::ExperimentError;
use junkdna_model::Model;

/// Refuses a model that gradients do not come through: the loss would move, and most weights would not.
///
/// # Errors
/// [`ExperimentError::NoGradient`] for one that rounds what its linears read.
pub fn check_trains(model: &Model) -> Result<(), ExperimentError> {
    if model.rounds_inputs() { Err(ExperimentError::NoGradient) } else { Ok(()) }
}
