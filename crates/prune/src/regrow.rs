//! Dynamic sparse training: drop some, grow as many.

mod gradient;
mod layer;
mod rewire;

pub use gradient::GradientMagnitude;
pub use rewire::rewire;

use crate::{Mask, PruneError, Random, Score, WeightRef};
use burn::module::{Module, ParamGroup};
use junkdna_backend::{HostMatrix, Seed, Selection, weights};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Moves a mask every few steps of training: in each layer a share of the surviving weights, those with the smallest
/// magnitude, is dropped, and as many are grown. How many each layer has never changes.
///
/// The share falls by a cosine to 0 (Evci et al. 2020, *Rigging the Lottery*, arXiv 1911.11134): at step t it is
/// ζ/2 · (1 + cos(πt/T)), ⌊survivors · share⌋ weights, and from step T on nothing moves.
///
/// Grown are any weights that do not survive the drop, as in algorithm 1 of that paper (i ∉ θ ∖ I_active) and in SET
/// (Mocanu et al. 2018, arXiv 1707.04780): one just dropped may be grown again, and keeps its value then. Magnitude decides
/// what is dropped by either; the authors of SET take the share of positive and of negative weights apart. An N:M pattern
/// does not survive a move. In a TOML file:
///
/// ```toml
/// fraction = 0.3
/// frequency = 100
/// end = 7500
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Regrow(Fields);

/// What is set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    fraction: f64,
    frequency: usize,
    end: usize,
}

/// What is grown.
#[derive(Clone, Copy)]
pub enum Grow<'a> {
    /// SET: at random, elsewhere at every step.
    Random(Seed),
    /// Where this score is **largest**; of ties the first. With [`GradientMagnitude`] this is RigL.
    Largest(&'a dyn Score),
}

impl Regrow {
    /// Moves the share `fraction`, ζ (RigL: 0.3), every `frequency` steps, ΔT (RigL: 100), before step `end`, T (RigL:
    /// three quarters of the training). The share falls from step to step.
    ///
    /// # Errors
    /// [`PruneError::InvalidSetting`] unless 0 < ζ < 1, ΔT > 0 and T > 0.
    pub fn new(fraction: f64, frequency: usize, end: usize) -> Result<Self, PruneError> {
        let refused = |field, reason| Err(PruneError::InvalidSetting { what: "regrowth", field, reason });
        if !(fraction > 0.0 && fraction < 1.0) {
            return refused("fraction", format!("is {fraction}: it must be above 0 and below 1"));
        }
        if frequency == 0 {
            return refused("frequency", "is 0: it counts steps, and must be at least 1".into());
        }
        if end == 0 {
            return refused("end", "is 0: it is the step from which nothing moves, and must be at least 1".into());
        }
        Ok(Self(Fields { fraction, frequency, end }))
    }

    /// The share of survivors that moves before this step; none if it is not one of the steps.
    pub fn fraction(&self, step: usize) -> Option<f64> {
        let Fields { fraction, frequency, end } = self.0;
        let moves = step < end && step.is_multiple_of(frequency);
        moves.then(|| fraction / 2.0 * (1.0 + (PI * step as f64 / end as f64).cos()))
    }

    /// The mask from this step on; none if it stays. The module has the mask attached or applied; pass it through
    /// [`rewire`] before it goes on training.
    ///
    /// # Errors
    /// [`PruneError::NotZero`] if the module has weights that the mask removes, [`PruneError::MissingParameter`] or
    /// [`PruneError::ShapeMismatch`] if it is not the module of this mask, [`PruneError::NotFinite`] or
    /// [`PruneError::ScoreIsNaN`] for what cannot be ranked, and whatever the score to grow by returns.
    pub fn update<M: Module>(
        &self,
        step: usize,
        module: &M,
        mask: &Mask,
        grow: Grow<'_>,
    ) -> Result<Option<Mask>, PruneError> {
        let Some(fraction) = self.fraction(step) else { return Ok(None) };
        // Visitors see stored weights; what counts is what an attached mask leaves of them.
        let module = module.clone().materialize();
        mask.verify(&module)?;
        match grow {
            Grow::Largest(score) => moved(&module, mask, fraction, score),
            Grow::Random(seed) => {
                moved(&module, mask, fraction, &Random { seed: seed.derive(&format!("step {step}")) })
            }
        }
        .map(Some)
    }
}

/// The mask after one update of every layer.
fn moved<M: Module>(module: &M, mask: &Mask, fraction: f64, grow: &dyn Score) -> Result<Mask, PruneError> {
    let all = Selection { group: ParamGroup::all(), embeddings: true };
    let masked = weights(module, &all).into_iter().filter_map(|weight| Some((mask.get(&weight.path)?, weight)));
    let layer = |(layer, weight): (_, junkdna_backend::Weight)| {
        let matrix = HostMatrix::from_weight(weight.value);
        let (d_out, d_in) = (matrix.d_out(), matrix.d_in());
        let reference = WeightRef { path: &weight.path, d_out, d_in, values: matrix.as_slice() };
        let moved = layer::moved(&reference, layer, fraction, grow)?;
        Ok((weight.path, moved))
    };
    masked.map(layer).collect()
}

impl TryFrom<Fields> for Regrow {
    type Error = PruneError;

    fn try_from(Fields { fraction, frequency, end }: Fields) -> Result<Self, PruneError> {
        Self::new(fraction, frequency, end)
    }
}

impl From<Regrow> for Fields {
    fn from(regrow: Regrow) -> Self {
        regrow.0
    }
}
