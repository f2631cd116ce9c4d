use serde::{Deserialize, Serialize};

use super::clustered::{Run, clustered_bootstrap};
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

impl Bootstrap {
    pub(crate) fn check(&self) -> Result<(), StatsError> {
        StatsError::at_least("bootstrap resamples", self.resamples, 100)?;
        if self.confidence > 0.0 && self.confidence < 1.0 {
            return Ok(());
        }
        let what = "bootstrap confidence".to_owned();
        Err(StatsError::OutOfRange { what, value: self.confidence, range: "between 0 and 1" })
    }

    /// Percentile interval of resampled estimates; `sample` is not empty.
    pub(crate) fn percentiles(&self, value: f64, mut sample: Vec<f64>) -> Interval {
        sample.sort_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        Interval { value, low: quantile(&sample, tail), high: quantile(&sample, 1.0 - tail) }
    }

    /// As [`Bootstrap::percentiles`], of an estimate that is not defined in every resample: none where it is undefined
    /// in over 5 % of them.
    pub(crate) fn percentiles_if_defined(&self, value: Option<f64>, sample: Vec<Option<f64>>) -> Option<Interval> {
        let defined: Vec<f64> = sample.iter().copied().flatten().collect();
        let enough = defined.len() as f64 >= 0.95 * sample.len() as f64;
        value.filter(|_| enough && !defined.is_empty()).map(|value| self.percentiles(value, defined))
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
/// Introduction to the Bootstrap", chapter 13). Runs on all cores; the seed alone decides the result.
///
/// # Errors
/// Those of [`pair`](crate::measure::pair); [`StatsError::OutOfRange`] for a setting that makes no sense.
pub fn paired_bootstrap(
    dense: &Outcomes,
    compressed: &Outcomes,
    bootstrap: &Bootstrap,
) -> Result<DropInterval, StatsError> {
    clustered_bootstrap(&[Run { dense, compressed }], bootstrap)
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
