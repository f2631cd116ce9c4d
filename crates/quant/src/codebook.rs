//! Codes whose values are not evenly spaced.

/// Sixteen values between -1 and 1 times the largest weight of a group.
#[derive(Debug, PartialEq)]
pub struct Codebook {
    /// The value of each code.
    values: [f32; 16],
    /// The codes in the order of their values; one value that is zero twice is there once.
    ordered: &'static [u8],
    /// Halfway between two neighbours in that order.
    borders: [f32; 15],
}

/// 4-bit normal float: the quantiles of a normal distribution between -1 and 1, with an exact zero (Dettmers et al. 2023,
/// *QLoRA*, arXiv 2305.14314, appendix E).
pub(crate) static NF4: Codebook = Codebook::new(
    [
        -1.0,
        -0.696_192_8,
        -0.525_073_05,
        -0.394_917_5,
        -0.284_441_38,
        -0.184_773_43,
        -0.091_050_036,
        0.0,
        0.079_580_3,
        0.160_930_2,
        0.246_112_3,
        0.337_915_24,
        0.440_709_83,
        0.562_617,
        0.722_956_84,
        1.0,
    ],
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
);

/// 4-bit floats with two bits of exponent and one of mantissa, as their bits (E2M1 of the Open Compute Project's
/// *Microscaling Formats Specification* 1.0, 2023, section 5.3.3). Code 8, negative zero, is read and never written.
pub(crate) static FP4: Codebook = Codebook::new(
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0],
    &[15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7],
);

impl Codebook {
    const fn new(values: [f32; 16], ordered: &'static [u8]) -> Self {
        // Beyond the last border nothing is.
        let mut borders = [f32::INFINITY; 15];
        let mut i = 0;
        while i + 1 < ordered.len() {
            borders[i] = (values[ordered[i] as usize] + values[ordered[i + 1] as usize]) / 2.0;
            i += 1;
        }
        Self { values, ordered, borders }
    }

    /// The largest value.
    pub(crate) fn largest(&self) -> f32 {
        self.values[usize::from(self.ordered[self.ordered.len() - 1])]
    }

    /// The code that stands for 0.
    pub(crate) fn zero(&self) -> u8 {
        self.code(0.0)
    }

    /// The value of a code; only its lowest four bits count.
    #[inline]
    pub(crate) fn value(&self, code: u8) -> f32 {
        self.values[usize::from(code & 15)]
    }

    /// The code whose value is nearest to `x`, of two the smaller.
    #[inline]
    pub(crate) fn code(&self, x: f32) -> u8 {
        // Fifteen comparisons without a branch: no search is faster at this size.
        let below: usize = self.borders.iter().map(|&border| usize::from(x > border)).sum();
        self.ordered[below.min(self.ordered.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_other_code_is_nearer(x in -8.0f32..8.0) {
            for book in [&NF4, &FP4] {
                let distance = |code: u8| (book.value(code) - x).abs();
                let nearest = (0..16).map(distance).fold(f32::INFINITY, f32::min);
                prop_assert_eq!(distance(book.code(x)), nearest);
            }
        }
    }

    #[test]
    fn values_are_their_own_codes_and_zero_is_exact() {
        for book in [&NF4, &FP4] {
            assert_eq!(book.value(book.zero()), 0.0);
            for &code in book.ordered {
                assert_eq!(book.code(book.value(code)), code);
            }
            assert!(book.ordered.windows(2).all(|pair| book.value(pair[0]) < book.value(pair[1])));
        }
    }
}
