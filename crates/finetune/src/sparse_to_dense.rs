//! Sparse to dense: zeros at the start, then ordinary training.

use crate::pruned::{Pruned, zeroed};
use burn::module::{ModuleMapper, Param};
use burn::tensor::Tensor;

/// Sets the pruned weights to zero and leaves them free.
pub(crate) struct SparseToDense {
    pruned: Pruned,
    place: Vec<String>,
}

impl SparseToDense {
    pub(crate) fn new(pruned: Pruned) -> Self {
        Self { pruned, place: Vec::new() }
    }
}

impl ModuleMapper for SparseToDense {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.place.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.pruned.get(&self.place.join("."), &param.lazy_device()) {
            Some(pruned) => zeroed(param, pruned),
            None => param,
        }
    }
}
