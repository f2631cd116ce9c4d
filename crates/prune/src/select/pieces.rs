//! What one thread does at a time.

use super::Bits;
use crate::WeightRef;
use std::ops::Range;

/// Weights a thread reads before it takes the next piece; whole words of a mask.
pub const PIECE: usize = 1 << 16;

/// Weights that are scored at once: they and their scores stay in the first-level cache. Whole words of a mask.
pub const BLOCK: usize = 1 << 11;

/// A piece of one weight matrix, by flat indices.
pub struct Piece {
    pub weight: usize,
    pub range: Range<usize>,
}

/// All weights in order, `PIECE` at a time.
pub fn pieces(weights: &[WeightRef<'_>]) -> Vec<Piece> {
    let of =
        |(weight, w): (usize, &WeightRef<'_>)| ranges(w.values.len(), PIECE).map(move |range| Piece { weight, range });
    weights.iter().enumerate().flat_map(of).collect()
}

/// A piece of one weight matrix together with its words in each of several masks.
pub struct Page<'a> {
    pub range: Range<usize>,
    pub words: Vec<&'a mut [u64]>,
}

/// `masks` of one matrix of `weights` weights, `step` weights at a time; a step is whole words.
pub fn pages(weights: usize, step: usize, masks: &mut [Bits]) -> Vec<Page<'_>> {
    let mut words: Vec<_> = masks.iter_mut().map(|bits| bits.chunks_mut(step / 64)).collect();
    let page = |range| Page { range, words: words.iter_mut().filter_map(Iterator::next).collect() };
    ranges(weights, step).map(page).collect()
}

/// The smallest number of weights, near `PIECE`, that is whole words of a mask and whole groups of `group` weights.
pub fn step_of_groups(group: usize) -> usize {
    let both = group / gcd(group, 64) * 64;
    both * (PIECE / both).max(1)
}

/// `0..len` cut into steps.
pub fn ranges(len: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(step).map(move |start| start..(start + step).min(len))
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_words_and_whole_groups() {
        for group in [1, 3, 4, 64, 576, 1000, 4097, 100_000] {
            let step = step_of_groups(group);
            assert!(step > 0 && step.is_multiple_of(64) && step.is_multiple_of(group), "{group}: {step}");
        }
    }
}
