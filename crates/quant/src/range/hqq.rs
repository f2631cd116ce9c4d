//! Half-quadratic quantization.

use super::{MinMax, Range};
use crate::{Grid, Scheme};

/// Moves the zero point, or where that is fixed the scale, to where most weights are nearly exact and a few are far off,
/// without any data: HQQ (Badri and Shaji 2023, *Half-Quadratic Quantization of Large Machine Learning Models*).
///
/// Minimizes Σ |w − ŵ|^p with p < 1 by alternating two steps with closed forms: the errors e that are let stand,
/// `sign(d) · max(|d| − |d|^(p−1) / β, 0)` of d = w − ŵ, and the zero point z = mean(q − (w − e) / s) for codes q; β grows. It
/// wants a zero point between the codes ([`ZeroPoint::Real`](crate::ZeroPoint::Real)); one that must be a code is rounded
/// to it. With zero in the middle, and with codebooks, the scale is fitted instead, s = ⟨w − e, l⟩ / ⟨l, l⟩ for the levels l
/// of the codes. It stops when the error grows, and gives the best grid it met, which is never worse than the one of
/// [`MinMax`] that it starts from. Errors are counted in steps, where the published code takes the weights as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hqq {
    power: f32,
    beta: f32,
    growth: f32,
    iterations: usize,
}

impl Default for Hqq {
    /// As published: p = 0.7, β = 10, growing by 1 % each of 20 iterations.
    fn default() -> Self {
        Self { power: 0.7, beta: 10.0, growth: 1.01, iterations: 20 }
    }
}

impl Hqq {
    /// With another number of iterations.
    pub fn with_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// Σ |w − ŵ|^p in units of the step of the whole range, so that the unit of the weights does not matter.
    fn error(&self, grid: &Grid, group: &[f32], step: f32) -> f64 {
        group.iter().map(|&w| f64::from(((w - grid.round(w)) / step).abs().powf(self.power))).sum()
    }

    /// What of an error is let stand.
    fn shrink(&self, off: f32, beta: f32) -> f32 {
        if off == 0.0 { 0.0 } else { off.signum() * (off.abs() - off.abs().powf(self.power - 1.0) / beta).max(0.0) }
    }

    /// The grid fitted to the codes that `grid` gives.
    fn step(&self, grid: &Grid, group: &[f32], scheme: &Scheme, beta: f32, unit: f32) -> Grid {
        let explained = |w: f32| w - unit * self.shrink((w - grid.round(w)) / unit, beta);
        let scale = grid.scale();
        if scheme.symmetric() {
            let level = |w: f32| f64::from(grid.round(w) / scale);
            let (mut along, mut norm) = (0.0, 0.0);
            for &w in group {
                along += f64::from(explained(w)) * level(w);
                norm += level(w) * level(w);
            }
            let fitted = if norm > 0.0 && along > 0.0 { (along / norm) as f32 } else { scale };
            return Grid::new(fitted, grid.zero(), scheme);
        }
        let zeros = group.iter().map(|&w| f64::from(f32::from(grid.code(w)) - explained(w) / scale));
        Grid::new(scale, (zeros.sum::<f64>() / group.len().max(1) as f64) as f32, scheme)
    }
}

impl Range for Hqq {
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid {
        let mut grid = MinMax.grid(group, scheme);
        let unit = grid.scale();
        if !unit.is_finite() {
            return grid;
        }
        let (mut best, mut least, mut beta) = (grid, self.error(&grid, group, unit), self.beta);
        for _ in 0..self.iterations {
            grid = self.step(&grid, group, scheme, beta, unit);
            let error = self.error(&grid, group, unit);
            if error >= least || error.is_nan() {
                break;
            }
            (best, least) = (grid, error);
            beta *= self.growth;
        }
        best
    }
}
