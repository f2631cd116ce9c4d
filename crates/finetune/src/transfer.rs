//! Before and after training.

use crate::dense_frozen::DenseFrozen;
use crate::pruned::Pruned;
use crate::sparse::Sparse;
use crate::sparse_to_dense::SparseToDense;
use crate::{FinetuneError, Mode};
use burn::module::Module;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// The module made ready for training in a mode: any optimizer, any loop, the same forward pass.
///
/// `masks` holds 1 for the kept and 0 for the pruned weights of each masked parameter, `[d_in, d_out]`, by parameter path.
/// Parameters without a mask train as usual. Prepare before making the optimizer, and [`finish`] before compressing or
/// exporting the module: until then its stored weights are not the ones it computes with.
///
/// # Errors
/// If there are no masks, or one is not for a parameter of the module, has another shape than it, holds values other than
/// 0 and 1, or is for a parameter that is reparameterized already.
pub fn prepare<M: Module>(module: M, mode: Mode, masks: &BTreeMap<String, Tensor<2>>) -> Result<M, FinetuneError> {
    let pruned = Pruned::of(&module, masks)?;
    Ok(match mode {
        Mode::Sparse => module.apply_reparameterization(Sparse(pruned)),
        Mode::DenseFrozen => module.apply_reparameterization(DenseFrozen(pruned)),
        Mode::SparseToDense => module.map(&mut SparseToDense::new(pruned)),
    })
}

/// The module with plain weights: those it computes with. Whatever else reparameterizes it (LoRA) is folded in too.
pub fn finish<M: Module>(module: M) -> M {
    module.materialize()
}
