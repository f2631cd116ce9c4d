//! Dense transfer with freezing.

use crate::pruned::{Pruned, in_layout};
use burn::module::{Module, Param, ParamId, Reparameterization, Reparameterizer};
use burn::tensor::{Bool, Tensor};
use junkdna_backend::kernels::lies_transposed;

/// effective = base · mask + original · (1 − mask): pruned weights keep their pre-trained value to the bit and get no
/// gradient; the others train.
#[derive(Module, Debug)]
pub struct FrozenWeights {
    /// True is frozen, `[d_in, d_out]`.
    frozen: Param<Tensor<2, Bool>>,
    /// The pre-trained weights, `[d_in, d_out]`.
    original: Param<Tensor<2>>,
}

impl Reparameterization for FrozenWeights {
    const NAME: &'static str = "frozen_weights";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        // Detached: not even `Module::unfreeze` on the whole module trains the original.
        let original: Tensor<D> = Tensor::from_bridge(self.original.val().detach().into_bridge());
        // A choice, not a sum of products: those round, and a product with an infinite base is NaN.
        let transposed = lies_transposed(&base);
        let original = if transposed { original.swap_dims(0, D - 1) } else { original };
        in_layout(base, self.frozen.val(), |base, frozen| base.mask_where(frozen, original))
    }
}

/// Attaches [`FrozenWeights`] to every masked parameter.
pub(crate) struct DenseFrozen(pub(crate) Pruned);

impl Reparameterizer for DenseFrozen {
    type Reparam = FrozenWeights;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<FrozenWeights>) {
        let state = self.0.get(path, &param.lazy_device()).map(|frozen| {
            let original = Tensor::from_bridge(param.base().without_autodiff().into_bridge());
            FrozenWeights {
                frozen: Param::initialized(ParamId::new(), frozen),
                original: Param::from_tensor(original).set_require_grad(false),
            }
        });
        (param, state)
    }
}
