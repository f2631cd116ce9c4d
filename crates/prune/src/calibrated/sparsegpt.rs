//! SparseGPT.

mod choice;

use super::{Calibrated, PrunedWeight};
use crate::{PruneError, Target, WeightRef};
use choice::Choice;
use junkdna_backend::calibration::{Hessian, InverseFactor, Order, Sweep};
use std::sync::Arc;

/// Prunes column after column and lets the columns that follow make up for it (Frantar and Alistarh 2023, *SparseGPT:
/// Massive Language Models Can Be Accurately Pruned in One-Shot*, arXiv 2301.00774, algorithm 1).
///
/// With H⁻¹ = Uᵀ U of the damped Hessian of a linear's inputs, weight w of input j has the score w² / U_jj²; a pruned
/// weight's error w / U_jj times row j of U is taken from the weights of the inputs behind it. An unstructured target is
/// met within each block of columns over all outputs, where whatever is at most the threshold goes
/// ([`Ties::All`](crate::Ties::All)); N:M in every group of every output. Inputs that were zero in every token lose their
/// weights first.
#[derive(Clone)]
pub struct SparseGpt {
    block_size: usize,
    damping: f64,
    order: Order,
    rounding: Option<Arc<dyn Rounding>>,
}

/// Rounds the weight of (output, input) to what will be stored.
pub type Round<'a> = Box<dyn Fn(usize, usize, f32) -> f32 + Sync + 'a>;

/// What quantizes the survivors as they are fixed, so that the inputs behind make up for that error too (section 3.4).
pub trait Rounding: Send + Sync {
    /// The rounding of one weight matrix, its scales set by the weights as they are before pruning.
    ///
    /// # Errors
    /// [`PruneError::Rounding`], naming the parameter.
    fn prepare<'a>(&'a self, weight: &WeightRef<'_>) -> Result<Round<'a>, PruneError>;
}

impl Default for SparseGpt {
    /// Blocks of 128 columns and a damping of 0.01 times the mean of the Hessian's diagonal, as published.
    fn default() -> Self {
        Self { block_size: 128, damping: 0.01, order: Order::Block, rounding: None }
    }
}

impl SparseGpt {
    /// Columns that share a threshold; at least 1.
    pub fn with_block_size(self, block_size: usize) -> Self {
        Self { block_size: block_size.max(1), ..self }
    }

    /// What is added to the diagonal of the Hessian, times its mean. Where that is too little it is raised tenfold, up to
    /// 1, with a warning.
    pub fn with_damping(self, damping: f64) -> Self {
        Self { damping, ..self }
    }

    /// What is pruned before more inputs are looked at; a block as published.
    pub fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Quantizes what survives on the way.
    pub fn with_rounding(self, rounding: Arc<dyn Rounding>) -> Self {
        Self { rounding: Some(rounding), ..self }
    }

    /// The factor of the inverse Hessian, with as much damping as it needs.
    fn factor(&self, path: &str, hessian: &Hessian) -> Result<InverseFactor, PruneError> {
        let order: Vec<usize> = (0..hessian.d_in()).collect();
        let factor = hessian.factor_in_order(&order, self.damping);
        let factor = factor.map_err(|source| PruneError::Hessian { path: path.into(), source })?;
        if factor.damping() > self.damping {
            tracing::warn!("{path}: the Hessian is singular; its damping was raised to {}", factor.damping());
        }
        Ok(factor)
    }
}

impl Calibrated for SparseGpt {
    type Statistic = Hessian;

    fn order(&self) -> Order {
        self.order
    }

    fn prune(&self, weight: &WeightRef<'_>, hessian: &Hessian, target: Target) -> Result<PrunedWeight, PruneError> {
        if hessian.d_in() != weight.d_in {
            let (path, reason) =
                (weight.path.into(), format!("{} inputs observed, it has {}", hessian.d_in(), weight.d_in));
            return Err(PruneError::NoScore { score: "sparsegpt", path, reason });
        }
        let round = self.rounding.as_ref().map(|rounding| rounding.prepare(weight)).transpose()?;
        let factor = self.factor(weight.path, hessian)?;
        let mut choice = Choice::new(weight, &factor, target)?;
        let mut sweep = Sweep::new(weight.values, &factor);
        let step = choice.block_of(self.block_size);
        for start in (0..weight.d_in).step_by(step) {
            let columns = start..(start + step).min(weight.d_in);
            choice.prune(columns, &mut sweep, round.as_ref())?;
        }
        Ok(PrunedWeight { mask: choice.mask(), values: sweep.into_values() })
    }
}
