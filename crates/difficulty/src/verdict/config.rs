use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::StatsError;
use crate::stats::StandingRule;

/// How to judge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeConfig {
    /// Level of every test; intervals cover 1 − alpha.
    pub alpha: f64,
    /// Which variants are at floor or ceiling in the dense model, and kept out.
    pub standing: StandingRule,
    /// Levels that a family needs, after exclusions, to speak about ordering; at least 2.
    pub min_levels: usize,
    /// Items that a variant needs; at least 2.
    pub min_items: usize,
    /// Different strengths that a series needs to speak about growth; at least 2.
    pub min_strengths: usize,
    /// An ordering effect within ± this counts as none, and so does a step over sparsity that falls by less; in
    /// relative drops.
    pub equivalence_margin: f64,
    /// A mean relative drop above this leaves nothing to order.
    pub collapsed: f64,
    /// Permutations of Page's test, at least 100.
    pub permutations: usize,
    /// Seed of the permutations.
    pub seed: u64,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            standing: StandingRule::default(),
            min_levels: 3,
            min_items: 10,
            min_strengths: 3,
            equivalence_margin: 0.1,
            collapsed: 0.9,
            permutations: 2000,
            seed: 0,
        }
    }
}

impl JudgeConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`StatsError::OutOfRange`] or [`StatsError::TooFew`], naming the field.
    pub fn check(&self) -> Result<(), StatsError> {
        StatsError::within("alpha", self.alpha, 1e-6..=0.5, "0.000001 to 0.5")?;
        // Above 0.2 a variant could count as above chance with a score that is not.
        StatsError::within("standing.alpha", self.standing.alpha, 1e-6..=0.2, "0.000001 to 0.2")?;
        StatsError::within("standing.ceiling", self.standing.ceiling, 0.0..=f64::MAX, "at least 0")?;
        StatsError::within("equivalence_margin", self.equivalence_margin, 0.0..=f64::MAX, "at least 0")?;
        StatsError::within("collapsed", self.collapsed, 0.0..=f64::MAX, "at least 0")?;
        StatsError::at_least("min_levels", self.min_levels, 2)?;
        StatsError::at_least("min_items", self.min_items, 2)?;
        StatsError::at_least("min_strengths", self.min_strengths, 2)?;
        StatsError::at_least("permutations", self.permutations, 100)
    }

    /// Changed answers that may have gone unseen, z² / 2 at the level of the tests.
    pub(super) fn unseen_changes(&self) -> f64 {
        Normal::standard().inverse_cdf(1.0 - self.alpha).powi(2) / 2.0
    }

    pub(super) fn confidence(&self) -> f64 {
        1.0 - self.alpha
    }
}
