//! Sparse transfer.

use crate::pruned::{Pruned, in_layout, zeroed};
use burn::module::{Module, Param, ParamId, Reparameterization, Reparameterizer};
use burn::tensor::{Bool, Tensor};

/// effective = base · mask: pruned weights are exactly zero and get no gradient, whatever the optimizer does to the
/// stored base.
#[derive(Module, Debug)]
pub struct PrunedWeights {
    /// True is pruned, `[d_in, d_out]`. Boolean, so that nothing can train it.
    pruned: Param<Tensor<2, Bool>>,
}

impl Reparameterization for PrunedWeights {
    const NAME: &'static str = "pruned_weights";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        // Not a product: a base that momentum or weight decay drove to infinity would make it NaN.
        in_layout(base, self.pruned.val(), |base, pruned| base.mask_fill(pruned, 0.0))
    }
}

/// Attaches [`PrunedWeights`] to every masked parameter.
pub(crate) struct Sparse(pub(crate) Pruned);

impl Reparameterizer for Sparse {
    type Reparam = PrunedWeights;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<PrunedWeights>) {
        match self.0.get(path, &param.lazy_device()) {
            None => (param, None),
            Some(pruned) => {
                let state = PrunedWeights { pruned: Param::initialized(ParamId::new(), pruned.clone()) };
                (zeroed(param, pruned), Some(state))
            }
        }
    }
}
