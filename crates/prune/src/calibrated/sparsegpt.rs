//! SparseGPT.

mod columns;
mod row;

use super::{Calibrated, PrunedWeight};
use crate::{LayerMask, PruneError, Target, WeightRef};
use columns::Columns;
use junkdna_backend::calibration::{Hessian, InverseFactor};
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
        Self { block_size: 128, damping: 0.01, rounding: None }
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

    /// Quantizes what survives on the way.
    pub fn with_rounding(self, rounding: Arc<dyn Rounding>) -> Self {
        Self { rounding: Some(rounding), ..self }
    }

    /// The factor of the inverse Hessian, with as much damping as it needs.
    fn factor(&self, path: &str, hessian: &Hessian) -> Result<InverseFactor, PruneError> {
        let mut damping = self.damping;
        loop {
            match hessian.inverse_factor(damping) {
                Ok(factor) => return Ok(factor),
                Err(_) if damping < 1.0 => {
                    let more = (10.0 * damping).clamp(1e-4, 1.0);
                    tracing::warn!("{path}: the Hessian is singular at a damping of {damping}, going on with {more}");
                    damping = more;
                }
                Err(source) => return Err(PruneError::Hessian { path: path.into(), source }),
            }
        }
    }
}

impl Calibrated for SparseGpt {
    type Statistic = Hessian;

    fn prune(&self, weight: &WeightRef<'_>, hessian: &Hessian, target: Target) -> Result<PrunedWeight, PruneError> {
        if hessian.d_in() != weight.d_in {
            let (path, reason) =
                (weight.path.into(), format!("{} inputs observed, it has {}", hessian.d_in(), weight.d_in));
            return Err(PruneError::NoScore { score: "sparsegpt", path, reason });
        }
        let round = self.rounding.as_ref().map(|rounding| rounding.prepare(weight)).transpose()?;
        let factor = self.factor(weight.path, hessian)?;
        let mut columns = Columns::new(weight, &factor, target)?;
        let step = columns.block_of(self.block_size);
        for start in (0..weight.d_in).step_by(step) {
            columns.prune(start..(start + step).min(weight.d_in), round.as_ref())?;
        }
        let (keep, values) = columns.finish();
        let mask = LayerMask::from_fn(weight.d_out, weight.d_in, |output, input| keep[output * weight.d_in + input]);
        Ok(PrunedWeight { mask, values })
    }
}
