//! The score at a rank, by counting digits.

use super::first_error;
use super::key::{DIGITS, from_digits, high, key, low, score};
use super::pieces::{Piece, pieces};
use super::scores::Scores;
use crate::{PruneError, Score, Ties, WeightRef};
use rayon::prelude::*;

/// Where a ranking is cut: weights with a score of at least `score` stay, but of those at it the first `ties` go. NaN, which
/// lies behind infinity, removes everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    pub score: f32,
    pub ties: u64,
}

impl Cut {
    /// Everything stays.
    const NOTHING: Self = Self { score: f32::NEG_INFINITY, ties: 0 };
}

/// For each count, the cut that removes exactly that many weights, or with all ties also those that tie with the last.
///
/// Ranks once for all counts: one pass counts the high digits of the scores' keys, a second the low digits of those that
/// share the high digit of a wanted rank.
pub fn cuts(by: &dyn Score, weights: &[WeightRef<'_>], counts: &[usize], ties: Ties) -> Result<Vec<Cut>, PruneError> {
    let pieces = pieces(weights);
    let read = |piece: &Piece, each: &mut dyn FnMut(&[f32])| {
        Scores::default().each_block(by, &weights[piece.weight], &piece.range, |_, scores| each(scores))
    };
    let in_order = |error| first_error(&pieces, |piece| read(piece, &mut |_| ())).unwrap_or(error);

    let coarse = histogram(&pieces, DIGITS, |bins, piece| read(piece, &mut |scores| count_high(bins, scores)));
    let coarse = coarse.map_err(in_order)?;
    let ranks: Vec<Option<Rank>> = counts.iter().map(|&count| Rank::find(&coarse, count)).collect();
    let mut digits: Vec<usize> = ranks.iter().flatten().map(|rank| rank.high).collect();
    digits.sort_unstable();
    digits.dedup();
    if digits.is_empty() {
        return Ok(vec![Cut::NOTHING; counts.len()]);
    }
    let fine = histogram(&pieces, digits.len() * DIGITS, |bins, piece| {
        read(piece, &mut |scores| count_low(bins, &digits, scores))
    });
    let fine = fine.map_err(in_order)?;
    let cut = |rank: &Rank| rank.cut(&digits, &fine, ties).unwrap_or(Cut::NOTHING);
    Ok(ranks.iter().map(|rank| rank.as_ref().map_or(Cut::NOTHING, cut)).collect())
}

/// Where a rank lies after the first pass.
struct Rank {
    /// The high digit of the weight with this rank.
    high: usize,
    /// Its rank among the weights with this high digit, from 1.
    within: u64,
}

impl Rank {
    /// The last of the `count` weights with the smallest scores.
    fn find(coarse: &[u64], count: usize) -> Option<Self> {
        let (high, within) = position(coarse, count as u64)?;
        Some(Self { high, within })
    }

    /// The cut behind this weight, given the low digits of the weights with these high digits.
    fn cut(&self, digits: &[usize], fine: &[u64], of_equals: Ties) -> Option<Cut> {
        let slot = digits.binary_search(&self.high).ok()?;
        let fine = &fine[slot * DIGITS..(slot + 1) * DIGITS];
        let (low, ties) = position(fine, self.within)?;
        let key = from_digits(self.high, low);
        // If all ties go, cut behind them, and nobody needs to count them.
        Some(if of_equals == Ties::All || ties == fine[low] {
            Cut { score: score(key + 1), ties: 0 }
        } else {
            Cut { score: score(key), ties }
        })
    }
}

/// The bin that holds the `rank`-th weight, from 1, and its rank in the bin; none for rank 0.
fn position(histogram: &[u64], rank: u64) -> Option<(usize, u64)> {
    let mut left = rank;
    for (bin, &here) in histogram.iter().enumerate() {
        if left > 0 && left <= here {
            return Some((bin, left));
        }
        left -= here.min(left);
    }
    None
}

fn count_high(bins: &mut [u64], scores: &[f32]) {
    let Some(bins) = bins.first_chunk_mut::<DIGITS>() else { return };
    let mut keys = [0; 64]; // the compiler makes vectors of keys, not of counts
    for scores in scores.chunks(64) {
        keys.iter_mut().zip(scores).for_each(|(k, &s)| *k = key(s));
        keys[..scores.len()].iter().for_each(|&k| bins[high(k)] += 1);
    }
}

/// Counts the low digits of the scores with each of the high digits, one histogram after the other.
fn count_low(bins: &mut [u64], digits: &[usize], scores: &[f32]) {
    for (bins, &digit) in bins.chunks_mut(DIGITS).zip(digits) {
        // The last digit of either sign goes on beyond infinity, where floats are NaN: `max` and `min` drop that.
        let first = score(from_digits(digit, 0)).max(f32::NEG_INFINITY);
        let last = score(from_digits(digit, DIGITS - 1)).min(f32::INFINITY);
        for scores in scores.chunks(16) {
            // Few scores have this digit: look at 16 at once first.
            let any = scores.iter().fold(false, |any, s| any | ((*s >= first) & (*s <= last)));
            if any {
                let keys = scores.iter().map(|&s| key(s)).filter(|&k| high(k) == digit);
                keys.for_each(|k| bins[low(k)] += 1);
            }
        }
    }
}

/// One histogram over all pieces: each thread counts in its own, then they are added.
fn histogram(
    pieces: &[Piece],
    bins: usize,
    count: impl Fn(&mut [u64], &Piece) -> Result<(), PruneError> + Sync,
) -> Result<Vec<u64>, PruneError> {
    pieces
        .par_iter()
        .try_fold(
            || vec![0; bins],
            |mut counts, piece| {
                count(&mut counts, piece)?;
                Ok(counts)
            },
        )
        .try_reduce(Vec::new, |a, b| Ok(add(a, b)))
}

/// The sum of two histograms; one without bins is zero.
fn add(mut a: Vec<u64>, b: Vec<u64>) -> Vec<u64> {
    if a.is_empty() {
        return b;
    }
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    /// Scores as they are given.
    struct Itself;

    impl Score for Itself {
        fn name(&self) -> &'static str {
            "itself"
        }

        fn score(&self, w: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
            // Two finite weights stand for infinite scores.
            let score = |v: f32| if v.abs() == f32::MAX { v * 2.0 } else { v };
            scores.iter_mut().zip(&w.values[range]).for_each(|(s, &v)| *s = score(v));
            Ok(())
        }
    }

    #[test]
    fn cuts_at_the_rank_whatever_the_signs() {
        let most = f32::MAX;
        let values = [3.0, -1.0, -0.0, 2.0, -1.0, 0.0, most, -1e-45, -most, 1e-45, -3.0, most];
        let weight = WeightRef { path: "w", d_out: 1, d_in: values.len(), values: &values };
        let mut sorted = vec![0.0; values.len()];
        Itself.score(&weight, 0..values.len(), &mut sorted).unwrap();
        sorted.sort_by_key(|&s| key(s));
        for count in 0..=values.len() {
            let cut = cuts(&Itself, &[weight], &[count], Ties::Exact).unwrap()[0];
            let kept = sorted.iter().filter(|&&s| s >= cut.score).count();
            assert_eq!(kept, values.len() - count + cut.ties as usize, "{count}: {cut:?}");
            let tied = sorted.iter().filter(|&&s| s == cut.score).count();
            assert!(cut.ties == 0 || cut.ties < tied as u64, "{count}: {cut:?}");
        }
    }

    #[test]
    fn nothing_has_no_ranks() {
        assert_eq!(cuts(&Itself, &[], &[0], Ties::Exact).unwrap(), [Cut::NOTHING]);
    }
}
