//! The values that the codes of one group stand for.

use crate::Scheme;

/// The uniform grid of one group: code `q` stands for `scale · (q − zero)`, `q` from 0 to 2^bits − 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    scale: f32,
    // Codes are small integers; as floats they need no conversion in the inner loops.
    zero: f32,
    max_code: f32,
}

impl Grid {
    /// A grid with the given step, in which the code `zero` stands for 0. A step below the smallest normal float is
    /// raised to it, and a zero point beyond the last code lowered to it.
    pub fn new(scale: f32, zero: u8, scheme: &Scheme) -> Self {
        let zero = zero.min(scheme.max_code());
        Self { scale: scale.max(f32::MIN_POSITIVE), zero: zero.into(), max_code: scheme.max_code().into() }
    }

    /// The step between two values.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The code that stands for 0.
    pub fn zero(&self) -> u8 {
        self.zero as u8
    }

    /// The code nearest to `x`.
    #[inline]
    pub fn code(&self, x: f32) -> u8 {
        // 2^23 + q has q in its lowest bits; `as u8` alone saturates, one weight at a time.
        (self.nearest_code(x) + 8_388_608.0).to_bits() as u8
    }

    /// The value of a code.
    #[inline]
    pub fn value(&self, code: u8) -> f32 {
        self.scale * (f32::from(code) - self.zero)
    }

    /// The grid value nearest to `x`: `value(code(x))`, without the way through an integer.
    #[inline]
    pub fn round(&self, x: f32) -> f32 {
        self.scale * (self.nearest_code(x) - self.zero)
    }

    #[inline]
    fn nearest_code(&self, x: f32) -> f32 {
        (nearest(x / self.scale) + self.zero).clamp(0.0, self.max_code)
    }
}

/// The integer nearest to `x`, ties to even, for |x| < 2^22; beyond that within one of it, which a grid clamps away.
///
/// Adding 1.5 · 2^23 leaves no bits for a fraction, so the addition itself rounds. `f32::round_ties_even` is a function
/// call on x86-64 without SSE4.1 and would keep the loops from being vectorized.
#[inline]
pub(crate) fn nearest(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nearest_rounds_ties_to_even(x in -4_000_000.0f32..4_000_000.0, halves in -4000i32..4000) {
            prop_assert_eq!(nearest(x), x.round_ties_even());
            let half = halves as f32 / 2.0;
            prop_assert_eq!(nearest(half), half.round_ties_even());
        }
    }
}
