//! What matters.

mod given;
mod largest;
mod magnitude;
mod movement;
mod random;
mod ria;
mod taylor;
mod wanda;

pub(crate) use given::Given;
pub use largest::Largest;
pub use magnitude::Magnitude;
pub use movement::Movement;
pub use random::Random;
pub use ria::Ria;
pub use taylor::Taylor;
pub use wanda::Wanda;

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

    /// A range of flat indices, row by row: where each run lies in the range, and what it is of the matrix.
    pub fn rows(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, RowRun)> + use<> {
        let (d_in, start, end) = (self.d_in, range.start, range.end);
        let outputs = if range.is_empty() { 0..0 } else { start / d_in..(end - 1) / d_in + 1 };
        outputs.map(move |output| {
            let flat = start.max(output * d_in)..end.min((output + 1) * d_in);
            let inputs = flat.start - output * d_in..flat.end - output * d_in;
            (flat.start - start..flat.end - start, RowRun { output, inputs, flat })
        })
    }
}

/// A run of weights of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRun {
    /// The output.
    pub output: usize,
    /// Its inputs.
    pub inputs: Range<usize>,
    /// Their flat indices.
    pub flat: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_rows() {
        let values = [0.0; 12];
        let weight = WeightRef { path: "w", d_out: 3, d_in: 4, values: &values };
        let run = |output, inputs: Range<usize>, flat| RowRun { output, inputs, flat };
        assert_eq!(
            weight.rows(2..9).collect::<Vec<_>>(),
            [(0..2, run(0, 2..4, 2..4)), (2..6, run(1, 0..4, 4..8)), (6..7, run(2, 0..1, 8..9))]
        );
        assert_eq!(weight.rows(4..8).collect::<Vec<_>>(), [(0..4, run(1, 0..4, 4..8))]);
        assert_eq!(weight.rows(5..5).count(), 0);
    }
}
