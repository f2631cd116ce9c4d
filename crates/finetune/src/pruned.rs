//! Checked masks: where the pruned weights of a module are.

use crate::FinetuneError;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Tensor};
use junkdna_backend::kernels::lies_transposed;
use std::collections::{BTreeMap, BTreeSet};

/// Where a module's weights are pruned, by parameter path; true is pruned.
pub(crate) struct Pruned(BTreeMap<String, Tensor<2, Bool>>);

impl Pruned {
    /// From masks of 0 (pruned) and 1 (kept), `[d_in, d_out]` each, all of which fit the module.
    pub(crate) fn of<M: Module>(module: &M, masks: &BTreeMap<String, Tensor<2>>) -> Result<Self, FinetuneError> {
        if masks.is_empty() {
            return Err(FinetuneError::NoMasks);
        }
        let parameters = Parameters::of(module);
        let check = |(path, mask): (&String, &Tensor<2>)| {
            parameters.fit(path, mask)?;
            Ok((path.clone(), pruned(path, mask.clone())?))
        };
        masks.iter().map(check).collect::<Result<_, _>>().map(Self)
    }

    /// The pruned weights of one parameter on its device, if it has a mask.
    pub(crate) fn get(&self, path: &str, device: &Device) -> Option<Tensor<2, Bool>> {
        self.0.get(path).map(|pruned| pruned.clone().to_device(device))
    }
}

/// True where the mask is 0. A plain tensor, whatever the mask was computed from: a mask is never trained.
fn pruned(path: &str, mask: Tensor<2>) -> Result<Tensor<2, Bool>, FinetuneError> {
    let mask = mask.without_autodiff();
    let pruned = mask.clone().equal_elem(0.0);
    let binary = pruned.clone().bool_or(mask.equal_elem(1.0)).all().try_into_scalar::<bool>();
    match binary {
        Ok(true) => Ok(pruned),
        Ok(false) => Err(FinetuneError::NotBinary { path: path.into() }),
        Err(error) => Err(FinetuneError::Unreadable { path: path.into(), reason: error.to_string() }),
    }
}

/// A mask as the mask of a parameter known to have two dimensions; keeps strides and storage.
pub(crate) fn of_rank<const D: usize>(mask: Tensor<2, Bool>) -> Tensor<D, Bool> {
    Tensor::from_bridge(mask.into_bridge())
}

/// What `choose` makes of a weight and its mask, in the memory layout of the weight: the same bits come out of products
/// with it as without a mask.
pub(crate) fn in_layout<const D: usize>(
    weight: Tensor<D>,
    mask: Tensor<2, Bool>,
    choose: impl FnOnce(Tensor<D>, Tensor<D, Bool>) -> Tensor<D>,
) -> Tensor<D> {
    if lies_transposed(&weight) {
        return choose(weight.swap_dims(0, D - 1), of_rank(mask.transpose())).swap_dims(0, D - 1);
    }
    choose(weight, of_rank(mask))
}

/// The parameter with its pruned weights at exactly zero. It is a new leaf, which trains if the old one did.
pub(crate) fn zeroed<const D: usize>(param: Param<Tensor<D>>, pruned: Tensor<2, Bool>) -> Param<Tensor<D>> {
    param.map(|weight| {
        let trains = weight.is_require_grad();
        let zeroed = in_layout(weight.set_require_grad(false), pruned, |weight, pruned| weight.mask_fill(pruned, 0.0));
        zeroed.detach().set_require_grad(trains)
    })
}

/// The shapes of a module's float parameters, by path.
pub(crate) fn shapes<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    Parameters::of(module).shapes
}

/// The float parameters of a module.
#[derive(Default)]
struct Parameters {
    place: Vec<String>,
    shapes: BTreeMap<String, Vec<usize>>,
    reparameterized: BTreeSet<String>,
}

impl Parameters {
    fn of<M: Module>(module: &M) -> Self {
        let mut parameters = Self::default();
        module.visit(&mut parameters);
        parameters
    }

    /// Whether a mask can be put on the parameter of that path.
    fn fit(&self, path: &str, mask: &Tensor<2>) -> Result<(), FinetuneError> {
        let path = path.to_string();
        let Some(weight) = self.shapes.get(&path) else {
            return Err(FinetuneError::UnknownPath { path });
        };
        if self.reparameterized.contains(&path) {
            return Err(FinetuneError::Reparameterized { path });
        }
        if *weight != mask.dims() {
            return Err(FinetuneError::Shape { path, mask: mask.dims(), weight: weight.clone() });
        }
        Ok(())
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, container: &str) {
        if container == "Reparameterization" {
            self.reparameterized.insert(self.place.join("."));
        }
        self.place.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes.insert(self.place.join("."), param.lazy_shape().to_vec());
    }
}
