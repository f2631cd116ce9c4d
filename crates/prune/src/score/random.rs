use super::{Score, WeightRef};
use crate::PruneError;
use junkdna_backend::Seed;
use std::ops::Range;

/// A uniform draw per weight, whatever its value: the baseline every score has to beat.
///
/// The draw depends on the seed, the parameter path and the place in the matrix alone, so a mask is the same on every
/// device and for every number of threads, and masks of one seed are nested over sparsities.
#[derive(Debug, Clone, Copy)]
pub struct Random {
    /// Another seed, another mask.
    pub seed: Seed,
}

impl Score for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let seed = self.seed.derive(weight.path);
        for (score, index) in scores.iter_mut().zip(range) {
            // 24 bits, which f32 holds exactly; the few ties go in order.
            *score = (seed.draw(index as u64) >> 8) as f32;
        }
        Ok(())
    }
}
