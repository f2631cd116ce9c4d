use super::{Score, WeightRef};
use crate::PruneError;
use std::ops::Range;

/// |w| (Han et al. 2015, *Learning both Weights and Connections*, arXiv 1506.02626): the score of the Junk DNA Hypothesis.
#[derive(Debug, Clone, Copy, Default)]
pub struct Magnitude;

impl Score for Magnitude {
    fn name(&self) -> &'static str {
        "magnitude"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        for (score, w) in scores.iter_mut().zip(&weight.values[range]) {
            *score = w.abs();
        }
        Ok(())
    }
}
