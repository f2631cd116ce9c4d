//! Which values the codes of a group reach.

mod hqq;
mod least_error;

pub use hqq::Hqq;
pub use least_error::LeastError;

use crate::{Grid, Scheme};

/// Chooses the grid of each group from its weights.
pub trait Range: Sync {
    /// The grid of one group of finite weights.
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid;
}

impl<R: Range + ?Sized> Range for &R {
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid {
        (**self).grid(group, scheme)
    }
}

/// From the smallest to the largest weight and always over zero, so that zero keeps a code of its own: the range of the
/// GPTQ authors (Frantar et al. 2022, arXiv 2210.17323).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MinMax;

impl Range for MinMax {
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid {
        let (low, high) = min_max(group);
        scheme.grid_over(low, high)
    }
}

/// The smallest and the largest of the values and 0.
pub(crate) fn min_max(values: &[f32]) -> (f32, f32) {
    // Independent lanes, and comparisons instead of `f32::min` with its rule for NaN: both let this become vector code.
    const LANES: usize = 16;
    let (mut low, mut high) = ([0.0; LANES], [0.0; LANES]);
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            low[lane] = smaller(chunk[lane], low[lane]);
            high[lane] = larger(chunk[lane], high[lane]);
        }
    }
    let low = low.iter().chain(rest).copied().fold(0.0, smaller);
    let high = high.iter().chain(rest).copied().fold(0.0, larger);
    (low, high)
}

#[inline]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
