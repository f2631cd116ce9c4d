//! What matters.

mod largest;
mod magnitude;
mod movement;
mod random;
mod taylor;

pub use largest::Largest;
pub use magnitude::Magnitude;
pub use movement::Movement;
pub use random::Random;
pub use taylor::Taylor;

use crate::PruneError;
use std::ops::Range;
use std::sync::Arc;

/// How much each weight matters; the smallest scores are pruned first.
///
/// Scores are asked for a piece at a time, by many threads, and more than once for the same piece: the answer must not
/// depend on the order, and nothing is kept, so that a score of 10⁸ weights takes no memory. A method that knows more than
/// the weights, calibration statistics for example, holds that by parameter path.
pub trait Score: Send + Sync {
    /// The name by which reports and errors call it.
    fn name(&self) -> &'static str;

    /// Scores of the weights `range`, flat indices into `weight.values`, one into each place of `scores`, which is as
    /// long as the range. Larger is more important; NaN is refused by the caller, with the place.
    ///
    /// # Errors
    /// [`PruneError::NoScore`] if the score does not know this weight.
    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError>;
}

impl<S: Score + ?Sized> Score for Box<S> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        (**self).score(weight, range, scores)
    }
}

/// Shared, so that a score with large statistics is pruned by and kept.
impl<S: Score + ?Sized> Score for Arc<S> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        (**self).score(weight, range, scores)
    }
}

/// One weight matrix as scores see it.
#[derive(Debug, Clone, Copy)]
pub struct WeightRef<'a> {
    /// Where it is in the module.
    pub path: &'a str,
    /// Outputs.
    pub d_out: usize,
    /// Inputs.
    pub d_in: usize,
    /// `[d_out, d_in]`, row-major: the inputs of one output are side by side.
    pub values: &'a [f32],
}

impl WeightRef<'_> {
    /// Output and input of a flat index.
    pub fn position(&self, index: usize) -> [usize; 2] {
        [index / self.d_in, index % self.d_in]
    }
}
