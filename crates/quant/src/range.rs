//! Which values the codes of a group reach.

use crate::grid::nearest;
use crate::{Grid, Scheme};

/// Chooses the grid of each group from its weights.
pub trait Range: Sync {
    /// The grid of one group of finite weights.
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid;
}

/// From the smallest to the largest weight and always over zero, so that zero keeps a code of its own: the range of the
/// GPTQ authors (Frantar et al. 2022, arXiv 2210.17323).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MinMax;

impl Range for MinMax {
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid {
        let max_code = f32::from(scheme.max_code());
        let (low, high) = match min_max(group) {
            // No weight but zero: any grid holds it exactly.
            (0.0, 0.0) => (-1.0, 1.0),
            // The authors leave the low end at 0 where no weight is negative. Their zero point is the middle code all
            // the same, which clips everything above half of the largest weight; small groups meet that often.
            (low, high) if scheme.symmetric() => (-high.max(-low), high.max(-low)),
            range => range,
        };
        // A range of a few subnormals has no step of its own.
        let scale = ((high - low) / max_code).max(f32::MIN_POSITIVE);
        let zero = if scheme.symmetric() { (max_code + 1.0) / 2.0 } else { nearest(-low / scale) };
        Grid::new(scale, zero as u8, scheme)
    }
}

/// The smallest and the largest of the values and 0.
fn min_max(values: &[f32]) -> (f32, f32) {
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
