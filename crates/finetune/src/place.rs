//! Where a visitor is in a module, and how a parameter lies in memory.

use crate::adapters::on_codes;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use std::collections::BTreeSet;

/// The path to a parameter and the types of the modules around it.
#[derive(Debug, Default)]
pub(crate) struct Place {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Place {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.into());
        self.containers.push(container.into());
    }

    pub(crate) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// For example `layers.3.mlp.up_proj.weight`.
    pub(crate) fn path(&self) -> String {
        self.names.join(".")
    }

    /// How parameters of this place are kept outside of their module.
    pub(crate) fn order(&self) -> Order {
        let layer = self.containers.iter().rev().find(|c| c.starts_with("Struct:") || c.starts_with("Enum:"));
        if layer.is_some_and(|layer| layer == "Struct:Linear") { Order::Outputs } else { Order::Rows }
    }
}

/// The order of a parameter's elements in optimizer state and checkpoints: PyTorch's. A linear's weight that was loaded
/// from PyTorch's layout then needs no copy, and comes back in the same memory layout, so that resumed training computes
/// the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A weight `[d_in, d_out]`, one output after another.
    Outputs,
    /// Row-major.
    Rows,
}

impl Order {
    /// The shape in PyTorch's order.
    pub(crate) fn shape(self, mut shape: Vec<usize>) -> Vec<usize> {
        if self.swaps(shape.len()) {
            shape.reverse();
        }
        shape
    }

    /// All elements in this order.
    pub(crate) fn flat<const D: usize>(self, tensor: Tensor<D>) -> Tensor<1> {
        let tensor = if self.swaps(D) { tensor.swap_dims(0, D - 1) } else { tensor };
        let elements = tensor.shape().num_elements();
        tensor.reshape([elements])
    }

    /// The tensor of this shape with elements in this order.
    pub(crate) fn shaped<const D: usize>(self, flat: Tensor<1>, mut shape: [usize; D]) -> Tensor<D> {
        if self.swaps(D) {
            shape.reverse();
            return flat.reshape(shape).swap_dims(0, D - 1);
        }
        flat.reshape(shape)
    }

    fn swaps(self, rank: usize) -> bool {
        self == Self::Outputs && rank == 2
    }
}

/// The module with its parameters in the memory layout that the optimizer and checkpoints leave them in: the first step
/// then rounds as all others do. What is codes elsewhere has no memory to lay out.
pub(crate) fn in_order<M: Module>(module: M) -> M {
    struct InOrder(Place, BTreeSet<String>);
    impl ModuleMapper for InOrder {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.exit();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.1.contains(&self.0.path()) {
                return param;
            }
            let order = self.0.order();
            param.map(|value| {
                let (shape, trains) = (value.dims(), value.is_require_grad());
                let plain = order.shaped(order.flat(value.without_autodiff()), shape);
                plain.set_require_grad(trains)
            })
        }
    }
    let codes = on_codes(&module);
    module.map(&mut InOrder(Place::default(), codes))
}
