//! N of every M.

use super::key::{place, with_place};
use super::pieces::{BLOCK, Page, pages, ranges, step_of_groups};
use super::scores::Scores;
use super::{Bits, all_kept, clear};
use crate::{NofM, PruneError, Score, WeightRef};
use rayon::prelude::*;

/// The mask of one matrix in which the n smallest of every m consecutive inputs go; m divides the inputs.
pub(crate) fn groups(score: &dyn Score, weight: &WeightRef<'_>, pattern: NofM) -> Result<Bits, PruneError> {
    let mut masks = all_kept(weight.values.len(), 1);
    let pages = pages(weight.values.len(), step_of_groups(pattern.m()), &mut masks);
    let failed = pages.into_par_iter().find_map_first(|page| groups_of(score, weight, pattern, page).err());
    failed.map_or(Ok(masks.swap_remove(0)), Err)
}

/// The groups of one page, as many at a time as stay in the cache.
fn groups_of(score: &dyn Score, weight: &WeightRef<'_>, pattern: NofM, page: Page<'_>) -> Result<(), PruneError> {
    let (n, m) = (pattern.n(), pattern.m());
    let mut scores = Scores::default();
    for words in page.words {
        for block in ranges(page.range.len(), m * (BLOCK / m).max(1)) {
            let flat = page.range.start + block.start..page.range.start + block.end;
            let scores = scores.of(score, weight, flat)?;
            match m {
                4 => by_pairs::<4>(n, scores, block.start, words),
                8 => by_pairs::<8>(n, scores, block.start, words),
                16 => by_pairs::<16>(n, scores, block.start, words),
                _ => by_selection(n, m, scores, block.start, words),
            }
        }
    }
    Ok(())
}

/// Groups of a size that divides a word: compares all pairs of a group, without branches.
fn by_pairs<const M: usize>(n: usize, scores: &[f32], start: usize, words: &mut [u64]) {
    for (first, group) in (start..).step_by(M).zip(scores.as_chunks::<M>().0) {
        words[first / 64] &= !(smallest(n, group) << (first % 64));
    }
}

/// Bits of the `n` smallest scores of a group, the first of ties.
#[inline(always)]
fn smallest<const M: usize>(n: usize, group: &[f32; M]) -> u64 {
    let goes_before = |j: usize, i: usize| if j < i { group[j] <= group[i] } else { group[j] < group[i] };
    let rank = |i: usize| (0..M).map(|j| usize::from(j != i && goes_before(j, i))).sum::<usize>();
    (0..M).fold(0, |bits, i| bits | u64::from(rank(i) < n) << i)
}

/// Groups of any size.
fn by_selection(n: usize, m: usize, scores: &[f32], start: usize, words: &mut [u64]) {
    let mut order = Vec::with_capacity(m);
    for (first, group) in (start..).step_by(m).zip(scores.chunks(m)) {
        order.clear();
        order.extend(group.iter().enumerate().map(|(i, &s)| with_place(s, i)));
        order.select_nth_unstable(n - 1);
        order[..n].iter().for_each(|&entry| clear(words, first + place(entry)));
    }
}
