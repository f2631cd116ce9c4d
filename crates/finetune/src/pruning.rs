//! Masks that change while a module trains: gradual pruning, prune-and-regrow.

use crate::FinetuneError;
use crate::adamw::AdamW;
use crate::place::Place;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor};
use std::collections::BTreeMap;
use std::error::Error;

/// Matrices `[d_in, d_out]` by parameter path: masks (1 keeps, 0 prunes), or gradients.
pub type Matrices = BTreeMap<String, Tensor<2>>;

/// Says which weights are pruned at which step; [`train_with_pruning`](crate::train_with_pruning) asks it.
///
/// A run that was cut off and goes on asks for the masks of later steps only, so that they may depend on what is given
/// here and on nothing else.
pub trait Pruning<M> {
    /// The masks before the first step, of every parameter that is ever pruned. The module is plain, off the autodiff device.
    ///
    /// # Errors
    /// What the module cannot be pruned for.
    fn start(&mut self, module: &M) -> Result<Matrices, Box<dyn Error + Send + Sync>>;

    /// Whether masks change before this step, counted from 0.
    fn changes(&self, step: usize) -> bool;

    /// Whether [`masks`](Self::masks) looks at gradients.
    fn needs_gradients(&self) -> bool {
        false
    }

    /// The masks from this step on. Weights that `now` prunes are zero in the module, which is plain and off the autodiff
    /// device. `gradients` are those of the step's examples by all weights of the masked parameters, the pruned ones too;
    /// empty where they are not needed.
    ///
    /// # Errors
    /// What the module cannot be pruned for.
    fn masks(
        &mut self,
        step: usize,
        module: &M,
        now: &Matrices,
        gradients: &Matrices,
    ) -> Result<Matrices, Box<dyn Error + Send + Sync>>;

    /// Whether, after so many steps, the module is as sparse as it will be: no earlier evaluation is the best.
    fn is_final(&self, steps: usize) -> bool;
}

/// The masks of a module in sparse mode, 1 for what is kept.
pub(crate) fn masks_of<M: Module>(module: &M) -> Matrices {
    struct Masks(Place, Matrices);
    impl ModuleVisitor for Masks {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.exit();
        }

        fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
            if let Some(path) = self.0.path().strip_suffix(".pruned_weights.pruned") {
                let pruned: Tensor<2, Bool> = Tensor::from_bridge(param.val().into_bridge());
                self.1.insert(path.to_owned(), pruned.bool_not().float());
            }
        }
    }
    let mut masks = Masks(Place::default(), Matrices::new());
    module.visit(&mut masks);
    masks.1
}

/// Gradients by the path of their parameter, of those that have a mask.
pub(crate) fn by_path<M: Module>(module: &M, gradients: &GradientsParams, masks: &Matrices) -> Matrices {
    struct ByPath<'a>(Place, &'a GradientsParams, &'a Matrices, Matrices);
    impl ModuleVisitor for ByPath<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let path = self.0.path();
            if D == 2
                && self.2.contains_key(&path)
                && let Some(gradient) = self.1.get::<D>(param.id)
            {
                self.3.insert(path, Tensor::from_bridge(gradient.into_bridge()));
            }
        }
    }
    let mut found = ByPath(Place::default(), gradients, masks, Matrices::new());
    module.visit(&mut found);
    found.3
}

/// Sets the moments of pruned weights to zero: they would move a weight that is grown again, and no mask hides them.
pub(crate) fn forget<M: Module>(optimizer: &mut AdamW, module: &M, masks: &Matrices) {
    struct Forget<'a>(Place, &'a mut AdamW, &'a Matrices);
    impl ModuleVisitor for Forget<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.exit();
        }

        fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
            let (path, order) = (self.0.path(), self.0.order());
            if let Some(mask) = self.2.get(&path).filter(|_| D == 2) {
                self.1.zero_moments(&path, order.flat(mask.clone()).equal_elem(0.0));
            }
        }
    }
    module.visit(&mut Forget(Place::default(), optimizer, masks));
}

/// Whether a schedule ends before the training does.
pub(crate) fn check<M>(pruning: &dyn Pruning<M>, steps: usize) -> Result<(), FinetuneError> {
    if pruning.is_final(steps) { Ok(()) } else { Err(FinetuneError::NeverFinal { steps }) }
}
