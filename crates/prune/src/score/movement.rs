use super::{Score, WeightRef};
use crate::{MovementSum, PruneError};
use std::ops::Range;

/// −Σ_t w_t · ∂L/∂w_t over the steps t of a training (Sanh et al. 2020, *Movement Pruning: Adaptive Sparsity by Fine-Tuning*,
/// arXiv 2005.07683, section 4): descent moves a weight towards zero where the product is positive, and such weights go first,
/// whatever their magnitude.
#[derive(Debug, Clone)]
pub struct Movement {
    /// Of every selected weight.
    pub sum: MovementSum,
}

impl Score for Movement {
    fn name(&self) -> &'static str {
        "movement"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        scores.copy_from_slice(&self.sum.of_weight(self.name(), weight)?[range]);
        Ok(())
    }
}
