//! From cuts to bits.

use super::cut::Cut;
use super::pieces::{PIECE, Page, pages};
use super::scores::Scores;
use super::{Bits, clear};
use crate::{PruneError, Score, WeightRef};
use rayon::prelude::*;

/// Writes one mask per cut, `[weight][cut]`; `bits` keep everything before.
///
/// One pass compares with the cuts and counts ties. The ties that go are the first ones, so which pieces hold them
/// is known then, and only those are read again.
pub fn emit(
    score: &dyn Score,
    weights: &[WeightRef<'_>],
    cuts: &[Cut],
    bits: &mut [Vec<Bits>],
) -> Result<(), PruneError> {
    let mut pages: Vec<(&WeightRef<'_>, Page<'_>)> = Vec::new();
    for (weight, masks) in weights.iter().zip(bits) {
        pages.extend(self::pages(weight.values.len(), PIECE, masks).into_iter().map(|page| (weight, page)));
    }
    let ties: Vec<Result<Vec<u64>, PruneError>> =
        pages.par_iter_mut().map(|(weight, page)| below(score, weight, cuts, page)).collect();
    let ties = ties.into_iter().collect::<Result<Vec<_>, _>>()?;
    pages
        .par_iter_mut()
        .zip(shares(cuts, ties))
        .filter(|(_, share)| share.iter().any(|&ties| ties > 0))
        .try_for_each(|((weight, page), share)| first_ties(score, weight, cuts, page, share))
}

/// Removes what lies below each cut and counts what lies on it.
fn below(score: &dyn Score, weight: &WeightRef<'_>, cuts: &[Cut], page: &mut Page<'_>) -> Result<Vec<u64>, PruneError> {
    let mut ties = vec![0; cuts.len()];
    let Page { range, words } = page;
    Scores::default().each_block(score, weight, range, |start, scores| {
        for ((cut, words), ties) in cuts.iter().zip(words.iter_mut()).zip(&mut ties) {
            keep_from(cut.score, scores, &mut words[start / 64..]);
            if cut.ties > 0 {
                *ties += u64::from(scores.iter().map(|&s| u32::from(s == cut.score)).sum::<u32>());
            }
        }
    })?;
    Ok(ties)
}

/// Of the ties in each page, how many go: the first ones, page after page, until there are enough.
fn shares(cuts: &[Cut], mut ties: Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    let mut left: Vec<u64> = cuts.iter().map(|cut| cut.ties).collect();
    for page in &mut ties {
        for (left, here) in left.iter_mut().zip(page) {
            *here = (*here).min(*left);
            *left -= *here;
        }
    }
    ties
}

/// Removes the first `share` ties of a page.
fn first_ties(
    score: &dyn Score,
    weight: &WeightRef<'_>,
    cuts: &[Cut],
    page: &mut Page<'_>,
    mut share: Vec<u64>,
) -> Result<(), PruneError> {
    let Page { range, words } = page;
    Scores::default().each_block(score, weight, range, |start, scores| {
        for ((cut, words), share) in cuts.iter().zip(words.iter_mut()).zip(&mut share) {
            let ties = scores.iter().enumerate().filter(|&(_, &s)| s == cut.score).take(*share as usize);
            for (i, _) in ties {
                clear(words, start + i);
                *share -= 1;
            }
        }
    })
}

/// Sets each word to the bits of 64 scores that are at least `cut`.
fn keep_from(cut: f32, scores: &[f32], words: &mut [u64]) {
    let (full, rest) = scores.as_chunks::<64>();
    for (word, scores) in words.iter_mut().zip(full) {
        *word = at_least(cut, scores);
    }
    if let Some(word) = words.get_mut(full.len()).filter(|_| !rest.is_empty()) {
        let mut scores = [0.0; 64];
        scores[..rest.len()].copy_from_slice(rest);
        *word &= at_least(cut, &scores); // its unused bits are 0 already
    }
}

/// One bit per score. Comparing into bytes and gathering eight bytes with a product is what compilers turn into vectors.
#[inline]
fn at_least(cut: f32, scores: &[f32; 64]) -> u64 {
    let mut flags = [0u8; 64];
    for (flag, &score) in flags.iter_mut().zip(scores) {
        *flag = u8::from(score >= cut);
    }
    let mut word = 0;
    for (i, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        // Byte k of the factor moves flag k to bit 56 + k; no two products meet.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (8 * i);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_hold_one_comparison_per_bit(scores in proptest::collection::vec(-3i8..3, 0..200), cut in -4i8..4) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let cut = f32::from(cut);
            let mut words = super::super::all_kept(scores.len(), 1).remove(0);
            keep_from(cut, &scores, &mut words);
            for (i, &score) in scores.iter().enumerate() {
                prop_assert_eq!(words[i / 64] >> (i % 64) & 1 == 1, score >= cut);
            }
            let kept: u32 = words.iter().map(|word| word.count_ones()).sum();
            prop_assert_eq!(kept as usize, scores.iter().filter(|&&s| s >= cut).count());
        }
    }
}
