use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::ranks::mid_ranks;
use super::replicates::monte_carlo_p;
use crate::StatsError;

/// Page's L for ordered alternatives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageTest {
    /// Σ over treatments of (position, from 1) × (rank sum); mid-ranks for ties.
    pub l: f64,
    /// Expectation of L when the treatments are exchangeable.
    pub expected: f64,
    /// (L − expected) / standard deviation, the variance taken over the ranks as tied; 0 when all blocks are tied.
    pub z: f64,
    /// One-sided p-value of an increase, normal approximation; 1 when all blocks are tied.
    pub p_normal: f64,
    /// One-sided p-value of an increase, by permutation within blocks: (1 + permuted L ≥ L) / (1 + permutations).
    pub p_permutation: f64,
}

/// Tests whether values rise over ordered treatments, within blocks (Page 1963, "Ordered hypotheses for multiple
/// treatments", J. Amer. Statist. Assoc. 58). `blocks` has the shape `[blocks][treatments]`; the null is that a block's
/// values are exchangeable. `permutations` 0 leaves out the permutation test (its p-value is then 1).
///
/// # Errors
/// Fewer than one block or two treatments, blocks of different lengths, values that are not finite.
pub fn page_l(blocks: &[Vec<f64>], permutations: usize, seed: u64) -> Result<PageTest, StatsError> {
    check(blocks)?;
    let ranks: Vec<Vec<f64>> = blocks.iter().map(|block| mid_ranks(block)).collect();
    let l = statistic(&ranks);
    let treatments = ranks[0].len() as f64;
    let expected = blocks.len() as f64 * treatments * (treatments + 1.0).powi(2) / 4.0;
    let variance = variance(&ranks);
    let z = if variance > 0.0 { (l - expected) / variance.sqrt() } else { 0.0 };
    let p_normal = if variance > 0.0 { Normal::standard().sf(z) } else { 1.0 };
    let as_large = |rng: &mut ChaCha8Rng| {
        // Sums of half integers are exact in f64: no tolerance is needed.
        shuffled_statistic(&ranks, rng) >= l
    };
    Ok(PageTest { l, expected, z, p_normal, p_permutation: monte_carlo_p(seed, permutations, as_large) })
}

fn shuffled_statistic(ranks: &[Vec<f64>], rng: &mut ChaCha8Rng) -> f64 {
    let mut block = Vec::new();
    let shuffled = |ranks: &Vec<f64>| {
        block.clone_from(ranks);
        block.shuffle(rng);
        weighted(&block)
    };
    ranks.iter().map(shuffled).sum()
}

fn check(blocks: &[Vec<f64>]) -> Result<(), StatsError> {
    let what = || "table of Page's test".to_owned();
    let Some(first) = blocks.first() else {
        return Err(StatsError::Empty { what: what() });
    };
    if first.len() < 2 {
        return Err(StatsError::TooFew { what: "treatments of Page's test".to_owned(), found: first.len(), needed: 2 });
    }
    for (row, block) in blocks.iter().enumerate() {
        if block.len() != first.len() {
            return Err(StatsError::Ragged { what: what(), row, expected: first.len(), found: block.len() });
        }
        for (column, &value) in block.iter().enumerate() {
            StatsError::finite(&format!("{}, row {row}, column {column}", what()), value)?;
        }
    }
    Ok(())
}

fn statistic(ranks: &[Vec<f64>]) -> f64 {
    ranks.iter().map(|block| weighted(block)).sum()
}

/// Σ position × rank.
fn weighted(block: &[f64]) -> f64 {
    let positions = 1..=block.len();
    positions.zip(block).map(|(position, rank)| position as f64 * rank).sum()
}

/// Σ over blocks of Σ(rank − mean)² · Σ(position − mean)² / (treatments − 1): the permutation variance, exact with
/// ties.
fn variance(ranks: &[Vec<f64>]) -> f64 {
    let treatments = ranks[0].len() as f64;
    let mean = (treatments + 1.0) / 2.0;
    let positions = treatments * (treatments * treatments - 1.0) / 12.0;
    let spread = |block: &Vec<f64>| block.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>();
    ranks.iter().map(spread).sum::<f64>() * positions / (treatments - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scipy_without_ties() {
        let table = [
            [1.0, 2.0, 3.0, 4.0],
            [1.0, 3.0, 2.0, 4.0],
            [2.0, 1.0, 4.0, 3.0],
            [1.0, 2.0, 4.0, 3.0],
            [1.0, 2.0, 3.0, 4.0],
        ]
        .map(Vec::from);
        let test = page_l(&table, 0, 0).unwrap();
        // scipy.stats.page_trend_test(table, method="asymptotic")
        assert_eq!(test.l, 146.0);
        assert!((test.p_normal - 0.000_570_352_908_434_921_7).abs() < 1e-12);
    }

    #[test]
    fn statistic_agrees_with_scipy_with_ties() {
        // The example of SciPy's documentation: ten people rate a tutorial, a lecture and a seminar.
        let table = [
            [3, 4, 3],
            [2, 2, 4],
            [3, 3, 5],
            [1, 3, 2],
            [2, 3, 2],
            [2, 4, 5],
            [1, 2, 4],
            [3, 4, 4],
            [2, 4, 5],
            [1, 3, 4],
        ]
        .map(|row| row.map(f64::from).to_vec());
        let test = page_l(&table, 20_000, 7).unwrap();
        assert_eq!(test.l, 133.5);
        // SciPy: 0.00127 asymptotic and 0.00182 exact, both without a correction for ties, which makes p smaller.
        assert!(test.p_normal < 0.001_27 && test.p_normal > 0.000_3);
        assert!(test.p_permutation < 0.001_82);
    }

    #[test]
    fn all_tied_is_no_evidence() {
        let test = page_l(&vec![vec![1.0; 3]; 5], 50, 0).unwrap();
        assert_eq!((test.z, test.p_normal, test.p_permutation), (0.0, 1.0, 1.0));
    }

    #[test]
    fn bad_tables_are_named() {
        assert!(matches!(page_l(&[], 0, 0), Err(StatsError::Empty { .. })));
        let ragged = page_l(&[vec![1.0, 2.0], vec![1.0]], 0, 0);
        assert!(matches!(ragged, Err(StatsError::Ragged { row: 1, .. })));
        let infinite = page_l(&[vec![1.0, f64::INFINITY]], 0, 0);
        assert!(matches!(infinite, Err(StatsError::NotFinite { .. })));
    }
}
