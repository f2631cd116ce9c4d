//! Integers that sort like floats.

/// The keys of one high digit: half of a key's bits.
pub const DIGITS: usize = 1 << 16;

/// `key(a) < key(b)` exactly if `a < b`; -0 and 0 share one. The argument is not NaN.
#[inline]
pub fn key(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    // Negative floats sort backwards by their bits: flip all of them. Positive ones come behind: flip the sign.
    bits ^ (((bits as i32 >> 31) as u32) | 0x8000_0000)
}

/// The float of a key.
pub fn score(key: u32) -> f32 {
    let positive = key >= 0x8000_0000;
    f32::from_bits(key ^ if positive { 0x8000_0000 } else { u32::MAX })
}

/// The high digit.
#[inline]
pub fn high(key: u32) -> usize {
    (key >> 16) as usize
}

/// The low digit.
#[inline]
pub fn low(key: u32) -> usize {
    (key & 0xffff) as usize
}

/// The key of two digits.
pub fn from_digits(high: usize, low: usize) -> u32 {
    (high as u32) << 16 | low as u32
}

/// A score and a place in one integer that sorts by score, then place.
#[inline]
pub fn with_place(score: f32, place: usize) -> u64 {
    u64::from(key(score)) << 32 | place as u64
}

/// The place in such an integer.
#[inline]
pub fn place(entry: u64) -> usize {
    entry as u32 as usize
}

/// Whether two such integers hold equal scores.
#[inline]
pub fn same_score(a: u64, b: u64) -> bool {
    a >> 32 == b >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_like_scores(a: f32, b: f32) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(key(a).cmp(&key(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(from_digits(high(key(a)), low(key(a))), key(a));
            prop_assert_eq!(score(key(a)), a);
            prop_assert_eq!(with_place(a, 7) <= with_place(b, 7), a <= b);
            prop_assert_eq!(place(with_place(a, 7)), 7);
        }
    }

    #[test]
    fn both_zeros_are_one_and_infinities_are_the_ends() {
        assert_eq!(key(-0.0), key(0.0));
        assert!(key(f32::NEG_INFINITY) < key(f32::MIN) && key(f32::MAX) < key(f32::INFINITY));
        assert!(key(f32::INFINITY) < u32::MAX, "a cut may lie behind the last key");
    }
}
