use super::{Calibrated, PrunedWeight};
use crate::{LayerMask, PruneError, Ria, Scope, Score, Target, Ties, Wanda, WeightRef, select};
use junkdna_backend::calibration::{Order, SquaredNorms};
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// A score of weights and the norms of their inputs.
pub trait NormScore: Score + Sized {
    /// The score of one weight, given the norms of its inputs.
    ///
    /// # Errors
    /// Those of the score.
    fn of(weight: &WeightRef<'_>, norms: Vec<f32>) -> Result<Self, PruneError>;
}

impl NormScore for Wanda {
    fn of(weight: &WeightRef<'_>, norms: Vec<f32>) -> Result<Self, PruneError> {
        Ok(Self::new(BTreeMap::from([(weight.path.to_owned(), norms)])))
    }
}

impl NormScore for Ria {
    fn of(weight: &WeightRef<'_>, norms: Vec<f32>) -> Result<Self, PruneError> {
        let norms = BTreeMap::from([(weight.path.to_owned(), norms)]);
        Self::new([*weight], &norms, Self::EXPONENT)
    }
}

/// Prunes by a score that knows the inputs' norms, and changes nothing that survives: `ByNorms::<Wanda>::default()` is
/// Wanda as published.
#[derive(Debug)]
pub struct ByNorms<S> {
    scope: Scope,
    ties: Ties,
    order: Order,
    score: PhantomData<fn() -> S>,
}

impl<S> Default for ByNorms<S> {
    /// The weights of one output compete, and counts are exact.
    fn default() -> Self {
        Self { scope: Scope::Row, ties: Ties::Exact, order: Order::Block, score: PhantomData }
    }
}

impl<S> ByNorms<S> {
    /// What competes; one weight matrix is the most that can.
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// What happens to weights that tie at the border.
    pub fn with_ties(self, ties: Ties) -> Self {
        Self { ties, ..self }
    }

    /// What is pruned before more inputs are looked at; a block as published.
    pub fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }
}

impl<S: NormScore> Calibrated for ByNorms<S> {
    type Statistic = SquaredNorms;

    fn order(&self) -> Order {
        self.order
    }

    fn prune(
        &self,
        weight: &WeightRef<'_>,
        statistic: &SquaredNorms,
        target: Target,
    ) -> Result<PrunedWeight, PruneError> {
        let score = S::of(weight, statistic.norms())?;
        let bits = select::of_one(&score, weight, target, self.scope, self.ties)?;
        let mask = LayerMask::from_bits(weight.d_out, weight.d_in, bits);
        let values = mask.zeroed(weight.values);
        Ok(PrunedWeight { mask, values })
    }
}
