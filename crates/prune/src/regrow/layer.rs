//! Drop and grow in one layer, each a selection of the smallest by a score.

use crate::schedule::keeps;
use crate::select::{self, Bits, all_kept};
use crate::{LayerMask, Magnitude, PruneError, Score, Ties, WeightRef};
use std::ops::Range;

/// The mask of a layer after one update.
pub fn moved(
    weight: &WeightRef<'_>,
    layer: &LayerMask,
    fraction: f64,
    grow: &dyn Score,
) -> Result<LayerMask, PruneError> {
    let count = (layer.kept() as f64 * fraction) as usize;
    if count == 0 {
        return Ok(layer.clone());
    }
    let dropped = smallest(&Drop { active: layer }, weight, count)?;
    let survivors = layer.words().iter().zip(&dropped).map(|(active, dropped)| active & !dropped).collect();
    let survivors = LayerMask::from_bits(weight.d_out, weight.d_in, survivors);
    let grown = smallest(&Growth { survivors: &survivors, by: grow }, weight, count)?;
    let words = survivors.words().iter().zip(&grown).map(|(survives, grown)| survives | grown).collect();
    Ok(LayerMask::from_bits(weight.d_out, weight.d_in, words))
}

/// The `count` weights with the smallest scores, as bits that are 1.
fn smallest(score: &dyn Score, weight: &WeightRef<'_>, count: usize) -> Result<Bits, PruneError> {
    let kept = select::smallest(score, std::slice::from_ref(weight), &[count], Ties::Exact)?;
    let all = all_kept(weight.values.len(), 1);
    let words = all.iter().flatten().zip(kept.iter().flatten().flatten());
    Ok(words.map(|(all, kept)| all ^ kept).collect())
}

/// The magnitude of active weights; others are out of the running.
struct Drop<'a> {
    active: &'a LayerMask,
}

impl Score for Drop<'_> {
    fn name(&self) -> &'static str {
        Magnitude.name()
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        Magnitude.score(weight, range.clone(), scores)?;
        for (score, _) in scores.iter_mut().zip(range).filter(|(_, index)| !keeps(self.active, *index)) {
            *score = f32::INFINITY;
        }
        Ok(())
    }
}

/// The score to grow by, the largest first; survivors are out of the running.
struct Growth<'a> {
    survivors: &'a LayerMask,
    by: &'a dyn Score,
}

impl Score for Growth<'_> {
    fn name(&self) -> &'static str {
        self.by.name()
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        self.by.score(weight, range.clone(), scores)?;
        for (score, index) in scores.iter_mut().zip(range) {
            *score = match -*score {
                nan if nan.is_nan() => nan, // for the selection to refuse, survivor or not
                _ if keeps(self.survivors, index) => f32::INFINITY,
                f32::INFINITY => f32::MAX, // the last to grow, but before a survivor
                score => score,
            };
        }
        Ok(())
    }
}
