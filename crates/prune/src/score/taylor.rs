use super::{Score, WeightRef};
use crate::{Gradients, PruneError};
use std::ops::Range;

/// |w · ∂L/∂w|: how much the loss L changes, to first order, if the weight is set to zero (Molchanov et al. 2017, *Pruning
/// Convolutional Neural Networks for Resource Efficient Inference*, arXiv 1611.06440, there of feature maps). On a network before
/// training it is the ranking of SNIP (Lee et al. 2019, arXiv 1810.02340), which divides by the sum over all weights.
///
/// The absolute value is taken of the gradient summed over all batches, as if they were one.
#[derive(Debug, Clone)]
pub struct Taylor {
    /// ∂L/∂w of every selected weight.
    pub gradients: Gradients,
}

impl Score for Taylor {
    fn name(&self) -> &'static str {
        "taylor"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let gradients = &self.gradients.of_weight(self.name(), weight)?[range.clone()];
        for ((score, w), gradient) in scores.iter_mut().zip(&weight.values[range]).zip(gradients) {
            *score = (w * gradient).abs();
        }
        Ok(())
    }
}
