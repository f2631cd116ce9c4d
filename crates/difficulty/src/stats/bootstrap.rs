use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::measure::{AT_CHANCE, PairedScore, pair};
use crate::{Outcomes, StatsError};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bootstrap {
    /// Number of resamples, at least 100.
    pub resamples: usize,
    /// Coverage of the interval, between 0 and 1.
    pub confidence: f64,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 2000, confidence: 0.95, seed: 0 }
    }
}

/// A number with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What one variant lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropInterval {
    /// Drop of the chance-corrected score.
    pub drop: Interval,
    /// The drop in units of the dense score; none where the dense score, or that of over 5 % of the resamples, is not
    /// above chance.
    pub relative: Option<Interval>,
}

/// Percentile bootstrap of the drop of one variant over its items, resampled in pairs (Efron and Tibshirani 1993, "An
/// Introduction to the Bootstrap", chapter 13).
///
/// # Errors
/// Those of [`pair`]; [`StatsError::OutOfRange`] for a setting that makes no sense.
pub fn paired_bootstrap(
    dense: &Outcomes,
    compressed: &Outcomes,
    bootstrap: &Bootstrap,
) -> Result<DropInterval, StatsError> {
    check(bootstrap)?;
    let pairs = pair(dense, compressed)?;
    let (drop, score) = means(pairs.iter(), pairs.len());
    let mut rng = ChaCha8Rng::seed_from_u64(bootstrap.seed);
    let mut drops = Vec::with_capacity(bootstrap.resamples);
    let mut relatives = Vec::with_capacity(bootstrap.resamples);
    for _ in 0..bootstrap.resamples {
        let sample = (0..pairs.len()).map(|_| &pairs[rng.random_range(0..pairs.len())]);
        let (drop, score) = means(sample, pairs.len());
        drops.push(drop);
        if score > AT_CHANCE {
            relatives.push(drop / score);
        }
    }
    let defined = relatives.len() as f64 >= 0.95 * bootstrap.resamples as f64;
    let relative = (score > AT_CHANCE && defined).then(|| percentiles(drop / score, relatives, bootstrap.confidence));
    Ok(DropInterval { drop: percentiles(drop, drops, bootstrap.confidence), relative })
}

fn check(bootstrap: &Bootstrap) -> Result<(), StatsError> {
    if bootstrap.resamples < 100 {
        return Err(StatsError::TooFew {
            what: "bootstrap resamples".to_owned(),
            found: bootstrap.resamples,
            needed: 100,
        });
    }
    if !(bootstrap.confidence > 0.0 && bootstrap.confidence < 1.0) {
        return Err(StatsError::OutOfRange {
            what: "bootstrap confidence".to_owned(),
            value: bootstrap.confidence,
            range: "between 0 and 1",
        });
    }
    Ok(())
}

/// Mean drop and mean dense score.
fn means<'a>(sample: impl Iterator<Item = &'a PairedScore>, n: usize) -> (f64, f64) {
    let sums = sample.fold((0.0, 0.0), |sums, pair| (sums.0 + pair.drop, sums.1 + pair.dense));
    (sums.0 / n as f64, sums.1 / n as f64)
}

fn percentiles(value: f64, mut sample: Vec<f64>, confidence: f64) -> Interval {
    sample.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    Interval { value, low: quantile(&sample, tail), high: quantile(&sample, 1.0 - tail) }
}

/// Linear interpolation between order statistics; `sorted` is not empty.
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * (sorted.len() - 1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * position.fract()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ItemOutcome;

    fn outcomes(rights: &[bool]) -> Outcomes {
        let items =
            rights.iter().enumerate().map(|(i, &correct)| ItemOutcome { id: i.to_string(), correct, choices: 4 });
        Outcomes { variant: "v".to_owned(), items: items.collect() }
    }

    #[test]
    fn no_loss_has_no_width() {
        let same = outcomes(&[true, true, false, true]);
        let interval = paired_bootstrap(&same, &same, &Bootstrap::default()).unwrap();
        assert_eq!((interval.drop.low, interval.drop.high), (0.0, 0.0));
    }

    #[test]
    fn width_is_that_of_the_normal_approximation() {
        let dense = outcomes(&[true; 200]);
        let pruned: Vec<bool> = (0..200).map(|i| i % 4 != 0).collect();
        let interval = paired_bootstrap(&dense, &outcomes(&pruned), &Bootstrap::default()).unwrap();
        let half = 1.96 * (0.25_f64 * 0.75 / 200.0).sqrt() / 0.75;
        assert!((interval.drop.value - 1.0 / 3.0).abs() < 1e-12);
        assert!(((interval.drop.high - interval.drop.low) / 2.0 - half).abs() < 0.01);
    }

    #[test]
    fn settings_are_checked() {
        let same = outcomes(&[true]);
        let few = Bootstrap { resamples: 1, ..Bootstrap::default() };
        assert!(paired_bootstrap(&same, &same, &few).is_err());
        let sure = Bootstrap { confidence: 1.0, ..Bootstrap::default() };
        assert!(paired_bootstrap(&same, &same, &sure).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn seeded_and_ordered(answers in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..40), seed: u64) {
            let (dense, pruned): (Vec<bool>, Vec<bool>) = answers.into_iter().unzip();
            let bootstrap = Bootstrap { resamples: 200, seed, ..Bootstrap::default() };
            let first = paired_bootstrap(&outcomes(&dense), &outcomes(&pruned), &bootstrap)?;
            let again = paired_bootstrap(&outcomes(&dense), &outcomes(&pruned), &bootstrap)?;
            prop_assert_eq!(&first, &again);
            prop_assert!(first.drop.low <= first.drop.high);
        }
    }
}
