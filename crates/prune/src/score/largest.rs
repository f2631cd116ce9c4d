use super::{Score, WeightRef};
use crate::PruneError;
use std::ops::Range;

/// −|w|: the largest magnitudes go first. The control beside [`Magnitude`](super::Magnitude): what it costs to lose the large
/// weights instead of the small ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Largest;

impl Score for Largest {
    fn name(&self) -> &'static str {
        "largest"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        for (score, w) in scores.iter_mut().zip(&weight.values[range]) {
            *score = -w.abs();
        }
        Ok(())
    }
}
