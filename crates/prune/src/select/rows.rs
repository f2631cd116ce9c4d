//! Every row for itself.

use super::key::{place, same_score, with_place};
use super::pieces::{Page, pages, ranges, step_of_groups};
use super::scores::Scores;
use super::{Bits, all_kept, clear};
use crate::{PruneError, Score, Ties, WeightRef};
use rayon::prelude::*;

/// In each row of a matrix the `count` weights with the smallest scores go, for each of `counts`; one mask per count.
pub(crate) fn rows(
    score: &dyn Score,
    weight: &WeightRef<'_>,
    counts: &[usize],
    ties: Ties,
) -> Result<Vec<Bits>, PruneError> {
    let mut masks = all_kept(weight.values.len(), counts.len());
    let pages = pages(weight.values.len(), step_of_groups(weight.d_in.max(1)), &mut masks);
    let failed = pages.into_par_iter().find_map_first(|page| rows_of(score, weight, counts, ties, page).err());
    failed.map_or(Ok(masks), Err)
}

/// The rows of one page.
fn rows_of(
    score: &dyn Score,
    weight: &WeightRef<'_>,
    counts: &[usize],
    ties: Ties,
    mut page: Page<'_>,
) -> Result<(), PruneError> {
    let mut scores = Scores::default();
    let mut order = Vec::with_capacity(weight.d_in);
    for row in ranges(page.range.len(), weight.d_in) {
        let flat = page.range.start + row.start..page.range.start + row.end;
        order.clear();
        order.extend(scores.of(score, weight, flat)?.iter().enumerate().map(|(i, &s)| with_place(s, i)));
        for (&count, words) in counts.iter().zip(&mut page.words).filter(|(count, _)| **count > 0) {
            order.select_nth_unstable(count - 1);
            let last = order[count - 1];
            let also = order[count..].iter().filter(|&&entry| ties == Ties::All && same_score(entry, last));
            for &entry in order[..count].iter().chain(also) {
                clear(words, row.start + place(entry));
            }
        }
    }
    Ok(())
}
