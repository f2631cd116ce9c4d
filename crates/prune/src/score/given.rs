use super::{Score, WeightRef};
use crate::PruneError;
use std::ops::Range;

/// The values are the scores already, those of the method of this name.
pub(crate) struct Given(pub &'static str);

impl Score for Given {
    fn name(&self) -> &'static str {
        self.0
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        scores.copy_from_slice(&weight.values[range]);
        Ok(())
    }
}
