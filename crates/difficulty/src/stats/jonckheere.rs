use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::ranks::tie_sizes;
use crate::StatsError;

/// The exact distribution is computed while its table has at most this many entries.
const EXACT_ENTRIES: usize = 4_000_000;

/// The Jonckheere–Terpstra test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JonckheereTest {
    /// Pairs of values from an earlier and a later group that rise, ties counting one half.
    pub j: f64,
    /// Expectation of J when all groups have one distribution.
    pub expected: f64,
    /// (J − expected) / standard deviation, corrected for ties; 0 when all values are equal.
    pub z: f64,
    /// One-sided p-value of an increase, normal approximation; 1 when all values are equal.
    pub p_normal: f64,
    /// One-sided p-value of an increase over all assignments of the values to the groups; none for large samples.
    pub p_exact: Option<f64>,
}

impl JonckheereTest {
    /// The exact p-value, or the normal approximation for large samples.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p_exact.unwrap_or(self.p_normal)
    }
}

/// Tests whether values rise over ordered groups of independent values (Jonckheere 1954, "A distribution-free k-sample
/// test against ordered alternatives", Biometrika 41; Terpstra 1952). Variance with ties: Hollander and Wolfe 1999,
/// "Nonparametric Statistical Methods", eq. 6.19. For values paired over groups use [`super::page_l`].
///
/// # Errors
/// Fewer than two groups, an empty group, values that are not finite.
pub fn jonckheere(groups: &[Vec<f64>]) -> Result<JonckheereTest, StatsError> {
    check(groups)?;
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let ties = tie_sizes(&groups.concat());
    let doubled = doubled_statistic(groups);
    let (j, expected) = (doubled as f64 / 2.0, pairs_between(&sizes) as f64 / 2.0);
    let variance = variance(&sizes, &ties);
    let z = if variance > 0.0 { (j - expected) / variance.sqrt() } else { 0.0 };
    let p_normal = if variance > 0.0 { Normal::standard().sf(z) } else { 1.0 };
    Ok(JonckheereTest { j, expected, z, p_normal, p_exact: exact(&sizes, &ties, doubled) })
}

fn check(groups: &[Vec<f64>]) -> Result<(), StatsError> {
    if groups.len() < 2 {
        let what = "groups of the Jonckheere-Terpstra test".to_owned();
        return Err(StatsError::TooFew { what, found: groups.len(), needed: 2 });
    }
    for (index, group) in groups.iter().enumerate() {
        let what = format!("group {index} of the Jonckheere-Terpstra test");
        if group.is_empty() {
            return Err(StatsError::Empty { what });
        }
        group.iter().try_for_each(|&value| StatsError::finite(&what, value).map(drop))?;
    }
    Ok(())
}

/// 2 J, which is an integer.
fn doubled_statistic(groups: &[Vec<f64>]) -> usize {
    let pair = |x: f64, y: f64| 2 * usize::from(x < y) + usize::from(x == y);
    let later = |(at, group): (usize, &Vec<f64>)| -> usize {
        let others = groups[at + 1..].iter().flatten();
        others.map(|&y| group.iter().map(|&x| pair(x, y)).sum::<usize>()).sum()
    };
    groups.iter().enumerate().map(later).sum()
}

/// Number of pairs of values from different groups.
fn pairs_between(sizes: &[usize]) -> usize {
    let total: usize = sizes.iter().sum();
    (total * total - sizes.iter().map(|n| n * n).sum::<usize>()) / 2
}

fn variance(sizes: &[usize], ties: &[usize]) -> f64 {
    let total: usize = sizes.iter().sum();
    if total < 2 {
        return 0.0;
    }
    let n = total as f64;
    let first = (spread(n) - sum(spread, sizes) - sum(spread, ties)) / 72.0;
    let second = if total > 2 { sum(triples, sizes) * sum(triples, ties) / (36.0 * triples(n)) } else { 0.0 };
    first + second + sum(pairs, sizes) * sum(pairs, ties) / (8.0 * pairs(n))
}

fn sum(of: fn(f64) -> f64, counts: &[usize]) -> f64 {
    counts.iter().map(|&count| of(count as f64)).sum()
}

fn pairs(m: f64) -> f64 {
    m * (m - 1.0)
}

fn triples(m: f64) -> f64 {
    pairs(m) * (m - 2.0)
}

fn spread(m: f64) -> f64 {
    pairs(m) * (2.0 * m + 5.0)
}

/// P(2J ≥ `doubled`) by dynamic programming over the different values in rising order: the state is how many places of
/// each group are taken, its entries the number of assignments for each value of 2J.
fn exact(sizes: &[usize], ties: &[usize], doubled: usize) -> Option<f64> {
    let states = sizes.iter().try_fold(1_usize, |product, n| product.checked_mul(n + 1))?;
    let width = 2 * pairs_between(sizes) + 1;
    if states.checked_mul(width)? > EXACT_ENTRIES {
        return None;
    }
    let mut taken = vec![(vec![0; sizes.len()], vec![1.0])];
    for &tied in ties {
        let mut next = std::collections::BTreeMap::new();
        for (counts, ways) in &taken {
            for places in allocations(tied, counts, sizes) {
                let gained = gain(counts, &places);
                let filled: Vec<usize> = counts.iter().zip(&places).map(|(a, b)| a + b).collect();
                let factor = multinomial(&places);
                let sum: &mut Vec<f64> = next.entry(filled).or_default();
                sum.resize(sum.len().max(ways.len() + gained), 0.0);
                ways.iter().zip(&mut sum[gained..]).for_each(|(from, to)| *to += from * factor);
            }
        }
        taken = next.into_iter().collect();
    }
    let (_, ways) = taken.pop()?;
    let as_large: f64 = ways.iter().skip(doubled).sum();
    Some((as_large / ways.iter().sum::<f64>()).min(1.0))
}

/// All ways to put `left` equal values into the places that are still free.
fn allocations(left: usize, taken: &[usize], sizes: &[usize]) -> Vec<Vec<usize>> {
    let Some((&last, earlier)) = sizes.split_last() else {
        return if left == 0 { vec![Vec::new()] } else { Vec::new() };
    };
    let at = earlier.len();
    let here = 0..=left.min(last - taken[at]);
    let with = |count: usize| {
        let mut rest = allocations(left - count, &taken[..at], earlier);
        rest.iter_mut().for_each(|places| places.push(count));
        rest
    };
    here.flat_map(with).collect()
}

/// What equal values placed so add to 2J, given the places that smaller values have taken.
fn gain(taken: &[usize], places: &[usize]) -> usize {
    let later = |group: usize| -> usize {
        let smaller: usize = taken[..group].iter().sum();
        let equal: usize = places[..group].iter().sum();
        places[group] * (2 * smaller + equal)
    };
    (0..places.len()).map(later).sum()
}

fn multinomial(places: &[usize]) -> f64 {
    let mut ways = 1.0;
    let mut total = 0;
    for &count in places {
        for k in 1..=count {
            total += 1;
            ways *= f64::from(total) / k as f64;
        }
    }
    ways
}
