//! Ranges searched for the smallest error.

use super::{Range, min_max};
use crate::{Grid, Scheme};

/// Of ranges from a fifth of the weights' to all of it the one whose rounding moves them least: Σ |w − ŵ|^2.4, as the GPTQ
/// authors' quantizer searches with `mse`. A few large weights are clipped where that makes the step finer for all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastError {
    steps: u16,
    smallest: f32,
    power: f32,
}

impl Default for LeastError {
    fn default() -> Self {
        Self { steps: 80, smallest: 0.2, power: 2.4 }
    }
}

impl LeastError {
    /// With so many ranges tried besides the whole.
    pub fn with_steps(self, steps: u16) -> Self {
        Self { steps, ..self }
    }

    /// With errors to another power: 2 is the mean squared error.
    pub fn with_power(self, power: f32) -> Self {
        Self { power, ..self }
    }

    fn error(&self, grid: &Grid, group: &[f32], rounded: &mut [f32]) -> f64 {
        grid.round_all(group, rounded);
        let off = group.iter().zip(rounded.iter()).map(|(w, r)| (w - r).abs());
        if self.power == 2.0 {
            off.map(|off| f64::from(off) * f64::from(off)).sum()
        } else {
            off.map(|off| f64::from(off.powf(self.power))).sum()
        }
    }
}

impl Range for LeastError {
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid {
        let (low, high) = min_max(group);
        let mut rounded = vec![0.0; group.len()];
        let mut best = scheme.grid_over(low, high);
        let mut least = self.error(&best, group, &mut rounded);
        for step in 1..=self.steps {
            let share = 1.0 - (1.0 - self.smallest) * f32::from(step) / f32::from(self.steps);
            let grid = scheme.grid_over(share * low, share * high);
            let error = self.error(&grid, group, &mut rounded);
            // An overflowing scale makes this NaN, which is never less.
            if error < least {
                (best, least) = (grid, error);
            }
        }
        best
    }
}
