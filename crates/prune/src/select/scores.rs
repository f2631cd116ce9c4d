//! The scores of a few weights at a time.

use super::pieces::{BLOCK, ranges};
use crate::{PruneError, Score, WeightRef};
use std::ops::Range;

/// A buffer for the scores of one block of weights after another.
#[derive(Default)]
pub struct Scores(Vec<f32>);

impl Scores {
    /// The scores of the weights `range`, after a check that they are numbers and the weights finite.
    pub fn of(&mut self, score: &dyn Score, weight: &WeightRef<'_>, range: Range<usize>) -> Result<&[f32], PruneError> {
        self.0.resize(range.len(), 0.0);
        score.score(weight, range.clone(), &mut self.0)?;
        // Weights and scores are in the first-level cache here: the checks read nothing twice from memory.
        check_weights(weight, range.start, &weight.values[range.clone()])?;
        check_scores(score, weight, range.start, &self.0)?;
        Ok(&self.0)
    }

    /// The scores of a longer range, block by block, each with the place of its first weight in the range.
    pub fn each_block(
        &mut self,
        score: &dyn Score,
        weight: &WeightRef<'_>,
        range: &Range<usize>,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), PruneError> {
        for block in ranges(range.len(), BLOCK) {
            each(block.start, self.of(score, weight, range.start + block.start..range.start + block.end)?);
        }
        Ok(())
    }
}

/// Whether all exponents are below that of infinities and NaN. Adding one to the exponent carries into the sign bit only
/// there, so the whole block folds to one number with a vectorized OR.
fn all_finite(values: &[f32]) -> bool {
    let carry = |v: &f32| (v.to_bits() & 0x7fff_ffff) + 0x0080_0000;
    values.iter().fold(0, |seen, v| seen | carry(v)) < 0x8000_0000
}

fn check_weights(weight: &WeightRef<'_>, start: usize, values: &[f32]) -> Result<(), PruneError> {
    if all_finite(values) {
        return Ok(());
    }
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => {
            let [output, input] = weight.position(start + i);
            Err(PruneError::NotFinite { path: weight.path.into(), output, input, value: values[i] })
        }
    }
}

fn check_scores(score: &dyn Score, weight: &WeightRef<'_>, start: usize, scores: &[f32]) -> Result<(), PruneError> {
    if all_finite(scores) {
        return Ok(());
    }
    // An infinite score has a rank: "never prune this" is a fair thing to say.
    match scores.iter().position(|s| s.is_nan()) {
        None => Ok(()),
        Some(i) => {
            let [output, input] = weight.position(start + i);
            Err(PruneError::ScoreIsNaN { score: score.name(), path: weight.path.into(), output, input })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_not_finite() {
        assert!(all_finite(&[0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45]));
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!all_finite(&[1.0, bad]), "{bad}");
        }
    }
}
