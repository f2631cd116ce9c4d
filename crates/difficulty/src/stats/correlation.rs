use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::iter::ParallelIterator;
use serde::{Deserialize, Serialize};

use super::ranks::{mid_ranks, tie_sizes};
use super::replicates::replicates;
use crate::StatsError;

/// Up to this many pairs all orders are enumerated; 8! = 40,320.
const ENUMERATED: usize = 8;

/// A rank correlation with its permutation tests against "no association".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankCorrelation {
    /// The coefficient, −1 to 1.
    pub value: f64,
    /// Two-sided p-value: how often a permuted coefficient is at least as far from 0.
    pub p: f64,
    /// One-sided p-value of a positive association.
    pub p_greater: f64,
    /// Whether all orders were enumerated, which is done up to 8 pairs, instead of drawn.
    pub exact: bool,
}

/// Spearman's ρ, the correlation of mid-ranks (Spearman 1904, "The proof and measurement of association between two
/// things", Amer. J. Psychol. 15), with permutation p-values: all orders up to 8 pairs, else `permutations` draws.
///
/// # Errors
/// Lists of different lengths or of fewer than three values, values that are not finite, a list of equal values.
pub fn spearman(x: &[f64], y: &[f64], permutations: usize, seed: u64) -> Result<RankCorrelation, StatsError> {
    check("Spearman's correlation", x, y)?;
    let mean = (x.len() as f64 + 1.0) / 2.0;
    // Quarters of integers: products and sums are exact, so that permuted ties are ties.
    let centred = |values: &[f64]| -> Vec<f64> { mid_ranks(values).iter().map(|rank| rank - mean).collect() };
    let (x, y) = (centred(x), centred(y));
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let scale = (dot(&x, &x) * dot(&y, &y)).sqrt();
    Ok(tested(&y, scale, permutations, seed, |y| dot(&x, y)))
}

/// Kendall's τ-b, which corrects for ties in both lists (Kendall 1945, "The treatment of ties in ranking problems",
/// Biometrika 33), with permutation p-values: all orders up to 8 pairs, else `permutations` draws.
///
/// # Errors
/// As [`spearman`].
pub fn kendall(x: &[f64], y: &[f64], permutations: usize, seed: u64) -> Result<RankCorrelation, StatsError> {
    check("Kendall's correlation", x, y)?;
    let pairs = |n: usize| (n * (n - 1) / 2) as f64;
    let untied = |values: &[f64]| pairs(values.len()) - tie_sizes(values).into_iter().map(pairs).sum::<f64>();
    let scale = (untied(x) * untied(y)).sqrt();
    Ok(tested(y, scale, permutations, seed, |y| concordance(x, y)))
}

/// Concordant minus discordant pairs.
fn concordance(x: &[f64], y: &[f64]) -> f64 {
    let order = |a: f64, b: f64| i64::from(a > b) - i64::from(a < b);
    let with_earlier = |i: usize| (0..i).map(|j| order(x[i], x[j]) * order(y[i], y[j])).sum::<i64>();
    (0..x.len()).map(with_earlier).sum::<i64>() as f64
}

/// The coefficient is `statistic` / `scale`; its null expectation is 0.
fn tested(
    y: &[f64],
    scale: f64,
    permutations: usize,
    seed: u64,
    statistic: impl Fn(&[f64]) -> f64 + Sync + Send,
) -> RankCorrelation {
    let observed = statistic(y);
    let exact = y.len() <= ENUMERATED;
    let (p, p_greater) = if exact {
        enumerate(y, &statistic, observed)
    } else {
        let shuffled = |rng: &mut ChaCha8Rng| {
            let mut y = y.to_vec();
            y.shuffle(rng);
            statistic(&y)
        };
        let drawn: Vec<f64> = replicates(seed, permutations, shuffled).collect();
        let p = |extreme: &dyn Fn(f64) -> bool| {
            (1 + drawn.iter().filter(|&&value| extreme(value)).count()) as f64 / (1 + permutations) as f64
        };
        (p(&|value| value.abs() >= observed.abs()), p(&|value| value >= observed))
    };
    RankCorrelation { value: (observed / scale).clamp(-1.0, 1.0), p, p_greater, exact }
}

/// Fractions of all orders of `y` that are as far from 0, and as large (Heap 1963, "Permutations by interchanges").
fn enumerate(y: &[f64], statistic: &impl Fn(&[f64]) -> f64, observed: f64) -> (f64, f64) {
    let mut y = y.to_vec();
    let mut counters = vec![0; y.len()];
    let (mut orders, mut as_far, mut as_large) = (0_u32, 0_u32, 0_u32);
    let mut count = |y: &[f64]| {
        let value = statistic(y);
        orders += 1;
        as_far += u32::from(value.abs() >= observed.abs());
        as_large += u32::from(value >= observed);
    };
    count(&y);
    let mut at = 1;
    while at < y.len() {
        if counters[at] < at {
            y.swap(if at % 2 == 0 { 0 } else { counters[at] }, at);
            count(&y);
            counters[at] += 1;
            at = 1;
        } else {
            counters[at] = 0;
            at += 1;
        }
    }
    (f64::from(as_far) / f64::from(orders), f64::from(as_large) / f64::from(orders))
}

fn check(what: &str, x: &[f64], y: &[f64]) -> Result<(), StatsError> {
    if x.len() != y.len() {
        return Err(StatsError::Ragged { what: what.to_owned(), row: 1, expected: x.len(), found: y.len() });
    }
    if x.len() < 3 {
        return Err(StatsError::TooFew { what: format!("pairs of {what}"), found: x.len(), needed: 3 });
    }
    for (name, values) in [("first", x), ("second", y)] {
        let list = format!("{name} list of {what}");
        values.iter().try_for_each(|&value| StatsError::finite(&list, value).map(drop))?;
        if tie_sizes(values).len() < 2 {
            return Err(StatsError::Constant { what: list });
        }
    }
    Ok(())
}
