//! Masks that training cannot undo.

use super::Mask;
use super::apply::zero_where;
use crate::PruneError;
use burn::module::{Module, ModuleVisitor, Param, ParamId, Reparameterization, Reparameterizer};
use burn::tensor::{Bool, Tensor};

impl Mask {
    /// The module with this mask applied and kept through training: every use of a weight and every update of it sees zeros
    /// where weights go. [`Module::materialize`] turns it back into a plain module.
    ///
    /// # Errors
    /// As [`Mask::apply`], and [`PruneError::AlreadyReparameterized`], for Burn keeps one reparameterization per parameter.
    pub fn attach<M: Module>(&self, module: M) -> Result<M, PruneError> {
        let mut reparameterized = Reparameterized { mask: self, path: Vec::new(), found: None };
        module.visit(&mut reparameterized);
        if let Some((path, name)) = reparameterized.found {
            return Err(PruneError::AlreadyReparameterized { path, name });
        }
        Ok(self.apply(module)?.apply_reparameterization(Attach(self)))
    }
}

/// A Burn [`Reparameterization`] by which pruned weights are zero, whatever the optimizer does to the stored base. Their
/// gradients are zero too.
#[derive(Module, Debug)]
pub struct KeepMask {
    /// True where weights go, `[d_out, d_in]`. Not a float, hence never trained.
    removed: Param<Tensor<2, Bool>>,
}

impl Reparameterization for KeepMask {
    const NAME: &'static str = "keep_mask";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let [d_out, d_in] = self.removed.val().dims();
        if base.shape().as_slice() != [d_in, d_out] {
            return base; // attached to matrices of this shape alone
        }
        zero_where(base, Tensor::from_bridge(self.removed.val().into_bridge()))
    }
}

struct Attach<'a>(&'a Mask);

impl Reparameterizer for Attach<'_> {
    type Reparam = KeepMask;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<KeepMask>) {
        let layer = self.0.get(path).filter(|_| D == 2);
        let keep = layer.map(|layer| KeepMask {
            removed: Param::initialized(ParamId::new(), layer.removed_tensor(&param.lazy_device())),
        });
        (param, keep)
    }
}

/// Looks for a masked parameter that has a reparameterization: it is visited like a module of its own below the parameter.
struct Reparameterized<'a> {
    mask: &'a Mask,
    path: Vec<String>,
    found: Option<(String, String)>,
}

impl ModuleVisitor for Reparameterized<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        let path = self.path.join(".");
        if container == "Reparameterization" && self.mask.get(&path).is_some() {
            self.found.get_or_insert((path, name.into()));
        }
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}
