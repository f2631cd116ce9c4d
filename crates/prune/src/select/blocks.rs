//! Blocks, as the weights of a smaller matrix.

use super::pieces::{PIECE, pages, ranges, step_of_groups};
use super::scores::Scores;
use super::{Bits, all_kept};
use crate::{PruneError, Score, WeightRef};
use rayon::prelude::*;
use std::ops::Range;

/// The blocks of one weight matrix with the means of their weights' scores.
pub(crate) struct Blocks {
    /// Outputs of a block.
    height: usize,
    /// Inputs of a block.
    width: usize,
    /// Blocks below one another.
    down: usize,
    /// Blocks side by side.
    across: usize,
    /// `[down, across]`, row-major.
    means: Vec<f32>,
}

impl Blocks {
    /// Blocks of `height` outputs and `width` inputs, which divide those of the weight.
    pub fn of(score: &dyn Score, weight: &WeightRef<'_>, [height, width]: [usize; 2]) -> Result<Self, PruneError> {
        let (down, across) = (weight.d_out / height, weight.d_in / width);
        let rows = |strip: usize| strip * height..(strip + 1) * height;
        let means: Vec<_> = (0..down).into_par_iter().map(|strip| means(score, weight, rows(strip), width)).collect();
        let means = means.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Self { height, width, down, across, means })
    }

    /// As a matrix of one weight per block, to be ranked by [`BLOCK_MEANS`](super::BLOCK_MEANS).
    pub fn as_weight<'a>(&'a self, path: &'a str) -> WeightRef<'a> {
        WeightRef { path, d_out: self.down, d_in: self.across, values: &self.means }
    }

    /// Bits of weights from bits of blocks.
    pub fn spread(&self, blocks: &[u64]) -> Bits {
        let d_in = self.across * self.width;
        let weights = self.down * self.height * d_in;
        let goes = |block: usize| blocks[block / 64] >> (block % 64) & 1 == 0;
        let mut masks = all_kept(weights, 1);
        pages(weights, step_of_groups(d_in.max(1)), &mut masks).into_par_iter().for_each(|page| {
            for words in page.words {
                for row in ranges(page.range.len(), d_in) {
                    let strip = (page.range.start + row.start) / d_in / self.height;
                    for block in (0..self.across).filter(|block| goes(strip * self.across + block)) {
                        let start = row.start + block * self.width;
                        clear_range(words, start..start + self.width);
                    }
                }
            }
        });
        masks.swap_remove(0)
    }
}

/// The means of the blocks of one strip, `rows` high.
fn means(score: &dyn Score, weight: &WeightRef<'_>, rows: Range<usize>, width: usize) -> Result<Vec<f32>, PruneError> {
    // A strip may be the whole matrix. It is added up in runs of rows that depend on its shape alone, and these in order: the
    // same sum for every number of threads.
    let runs: Vec<_> = ranges(rows.len(), (PIECE / weight.d_in.max(1)).max(1)).collect();
    let run = |run: Range<usize>| sums(score, weight, rows.start + run.start..rows.start + run.end, width);
    let runs: Vec<_> = runs.into_par_iter().map(run).collect();
    let mut total = vec![0.0; weight.d_in / width];
    for run in runs {
        total.iter_mut().zip(run?).for_each(|(total, sum)| *total += sum);
    }
    let weights = (rows.len() * width) as f64;
    total
        .into_iter()
        .enumerate()
        .map(|(block, sum)| mean(score, weight, sum / weights, [rows.start, block * width]))
        .collect()
}

/// For each block of a strip, the sum over some of its rows.
fn sums(score: &dyn Score, weight: &WeightRef<'_>, rows: Range<usize>, width: usize) -> Result<Vec<f64>, PruneError> {
    let mut scores = Scores::default();
    let mut sums = vec![0.0; weight.d_in / width];
    for row in rows {
        let row = scores.of(score, weight, row * weight.d_in..(row + 1) * weight.d_in)?;
        for (sum, block) in sums.iter_mut().zip(row.chunks(width)) {
            *sum += block.iter().map(|&score| f64::from(score)).sum::<f64>();
        }
    }
    Ok(sums)
}

/// A mean that has a rank: one of infinities of both signs has none, and an infinite one ranks with the largest float, for what
/// lies in a matrix is finite.
fn mean(score: &dyn Score, weight: &WeightRef<'_>, mean: f64, [output, input]: [usize; 2]) -> Result<f32, PruneError> {
    if mean.is_nan() {
        return Err(PruneError::ScoreIsNaN { score: score.name(), path: weight.path.into(), output, input });
    }
    Ok((mean as f32).clamp(f32::MIN, f32::MAX))
}

/// Removes neighbouring weights.
fn clear_range(words: &mut [u64], range: Range<usize>) {
    let first = range.start / 64;
    for (word, place) in words[first..range.end.div_ceil(64)].iter_mut().zip(first..) {
        let (from, to) = (range.start.max(place * 64) % 64, range.end.min(place * 64 + 64) - place * 64);
        *word &= !(u64::MAX >> (64 - (to - from)) << from);
    }
}

#[cfg(test)]
mod tests {
    use super::super::BLOCK_MEANS;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_are_cleared_and_nothing_else(start in 0usize..200, len in 1usize..200) {
            let mut words = vec![u64::MAX; 7];
            clear_range(&mut words, start..start + len);
            for i in 0..448 {
                prop_assert_eq!(words[i / 64] >> (i % 64) & 1 == 0, (start..start + len).contains(&i), "{}", i);
            }
        }
    }

    #[test]
    fn infinite_means_rank_last_and_two_infinities_not_at_all() {
        let weight = WeightRef { path: "w", d_out: 1, d_in: 2, values: &[0.0; 2] };
        assert_eq!(mean(&BLOCK_MEANS, &weight, f64::INFINITY, [0, 0]).unwrap(), f32::MAX);
        assert_eq!(mean(&BLOCK_MEANS, &weight, f64::NEG_INFINITY, [0, 0]).unwrap(), f32::MIN);
        assert!(matches!(mean(&BLOCK_MEANS, &weight, f64::NAN, [0, 0]), Err(PruneError::ScoreIsNaN { .. })));
    }
}
