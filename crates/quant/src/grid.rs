//! The values that the codes of one group stand for.

use crate::codebook::Codebook;
use crate::scheme::stored_scale;
use crate::{Scheme, ZeroPoint};
use burn::tensor::quantization::ScaleDtype;
use burn::tensor::{bf16, f16};

/// The grid of one group: what its scheme's codes stand for with this scale and zero point, both as they will be stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    scale: f32,
    levels: Levels,
}

/// What a code stands for in units of the scale. Codes are small integers; as floats they need no conversion in the inner
/// loops.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Levels {
    /// `code − zero`, zero one of the codes.
    Integer { zero: f32, min_code: f32, max_code: f32 },
    /// `code − zero`, zero anywhere.
    Real { zero: f32, max_code: f32 },
    /// A table.
    Book(&'static Codebook),
}

impl Grid {
    /// The grid of a scale and a zero point as they were stored.
    pub(crate) fn stored(scale: f32, zero: f32, scheme: &Scheme) -> Self {
        let max_code = f32::from(scheme.max_code());
        let levels = match (scheme.codebook(), scheme.zero_point()) {
            (Some(book), _) => Levels::Book(book),
            (None, Some(ZeroPoint::Real)) => Levels::Real { zero, max_code },
            (None, _) => Levels::Integer { zero, min_code: scheme.min_code().into(), max_code },
        };
        Self { scale, levels }
    }

    /// A grid with the given step, in which `zero`, counted in codes, stands for 0. The scale becomes the next larger one
    /// that can be stored, infinite if it overflows; a zero point that must be a code the nearest one. Codebooks and
    /// symmetric schemes have zeros of their own.
    pub fn new(scale: f32, zero: f32, scheme: &Scheme) -> Self {
        let scale = stored_scale(scale, scheme.scales());
        let max_code = f32::from(scheme.max_code());
        let zero = match scheme.zero_point() {
            Some(ZeroPoint::Real) => stored_zero(zero, scheme.scales()),
            Some(ZeroPoint::Code) => nearest(zero).clamp(0.0, max_code),
            Some(ZeroPoint::Middle | ZeroPoint::Narrow) | None => (max_code + 1.0) / 2.0,
        };
        Self::stored(scale, zero, scheme)
    }

    /// The step between two values; of a codebook, what its values are multiplied by.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What stands for 0, in codes: a code, but for real zero points.
    pub fn zero(&self) -> f32 {
        match self.levels {
            Levels::Integer { zero, .. } | Levels::Real { zero, .. } => zero,
            Levels::Book(book) => book.zero().into(),
        }
    }

    /// The code nearest to `x`.
    #[inline]
    pub fn code(&self, x: f32) -> u8 {
        match self.levels {
            Levels::Integer { zero, min_code, max_code } => {
                as_code(nearest_integer(x / self.scale, zero, [min_code, max_code]))
            }
            Levels::Real { zero, max_code } => as_code(nearest_real(x / self.scale, zero, max_code)),
            Levels::Book(book) => book.code(x / self.scale),
        }
    }

    /// The value of a code.
    #[inline]
    pub fn value(&self, code: u8) -> f32 {
        match self.levels {
            Levels::Integer { zero, .. } | Levels::Real { zero, .. } => self.scale * (f32::from(code) - zero),
            Levels::Book(book) => self.scale * book.value(code),
        }
    }

    /// The grid value nearest to `x`: `value(code(x))`, without the way through an integer.
    #[inline]
    pub fn round(&self, x: f32) -> f32 {
        match self.levels {
            Levels::Integer { zero, min_code, max_code } => {
                self.scale * (nearest_integer(x / self.scale, zero, [min_code, max_code]) - zero)
            }
            Levels::Real { zero, max_code } => self.scale * (nearest_real(x / self.scale, zero, max_code) - zero),
            Levels::Book(book) => self.scale * book.value(book.code(x / self.scale)),
        }
    }

    /// [`code`](Self::code) of each weight.
    pub fn encode(&self, weights: &[f32], codes: &mut [u8]) {
        let pairs = codes.iter_mut().zip(weights);
        let scale = self.scale;
        // One loop for each kind of levels, so that each becomes vector code.
        match self.levels {
            Levels::Integer { zero, min_code, max_code } => {
                pairs.for_each(|(code, x)| *code = as_code(nearest_integer(x / scale, zero, [min_code, max_code])));
            }
            Levels::Real { zero, max_code } => {
                pairs.for_each(|(code, x)| *code = as_code(nearest_real(x / scale, zero, max_code)));
            }
            Levels::Book(book) => pairs.for_each(|(code, x)| *code = book.code(x / scale)),
        }
    }

    /// [`value`](Self::value) of each code.
    pub fn decode(&self, codes: &[u8], weights: &mut [f32]) {
        let pairs = weights.iter_mut().zip(codes);
        let scale = self.scale;
        match self.levels {
            Levels::Integer { zero, .. } | Levels::Real { zero, .. } => {
                pairs.for_each(|(weight, &code)| *weight = scale * (f32::from(code) - zero));
            }
            Levels::Book(book) => pairs.for_each(|(weight, &code)| *weight = scale * book.value(code)),
        }
    }

    /// [`round`](Self::round) of each weight.
    pub fn round_all(&self, weights: &[f32], rounded: &mut [f32]) {
        let pairs = rounded.iter_mut().zip(weights);
        let scale = self.scale;
        match self.levels {
            Levels::Integer { zero, min_code, max_code } => {
                pairs.for_each(|(r, x)| *r = scale * (nearest_integer(x / scale, zero, [min_code, max_code]) - zero));
            }
            Levels::Real { zero, max_code } => {
                pairs.for_each(|(r, x)| *r = scale * (nearest_real(x / scale, zero, max_code) - zero));
            }
            Levels::Book(book) => pairs.for_each(|(r, x)| *r = scale * book.value(book.code(x / scale))),
        }
    }
}

#[inline]
fn nearest_integer(x: f32, zero: f32, [min_code, max_code]: [f32; 2]) -> f32 {
    (nearest(x) + zero).clamp(min_code, max_code)
}

#[inline]
fn nearest_real(x: f32, zero: f32, max_code: f32) -> f32 {
    nearest(x + zero).clamp(0.0, max_code)
}

#[inline]
fn as_code(code: f32) -> u8 {
    // 2^23 + q has q in its lowest bits; `as u8` alone saturates, one weight at a time.
    (code + 8_388_608.0).to_bits() as u8
}

/// A zero point as it is stored beside scales of this type.
fn stored_zero(zero: f32, scales: ScaleDtype) -> f32 {
    match scales {
        ScaleDtype::F16 => f16::from_f32(zero).to_f32(),
        ScaleDtype::BF16 => bf16::from_f32(zero).to_f32(),
        ScaleDtype::F32 | ScaleDtype::UE8M0 | ScaleDtype::UE4M3 => zero,
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
