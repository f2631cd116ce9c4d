//! Adapters on a base that is kept as codes.

use crate::place::Place;
use burn::module::{Module, ModuleDisplay, ModuleVisitor, Param, Reparameterization, Reparameterizer};
use burn::tensor::Tensor;
use junkdna_backend::HostMatrix;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

/// A weight matrix that does not train, in fewer bits than floats. Whoever quantizes brings it.
pub trait FrozenMatrix: Debug + Send + Sync {
    /// Outputs and inputs.
    fn shape(&self) -> [usize; 2];

    /// Bytes in memory.
    fn bytes(&self) -> usize;

    /// What the codes stand for.
    fn values(&self) -> HostMatrix;
}

/// Such matrices by parameter path.
pub type FrozenMatrices = BTreeMap<String, Arc<dyn FrozenMatrix>>;

/// effective = adapter(what the codes stand for), or that alone (QLoRA, Dettmers et al. 2023, arXiv 2305.14314, equation 5).
/// The codes are read anew each time the weight is used. Gradients reach the adapter and, through the weight, what comes
/// before it; the codes have none.
#[derive(Module, Debug)]
pub struct OnCodes<R: Reparameterization> {
    adapter: Option<R>,
    #[module(skip)]
    matrix: Arc<dyn FrozenMatrix>,
}

impl<R: Reparameterization> OnCodes<R> {
    /// What trains, where something does.
    pub fn adapter(&self) -> Option<&R> {
        self.adapter.as_ref()
    }

    /// The codes.
    pub fn matrix(&self) -> &dyn FrozenMatrix {
        self.matrix.as_ref()
    }
}

/// The component of parameter paths that says so.
const NAME: &str = "quantized";

impl<R: Reparameterization + ModuleDisplay> Reparameterization for OnCodes<R> {
    const NAME: &'static str = NAME;

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let weight = beside(self.matrix.as_ref(), &base);
        match &self.adapter {
            Some(adapter) => adapter.apply(weight),
            None => weight,
        }
    }
}

/// The weights `[d_in, d_out]` where `base` is, in the memory layout of PyTorch.
fn beside<const D: usize>(matrix: &dyn FrozenMatrix, base: &Tensor<D>) -> Tensor<D> {
    let weight = matrix.values().into_weight(&base.device().inner());
    // Attached to matrices alone.
    as_constant(Tensor::from_bridge(weight.into_bridge()), base)
}

/// A tensor that gets no gradient, where another is.
fn as_constant<const D: usize>(tensor: Tensor<D>, beside: &Tensor<D>) -> Tensor<D> {
    if !beside.device().is_autodiff() {
        return tensor;
    }
    let tensor = Tensor::from_inner(tensor);
    match beside.gradient_checkpointing_strategy() {
        Some(strategy) => tensor.with_gradient_checkpointing_strategy(strategy),
        None => tensor,
    }
}

/// Puts matrices of codes in the place of weights, each with the adapter that `make` gives for its path and, where it asks for
/// them, its weights `[d_in, d_out]`.
pub(super) struct ToCodes<'a, F> {
    pub(super) bases: &'a FrozenMatrices,
    pub(super) make: F,
}

impl<R, F> Reparameterizer for ToCodes<'_, F>
where
    R: Reparameterization + ModuleDisplay,
    F: FnMut(&str, &dyn Fn() -> Tensor<2>) -> Option<R>,
{
    type Reparam = OnCodes<R>;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<OnCodes<R>>) {
        let Some(matrix) = self.bases.get(path) else { return (param, None) };
        let param = param.map(placeholder);
        let weight = || Tensor::from_bridge(beside(matrix.as_ref(), &param.base()).without_autodiff().into_bridge());
        let adapter = (self.make)(path, &weight);
        (param, Some(OnCodes { adapter, matrix: matrix.clone() }))
    }
}

/// What stands in the place of a weight whose values are codes elsewhere.
fn placeholder<const D: usize>(weight: Tensor<D>) -> Tensor<D> {
    as_constant(junkdna_backend::placeholder(weight.dims(), &weight.device().inner()), &weight)
}

/// The parameters whose values are codes elsewhere.
pub fn on_codes<M: Module>(module: &M) -> BTreeSet<String> {
    struct Find(Place, BTreeSet<String>);
    impl ModuleVisitor for Find {
        fn enter_module(&mut self, name: &str, container: &str) {
            if (name, container) == (NAME, "Reparameterization") {
                self.1.insert(self.0.path());
            }
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.exit();
        }
    }
    let mut find = Find(Place::default(), BTreeSet::new());
    module.visit(&mut find);
    find.1
}
