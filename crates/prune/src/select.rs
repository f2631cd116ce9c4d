//! From scores to bits: which weights stay.
//!
//! Scores become integer keys that sort alike, and the key at a rank is found by counting (Hoare's selection with two digits
//! of 16 bits), so ranking is linear in the number of weights, runs on all cores, and stores neither scores nor keys. Ties
//! are resolved by position: of weights with equal scores the one that comes first in the module, and in a matrix
//! `[d_out, d_in]` the one with the lowest flat index, goes first. A mask is therefore a function of the weights alone, and
//! the mask at a higher sparsity contains that at a lower one.

mod blocks;
mod cut;
mod emit;
mod groups;
mod key;
mod pieces;
mod rows;
mod scores;

use crate::score::Given;
use crate::{NofM, PruneError, Score, Ties, WeightRef};
#[cfg(feature = "calibration")]
use crate::{Scope, Target};
use pieces::pieces;
use rayon::prelude::*;
use scores::Scores;

pub(crate) use blocks::Blocks;
pub(crate) use groups::groups;
pub(crate) use rows::rows;

/// Ranks what [`Blocks::as_weight`] gives.
pub(crate) const BLOCK_MEANS: Given = Given("mean of a block");

/// One bit per weight of a matrix, 64 to a word, lowest bit first; 1 stays. Bits beyond the last weight are 0.
pub(crate) type Bits = Vec<u64>;

/// Of all `weights` together, the `count` with the smallest scores go, for each of `counts`, with `ties` as asked;
/// `[weight][count]`.
pub(crate) fn smallest(
    score: &dyn Score,
    weights: &[WeightRef<'_>],
    counts: &[usize],
    ties: Ties,
) -> Result<Vec<Vec<Bits>>, PruneError> {
    let cuts = cut::cuts(score, weights, counts, ties)?;
    let mut bits: Vec<Vec<Bits>> = weights.iter().map(|w| all_kept(w.values.len(), counts.len())).collect();
    emit::emit(score, weights, &cuts, &mut bits)?;
    Ok(bits)
}

/// The mask of one matrix; nothing outside of it competes.
#[cfg(feature = "calibration")]
pub(crate) fn of_one(
    score: &dyn Score,
    weight: &WeightRef<'_>,
    target: Target,
    scope: Scope,
    ties: Ties,
) -> Result<Bits, PruneError> {
    let count = |sparsity, of| [ties.count(sparsity, of)];
    let mut masks = match (target, scope) {
        (Target::NofM(pattern), _) => {
            check_groups(weight, pattern)?;
            return groups(score, weight, pattern);
        }
        (Target::Blocks { shape, .. }, Scope::Row) => return Err(PruneError::BlocksInRows { shape }),
        (Target::Blocks { shape, sparsity }, Scope::Layer | Scope::Global) => {
            let blocks = Blocks::of(score, weight, shape.within(weight)?)?;
            let ranked = blocks.as_weight(weight.path);
            let counts = count(sparsity, ranked.values.len());
            let bits = smallest(&BLOCK_MEANS, &[ranked], &counts, ties)?;
            bits.into_iter().flatten().map(|bits| blocks.spread(&bits)).collect()
        }
        (Target::Unstructured(sparsity), Scope::Row) => rows(score, weight, &count(sparsity, weight.d_in), ties)?,
        (Target::Unstructured(sparsity), Scope::Layer | Scope::Global) => {
            let one = std::slice::from_ref(weight);
            smallest(score, one, &count(sparsity, weight.values.len()), ties)?.into_iter().flatten().collect()
        }
    };
    Ok(masks.pop().unwrap_or_default())
}

/// Whether M divides the inputs.
pub(crate) fn check_groups(weight: &WeightRef<'_>, pattern: NofM) -> Result<(), PruneError> {
    let (n, m, d_in) = (pattern.n(), pattern.m(), weight.d_in);
    match d_in.is_multiple_of(m) {
        true => Ok(()),
        false => Err(PruneError::IndivisibleInputs { path: weight.path.into(), d_in, n, m }),
    }
}

/// For each of `weights` the sum of what `of` makes of its index and a few scores at a time; the same for every number of
/// threads.
pub(crate) fn sums(
    score: &dyn Score,
    weights: &[WeightRef<'_>],
    of: impl Fn(usize, &[f32]) -> f64 + Sync,
) -> Result<Vec<f64>, PruneError> {
    let pieces = pieces(weights);
    let sum = |piece: &pieces::Piece| {
        let mut sum = 0.0;
        let add = |_, scores: &[f32]| sum += of(piece.weight, scores);
        Scores::default().each_block(score, &weights[piece.weight], &piece.range, add).map(|()| sum)
    };
    let of_pieces: Vec<_> = pieces.par_iter().map(sum).collect();
    let mut sums = vec![0.0; weights.len()];
    for (piece, sum) in pieces.iter().zip(of_pieces) {
        sums[piece.weight] += sum?;
    }
    Ok(sums)
}

/// `masks` masks of `weights` weights each, with everything kept.
pub(crate) fn all_kept(weights: usize, masks: usize) -> Vec<Bits> {
    let mut bits = vec![u64::MAX; weights.div_ceil(64)];
    if let Some(last) = bits.last_mut() {
        *last = tail(weights);
    }
    vec![bits; masks]
}

/// The bits in use in the last word of `weights` weights.
pub(crate) fn tail(weights: usize) -> u64 {
    match weights % 64 {
        0 => u64::MAX,
        used => (1 << used) - 1,
    }
}

/// Removes one weight.
fn clear(words: &mut [u64], index: usize) {
    words[index / 64] &= !(1 << (index % 64));
}

/// The first error in order, so that the same module always gives the same message.
fn first_error<T: Sync>(items: &[T], check: impl Fn(&T) -> Result<(), PruneError> + Sync) -> Option<PruneError> {
    items.par_iter().find_map_first(|item| check(item).err())
}
