//! How many items and seeds a study needs, by simulating studies with a planted truth and judging them.

mod planted;

pub use planted::{AssumedOrdering, PlantedCompression, PlantedStudy};

use rayon::iter::ParallelIterator;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

use crate::stats::replicates;
use crate::{Claim, Decision, JudgeConfig, Series, StatsError, judge, verdict};

/// How often a decision was taken in simulated studies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Studies with the decision.
    pub count: usize,
    /// Studies simulated.
    pub simulations: usize,
}

impl Rate {
    /// count / simulations.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.count as f64 / self.simulations as f64
    }

    /// Exact interval of the true rate (Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated
    /// in the case of the binomial", Biometrika 26): each end errs with probability (1 − `confidence`) / 2, which is
    /// clamped to 10⁻⁹ … ½.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> [f64; 2] {
        let tail = ((1.0 - confidence) / 2.0).clamp(1e-9, 0.5);
        let (k, n) = (self.count as f64, self.simulations as f64);
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
        let low = if self.count == 0 { 0.0 } else { quantile(k, n - k + 1.0, tail) };
        let high = if self.count >= self.simulations { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - tail) };
        [low, high]
    }
}

/// Decisions about one claim over simulated studies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The claim.
    pub claim: Claim,
    /// The series it is about.
    pub series: Series,
    /// How often it was supported.
    pub supported: Rate,
    /// How often it was contradicted.
    pub contradicted: Rate,
}

/// Simulates studies and judges all of each. Runs on all cores; the seed alone decides the result.
///
/// # Errors
/// Those of [`PlantedStudy::check`] and [`judge`]; no simulations.
pub fn tally(
    planted: &PlantedStudy,
    config: &JudgeConfig,
    simulations: usize,
    seed: u64,
) -> Result<Vec<Tally>, StatsError> {
    planted.check()?;
    StatsError::at_least("simulations", simulations, 1)?;
    let verdicts = replicates(seed, simulations, |rng| judge(&planted.simulate(rng), config));
    let mut tallies: Vec<Tally> = Vec::new();
    for verdicts in verdicts.collect::<Result<Vec<_>, _>>()? {
        for (at, verdict) in verdicts.into_iter().enumerate() {
            if at == tallies.len() {
                let none = Rate { count: 0, simulations };
                let (claim, series) = (verdict.claim, verdict.series.clone());
                tallies.push(Tally { claim, series, supported: none, contradicted: none });
            }
            tallies[at].supported.count += usize::from(verdict.outcome == Decision::Supported);
            tallies[at].contradicted.count += usize::from(verdict.outcome == Decision::Contradicted);
        }
    }
    Ok(tallies)
}

/// Power for one claim: how often [`judge`] supports it when the planted truth holds. Only this claim is judged, which
/// is faster than [`tally`]. `series` counts where the claim is about pruning.
///
/// # Errors
/// Those of [`tally`].
pub fn power(
    planted: &PlantedStudy,
    claim: Claim,
    series: &Series,
    config: &JudgeConfig,
    simulations: usize,
    seed: u64,
) -> Result<Rate, StatsError> {
    planted.check()?;
    config.check()?;
    StatsError::at_least("simulations", simulations, 1)?;
    let supported = replicates(seed, simulations, |rng| {
        let verdict = verdict::judge_claim(&planted.simulate(rng), claim, series, config)?;
        Ok(verdict.outcome == Decision::Supported)
    });
    let supported = supported.collect::<Result<Vec<bool>, StatsError>>()?;
    Ok(Rate { count: supported.into_iter().filter(|&supported| supported).count(), simulations })
}

/// What is asked of a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted<'a> {
    /// The claim that it should be able to support.
    pub claim: Claim,
    /// The series it is about, where it is about pruning.
    pub series: &'a Series,
    /// The power it should have.
    pub power: f64,
    /// The number of base items per family that is out of reach beyond.
    pub most_items: usize,
}

/// A sample size and its power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ItemsNeeded {
    /// Base items per family.
    pub items: usize,
    /// The power found at this size.
    pub power: Rate,
}

/// The smallest number of base items per family, to about 3 %, at which the power for a claim is what is wanted: the
/// lower end of the power's one-sided 95 % interval has to be, so that luck in the simulation does not promise too
/// much. `planted.items` does not count. None where the most items are not enough.
///
/// # Errors
/// Those of [`power`]; a wanted power that is not between 0 and 1.
pub fn items_needed(
    planted: &PlantedStudy,
    wanted: Wanted<'_>,
    config: &JudgeConfig,
    simulations: usize,
    seed: u64,
) -> Result<Option<ItemsNeeded>, StatsError> {
    StatsError::within("wanted power", wanted.power, 1e-6..=0.999, "0.000001 to 0.999")?;
    let enough = |items: usize| {
        let sized = PlantedStudy { items, ..planted.clone() };
        let power = power(&sized, wanted.claim, wanted.series, config, simulations, seed)?;
        Ok((power.interval(0.9)[0] >= wanted.power).then_some(ItemsNeeded { items, power }))
    };
    let mut too_few = config.min_items / 2;
    let mut found = loop {
        let next = (2 * too_few).min(wanted.most_items);
        if let Some(found) = enough(next)? {
            break found;
        }
        if next == wanted.most_items {
            return Ok(None);
        }
        too_few = next;
    };
    while found.items - too_few > 1 + found.items / 32 {
        let middle = usize::midpoint(too_few, found.items);
        match enough(middle)? {
            Some(fewer) => found = fewer,
            None => too_few = middle,
        }
    }
    Ok(Some(found))
}
