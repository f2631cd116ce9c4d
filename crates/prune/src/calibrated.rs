//! Pruning by what the weights multiply: one block of the model after another, on calibration samples.

mod by_norms;
mod sparsegpt;

pub use by_norms::{ByNorms, NormScore};
pub use sparsegpt::{Round, Rounding, SparseGpt};

use crate::{LayerMask, Mask, PruneError, Target, WeightRef};
use burn::module::Module;
use junkdna_backend::calibration::{Order, Statistic, compress_by_block};
use junkdna_backend::{Blocks, HostMatrix, Selection, TokenTree};

/// A method that prunes one weight matrix, given statistics of its inputs.
pub trait Calibrated: Sync {
    /// What it needs to know of the inputs.
    type Statistic: Statistic;

    /// What is pruned before more inputs are looked at.
    fn order(&self) -> Order {
        Order::Block
    }

    /// Prunes a weight; a scope of the whole module does not exist here, for the blocks are pruned one after another.
    ///
    /// # Errors
    /// Names the parameter.
    fn prune(
        &self,
        weight: &WeightRef<'_>,
        statistic: &Self::Statistic,
        target: Target,
    ) -> Result<PrunedWeight, PruneError>;

    /// Prunes the selected linears of every block of a model, each block on the outputs of the pruned blocks before it,
    /// and hears from `progress` how many are done. `target` says for each parameter path how much goes.
    ///
    /// In memory are the model, the hidden states of the samples, and one block's statistics.
    ///
    /// # Errors
    /// Those of [`Calibrated::prune`]; [`PruneError::NothingSelected`] where no linear of a block is selected.
    fn prune_blocks<M: Module + Blocks>(
        &self,
        model: M,
        samples: &[TokenTree],
        selection: &Selection,
        target: impl Fn(&str) -> Target + Sync,
        progress: impl FnMut(usize),
    ) -> Result<(M, Mask), PruneError>
    where
        Self: Sized,
    {
        if samples.is_empty() {
            return Err(PruneError::NoSamples);
        }
        let prune = |path: &str, matrix: HostMatrix, statistic: &Self::Statistic| {
            let weight = WeightRef { path, d_out: matrix.d_out(), d_in: matrix.d_in(), values: matrix.as_slice() };
            let pruned = self.prune(&weight, statistic, target(path))?;
            Ok((HostMatrix::new(pruned.values, matrix.d_out(), matrix.d_in()), pruned.mask))
        };
        let (model, masks) = compress_by_block(model, samples, selection, self.order(), prune, progress)?;
        match masks.is_empty() {
            true => Err(PruneError::NothingSelected),
            false => Ok((model, masks.into_iter().collect())),
        }
    }
}

/// A weight matrix after pruning.
#[derive(Debug, Clone)]
pub struct PrunedWeight {
    /// Which weights stay.
    pub mask: LayerMask,
    /// `[d_out, d_in]`, row-major; 0 where weights went.
    pub values: Vec<f32>,
}
