//! What is gone stays gone.

use crate::{LayerMask, Mask, PruneError, Pruner, Score, Target, WeightRef};
use burn::module::Module;
use std::ops::Range;

/// A score by which the weights that a mask has removed matter least, whatever the score within says of them: they go
/// first, and the count stays exact.
///
/// By magnitude alone they would tie with survivors that happen to be zero, and by any score that looks at more than the
/// weight (at random, by movement, by calibration) they could come back.
#[derive(Debug, Clone)]
pub struct Nested<S> {
    score: S,
    gone: Mask,
}

impl<S> Nested<S> {
    /// `score` for what is left by `gone`.
    pub fn new(score: S, gone: Mask) -> Self {
        Self { score, gone }
    }
}

impl<S: Score> Score for Nested<S> {
    fn name(&self) -> &'static str {
        self.score.name()
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        self.score.score(weight, range.clone(), scores)?;
        let Some(layer) = self.gone.get(weight.path) else { return Ok(()) };
        check_shape(weight, layer)?;
        for (score, index) in scores.iter_mut().zip(range) {
            *score = match keeps(layer, index) {
                false => f32::NEG_INFINITY,
                true if *score == f32::NEG_INFINITY => f32::MIN, // behind what is gone
                true => *score,
            };
        }
        Ok(())
    }
}

/// The mask that follows `previous` in gradual pruning: at `target`, of the same module some training later, and without
/// anything back that `previous` removes.
///
/// `pruner` makes a [`Pruner`] of the [`Nested`] score: [`Pruner::new`], or a closure that also sets the scope, which must
/// be that of `previous`. The first mask follows [`Mask::default`], which removes nothing.
///
/// # Errors
/// As [`Pruner::mask`], and [`PruneError::ComesBack`] if `target` is less than what is gone.
pub fn next_mask<M: Module, S: Score + 'static>(
    previous: &Mask,
    module: &M,
    target: impl Into<Target>,
    score: S,
    pruner: impl FnOnce(Nested<S>) -> Pruner,
) -> Result<Mask, PruneError> {
    let next = pruner(Nested::new(score, previous.clone())).mask(module, target)?;
    let back = previous.difference(&next)?;
    match back.layers().iter().find(|(_, layer)| layer.removed() > 0) {
        Some((path, layer)) => Err(PruneError::ComesBack { path: path.clone(), count: layer.removed() }),
        None => Ok(next),
    }
}

/// Whether the weight at a flat index stays.
#[inline]
pub(crate) fn keeps(layer: &LayerMask, index: usize) -> bool {
    layer.words()[index / 64] >> (index % 64) & 1 == 1
}

/// Whether a matrix, a weight or what is known about it, has the shape of a mask.
fn check_shape(weight: &WeightRef<'_>, layer: &LayerMask) -> Result<(), PruneError> {
    let found = [weight.d_out, weight.d_in];
    if layer.shape() == found {
        return Ok(());
    }
    Err(PruneError::ShapeMismatch { path: weight.path.into(), expected: layer.shape(), found })
}
