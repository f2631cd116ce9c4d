use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::isotonic::isotonic;
use super::replicates::monte_carlo_p;
use crate::StatsError;

/// A likelihood-ratio test whose null is a monotone trend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonotonicityTest {
    /// The maximum-likelihood proportions that never fall.
    pub fitted: Vec<f64>,
    /// 2 (log-likelihood without order − log-likelihood of `fitted`); 0 when the proportions never fall.
    pub statistic: f64,
    /// p-value of "the proportions never fall"; a large one is no evidence for it.
    pub p: f64,
}

/// Tests the null that binomial proportions never fall over an ordered factor: errors over rising sparsity.
///
/// The statistic is T₁₂ of Robertson, Wright and Dykstra 1988, "Order Restricted Statistical Inference", section 2.3
/// and chapter 4; its null distribution is a mixture of χ² (chi-bar-squared) whose weights have no closed form beyond
/// four unequal sample sizes. The p-value is therefore a parametric bootstrap, drawn at equal proportions: of all
/// monotone truths this one makes large values most likely (Robertson and Wegman 1978, "Likelihood ratio tests for
/// order restrictions in exponential families", Ann. Statist. 6), so the level holds for all. Drawing at the fit would
/// be less conservative but is inconsistent where the truth is on the boundary of the order (Andrews 2000,
/// "Inconsistency of the bootstrap when a parameter is on the boundary of the parameter space", Econometrica 68).
///
/// Samples count as independent. The same items at every sparsity make their proportions correlate positively, their
/// differences vary less than assumed, and the test conservative.
///
/// # Errors
/// Fewer than two groups, lists of different lengths, a group without trials or with more successes than trials.
pub fn monotonicity(
    successes: &[usize],
    trials: &[usize],
    resamples: usize,
    seed: u64,
) -> Result<MonotonicityTest, StatsError> {
    check(successes, trials)?;
    let fitted = fit(successes, trials)?;
    let statistic = likelihood_ratio(successes, trials, &fitted);
    let pooled = successes.iter().sum::<usize>() as f64 / trials.iter().sum::<usize>() as f64;
    let as_large = |rng: &mut ChaCha8Rng| {
        let drawn: Vec<usize> = trials.iter().map(|&n| binomial(n, pooled, rng)).collect();
        // The difference of equal sums of logarithms is not always exactly zero.
        fit(&drawn, trials).is_ok_and(|fitted| likelihood_ratio(&drawn, trials, &fitted) >= statistic - 1e-9)
    };
    let p = if statistic > 0.0 { monte_carlo_p(seed, resamples, as_large) } else { 1.0 };
    Ok(MonotonicityTest { fitted, statistic, p })
}

fn check(successes: &[usize], trials: &[usize]) -> Result<(), StatsError> {
    let what = "groups of the test of monotonicity";
    if successes.len() < 2 {
        return Err(StatsError::TooFew { what: what.to_owned(), found: successes.len(), needed: 2 });
    }
    if successes.len() != trials.len() {
        let (expected, found) = (successes.len(), trials.len());
        return Err(StatsError::Ragged { what: what.to_owned(), row: 1, expected, found });
    }
    for (index, (&count, &n)) in successes.iter().zip(trials).enumerate() {
        if n == 0 {
            return Err(StatsError::Empty { what: format!("group {index} of the test of monotonicity") });
        }
        if count > n {
            let what = format!("number of successes of group {index}");
            return Err(StatsError::OutOfRange { what, value: count as f64, range: "0 to the number of trials" });
        }
    }
    Ok(())
}

fn fit(successes: &[usize], trials: &[usize]) -> Result<Vec<f64>, StatsError> {
    let proportions: Vec<f64> = successes.iter().zip(trials).map(|(&k, &n)| k as f64 / n as f64).collect();
    let weights: Vec<f64> = trials.iter().map(|&n| n as f64).collect();
    isotonic(&proportions, &weights)
}

fn likelihood_ratio(successes: &[usize], trials: &[usize], fitted: &[f64]) -> f64 {
    // k ln(p̂ / p) with 0 ln 0 = 0.
    let term = |count: usize, observed: f64, fitted: f64| {
        if count == 0 { 0.0 } else { count as f64 * (observed / fitted).ln() }
    };
    let group = |((&k, &n), &p): ((&usize, &usize), &f64)| {
        let observed = k as f64 / n as f64;
        term(k, observed, p) + term(n - k, 1.0 - observed, 1.0 - p)
    };
    let total: f64 = successes.iter().zip(trials).zip(fitted).map(group).sum();
    // Rounding alone leaves a few 1e-16 where the proportions never fall.
    if total < 1e-12 { 0.0 } else { 2.0 * total }
}

fn binomial(n: usize, p: f64, rng: &mut ChaCha8Rng) -> usize {
    (0..n).filter(|_| rng.random_bool(p)).count()
}
