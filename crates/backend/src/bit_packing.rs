//! Codes of a few bits in 32-bit words, without gaps.
//!
//! Code `i` of a row lies in the bits from `i · bits` on, the lowest bits of a word first; a code may go on in the next word.
//! Every row begins a word. It is the layout of the `pack-quantized` checkpoints of compressed-tensors, on disk and in memory.

/// The words of a row of `len` codes.
pub fn words_of_row(len: usize, bits: u8) -> usize {
    // Rows of codes fit in memory with a byte each: their bits fit a usize.
    (len * usize::from(bits)).div_ceil(32)
}

/// Packs rows of `len` codes of `bits` bits, 1 to 8. Bits of a code above those are dropped.
///
/// # Panics
/// If `bits` is not 1 to 8.
pub fn pack_rows(codes: &[u8], len: usize, bits: u8) -> Vec<u32> {
    assert!((1..=8).contains(&bits), "codes of {bits} bits");
    let width = words_of_row(len, bits);
    let mut words = Vec::with_capacity(codes.len().checked_div(len).unwrap_or(0) * width);
    for row in codes.chunks(len.max(1)) {
        let (mut held, mut filled) = (0u64, 0u32);
        for &code in row {
            held |= u64::from(code & (u8::MAX >> (8 - bits))) << filled;
            filled += u32::from(bits);
            if filled >= 32 {
                words.push(held as u32);
                held >>= 32;
                filled -= 32;
            }
        }
        if filled > 0 {
            words.push(held as u32);
        }
    }
    words
}

/// Unpacks the first codes of a row, as many as `codes` takes.
///
/// # Panics
/// If `bits` is not 1 to 8, or the row has fewer codes.
pub fn unpack_row(words: &[u32], bits: u8, codes: &mut [u8]) {
    match bits {
        1 => unpack::<1>(words, codes),
        2 => unpack::<2>(words, codes),
        3 => unpack::<3>(words, codes),
        4 => unpack::<4>(words, codes),
        5 => unpack::<5>(words, codes),
        6 => unpack::<6>(words, codes),
        7 => unpack::<7>(words, codes),
        8 => unpack::<8>(words, codes),
        _ => panic!("codes of {bits} bits"),
    }
}

/// `BITS` words hold 32 codes: with both known the places are constants.
fn unpack<const BITS: usize>(words: &[u32], codes: &mut [u8]) {
    let (whole, rest) = codes.as_chunks_mut::<32>();
    let (words, last) = words.split_at(whole.len() * BITS);
    for (words, codes) in words.as_chunks::<BITS>().0.iter().zip(whole) {
        (0..32).for_each(|i| codes[i] = code::<BITS>(words, i));
    }
    rest.iter_mut().enumerate().for_each(|(i, rest)| *rest = code::<BITS>(last, i));
}

#[inline(always)]
fn code<const BITS: usize>(words: &[u32], i: usize) -> u8 {
    let (word, offset) = (i * BITS / 32, i * BITS % 32);
    let mut bits = words[word] >> offset;
    if offset + BITS > 32 {
        bits |= words[word + 1] << (32 - offset);
    }
    bits as u8 & (u8::MAX >> (8 - BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_come_back(bits in 1u8..=8, len in 1usize..100, rows in 0usize..4, seed: u64) {
            let codes: Vec<u8> = (0..rows * len).map(|i| (seed.rotate_left(i as u32 * 7) as u8) >> (8 - bits)).collect();
            let words = pack_rows(&codes, len, bits);
            let width = words_of_row(len, bits);
            prop_assert_eq!(words.len(), rows * width);
            for (words, codes) in words.chunks(width).zip(codes.chunks(len)) {
                let mut back = vec![0; len];
                unpack_row(words, bits, &mut back);
                prop_assert_eq!(&back, codes);
            }
        }
    }

    #[test]
    fn a_code_may_go_on_in_the_next_word() {
        // The eleventh code of three bits has its lowest two in the first word.
        let mut codes = [0; 11];
        codes[10] = 0b110;
        assert_eq!(pack_rows(&codes, 11, 3), [0b10 << 30, 0b1]);
        assert_eq!(pack_rows(&[1, 2, 3], 3, 4), [0x321]);
    }
}
