//! Scores corrected for chance, and what compression takes from them.

use std::collections::BTreeMap;

use crate::{ItemOutcome, Outcomes, StatsError};

mod curve;
mod gap;
mod repair;

pub use curve::{CriticalSparsity, CurvePoint, DropCurve};
pub use gap::normalized_gap;
pub use repair::{Irreparability, irreparability};

/// Scores up to this count as chance: sums of thirds and sevenths do not cancel to the last bit.
pub(crate) const AT_CHANCE: f64 = 1e-9;

/// Chance-corrected score of one item, (correct − c) / (1 − c) with c = [`ItemOutcome::chance`]: 1 when right,
/// −c / (1 − c) when wrong, 0 on average for a guess.
#[must_use]
pub fn item_score(item: &ItemOutcome) -> f64 {
    let chance = item.chance();
    (f64::from(u8::from(item.correct)) - chance) / (1.0 - chance)
}

/// Fraction of items answered right.
///
/// # Errors
/// Those of [`Outcomes::check`].
pub fn accuracy(outcomes: &Outcomes) -> Result<f64, StatsError> {
    outcomes.check()?;
    let right = outcomes.items.iter().filter(|item| item.correct).count();
    Ok(right as f64 / outcomes.items.len() as f64)
}

/// Mean of [`item_score`]: 1 is perfect, 0 is chance.
///
/// # Errors
/// Those of [`Outcomes::check`].
pub fn score(outcomes: &Outcomes) -> Result<f64, StatsError> {
    outcomes.check()?;
    let total: f64 = outcomes.items.iter().map(item_score).sum();
    Ok(total / outcomes.items.len() as f64)
}

/// Dense score minus compressed score, of the same items.
///
/// # Errors
/// Those of [`Outcomes::check`]; [`StatsError::NotPaired`].
pub fn drop(dense: &Outcomes, compressed: &Outcomes) -> Result<f64, StatsError> {
    let pairs = pair(dense, compressed)?;
    Ok(pairs.iter().map(|pair| pair.drop).sum::<f64>() / pairs.len() as f64)
}

/// 1 − compressed score / dense score: 0 when nothing is lost, 1 when the compressed model is at chance.
///
/// # Errors
/// Those of [`drop`](fn@drop); [`StatsError::NothingToLose`] where the dense model is not above chance.
pub fn relative_drop(dense: &Outcomes, compressed: &Outcomes) -> Result<f64, StatsError> {
    let loss = drop(dense, compressed)?;
    let score = score(dense)?;
    if score <= AT_CHANCE {
        return Err(StatsError::NothingToLose { what: dense.variant.clone(), score });
    }
    Ok(loss / score)
}

/// One item under two models, in chance-corrected scores.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedScore {
    /// The base item.
    pub id: String,
    /// Score of the dense model.
    pub dense: f64,
    /// Score of the dense model minus score of the compressed one (or a mean, or a difference, of such).
    pub drop: f64,
}

/// Joins two models' outcomes by item, in the order of `dense`.
///
/// # Errors
/// Those of [`Outcomes::check`]; [`StatsError::NotPaired`] where the items or their numbers of choices differ.
pub fn pair(dense: &Outcomes, compressed: &Outcomes) -> Result<Vec<PairedScore>, StatsError> {
    dense.check()?;
    if let Some(pairs) = pair_in_order(dense, compressed) {
        return Ok(pairs);
    }
    compressed.check()?;
    let not_paired = |id: &str| StatsError::NotPaired {
        left: format!("dense outcomes of {}", dense.variant),
        right: format!("compressed outcomes of {}", compressed.variant),
        id: id.to_owned(),
    };
    let mut others: BTreeMap<&str, &ItemOutcome> =
        compressed.items.iter().map(|item| (item.id.as_str(), item)).collect();
    let mut pairs = Vec::with_capacity(dense.items.len());
    for item in &dense.items {
        let other = others
            .remove(item.id.as_str())
            .filter(|other| other.choices == item.choices)
            .ok_or_else(|| not_paired(&item.id))?;
        pairs.push(PairedScore::of(item, other));
    }
    match others.keys().next() {
        Some(id) => Err(not_paired(id)),
        None => Ok(pairs),
    }
}

/// The common case: the same items in the same order need no search, and no check of their own.
fn pair_in_order(dense: &Outcomes, compressed: &Outcomes) -> Option<Vec<PairedScore>> {
    let pair = |(item, other): (&ItemOutcome, &ItemOutcome)| {
        (item.id == other.id && item.choices == other.choices).then(|| PairedScore::of(item, other))
    };
    let same = dense.items.len() == compressed.items.len();
    same.then(|| dense.items.iter().zip(&compressed.items).map(pair).collect()).flatten()
}

impl PairedScore {
    fn of(item: &ItemOutcome, other: &ItemOutcome) -> Self {
        let dense = item_score(item);
        Self { id: item.id.clone(), dense, drop: dense - item_score(other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(rights: &[bool], choices: usize) -> Outcomes {
        let items = rights.iter().enumerate().map(|(i, &correct)| ItemOutcome { id: i.to_string(), correct, choices });
        Outcomes { variant: "v".to_owned(), items: items.collect() }
    }

    #[test]
    fn chance_is_zero_and_perfect_is_one() {
        let quarter = outcomes(&[true, false, false, false], 4);
        assert!(score(&quarter).unwrap().abs() < 1e-15);
        assert_eq!(score(&outcomes(&[true; 3], 4)), Ok(1.0));
    }

    #[test]
    fn relative_drop_is_one_at_chance() {
        let dense = outcomes(&[true, true, true, false], 4);
        let chance = outcomes(&[true, false, false, false], 4);
        assert!((relative_drop(&dense, &chance).unwrap() - 1.0).abs() < 1e-12);
        assert!(matches!(relative_drop(&chance, &dense), Err(StatsError::NothingToLose { .. })));
    }

    #[test]
    fn mismatches_are_named() {
        let four = outcomes(&[true; 2], 4);
        assert!(matches!(drop(&four, &outcomes(&[true; 3], 4)), Err(StatsError::NotPaired { id, .. }) if id == "2"));
        assert!(drop(&outcomes(&[true; 3], 4), &four).is_err());
        assert!(drop(&four, &outcomes(&[true; 2], 2)).is_err());
        assert!(matches!(score(&outcomes(&[], 4)), Err(StatsError::Empty { .. })));
        assert!(matches!(score(&outcomes(&[true], 1)), Err(StatsError::Choices { .. })));
    }
}
