use crate::{PruneError, Sparsity};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// From one sparsity to another, between two steps; in between the mask changes every few steps only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Ramp(Fields);

/// What is set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    initial: Sparsity,
    target: Sparsity,
    start: usize,
    end: usize,
    frequency: usize,
}

impl Ramp {
    /// From `initial` at the first of `steps` to `target` at the last. The mask is recomputed at the first, every
    /// `frequency` steps after it, and at the last.
    ///
    /// # Errors
    /// [`PruneError::InvalidSetting`] if the last step is not after the first, the frequency is 0, or `initial` is above
    /// `target`.
    pub fn new(
        initial: Sparsity,
        target: Sparsity,
        steps: RangeInclusive<usize>,
        frequency: usize,
    ) -> Result<Self, PruneError> {
        let (start, end) = steps.into_inner();
        let refused = |field, reason| Err(PruneError::InvalidSetting { what: "schedule", field, reason });
        if start >= end {
            return refused("start", format!("is {start}: it must be before `end`, {end}"));
        }
        if frequency == 0 {
            return refused("frequency", "is 0: it counts steps, and must be at least 1".into());
        }
        if initial > target {
            return refused("initial", format!("is {initial}: it must be at most `target`, {target}"));
        }
        Ok(Self(Fields { initial, target, start, end, frequency }))
    }

    /// The sparsity at the first step.
    pub fn initial(&self) -> Sparsity {
        self.0.initial
    }

    /// The sparsity at the last step, and for ever after.
    pub fn target(&self) -> Sparsity {
        self.0.target
    }

    /// The first step.
    pub fn start(&self) -> usize {
        self.0.start
    }

    /// The last step.
    pub fn end(&self) -> usize {
        self.0.end
    }

    /// How many steps a mask lasts.
    pub fn frequency(&self) -> usize {
        self.0.frequency
    }

    /// s_f + (s_i − s_f) · shape(1 − t), t = (step − start)/(end − start), at the steps at which the mask changes.
    ///
    /// If the shape never falls, neither does the sparsity, not by a rounding error: every operation rounds to nearest.
    pub(super) fn sparsity(&self, step: usize, shape: impl Fn(f64) -> f64) -> Option<Sparsity> {
        let Fields { initial, target, start, end, frequency } = self.0;
        let since = step.checked_sub(start).filter(|since| step <= end && (since % frequency == 0 || step == end))?;
        if since == 0 {
            return Some(initial);
        }
        let left = 1.0 - since as f64 / (end - start) as f64;
        let (s_i, s_f) = (initial.value(), target.value());
        Sparsity::new((s_f + (s_i - s_f) * shape(left)).max(s_i)).ok()
    }
}

impl TryFrom<Fields> for Ramp {
    type Error = PruneError;

    fn try_from(Fields { initial, target, start, end, frequency }: Fields) -> Result<Self, PruneError> {
        Self::new(initial, target, start..=end, frequency)
    }
}

impl From<Ramp> for Fields {
    fn from(ramp: Ramp) -> Self {
        ramp.0
    }
}
