//! Adapters folded into the weights.

use super::{Factor, factor};
use crate::place::Place;
use crate::pruned::in_layout;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Tensor};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of the zeros of a pruned base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Merge {
    /// The update goes everywhere: the mask is destroyed.
    #[default]
    Plain,
    /// The update goes where the base has weights: the mask stays.
    KeepMask,
}

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Merged {
    /// Matrices with an adapter.
    pub matrices: usize,
    /// Weights of their bases that were zero.
    pub zeros_before: usize,
    /// How many of those are zero after.
    pub zeros_after: usize,
}

impl Merged {
    /// Whether the mask of the base is whole.
    pub fn keeps_mask(&self) -> bool {
        self.zeros_before == self.zeros_after
    }
}

/// The module with plain weights, adapters folded in, and what became of the zeros of the base. A base of codes becomes the
/// floats that they stand for: the sum is on no grid. To unmerge, keep the module with its adapters: this is another.
pub fn merge<M: Module>(module: M, how: Merge) -> (M, Merged) {
    let zeros = zeros_of_bases(&module);
    let mut keep = Keep { place: Place::default(), zeros, how, merged: Merged::default() };
    let module = module.materialize().map(&mut keep);
    (module, keep.merged)
}

/// Where the bases of adapters are zero, by path.
fn zeros_of_bases<M: Module>(module: &M) -> BTreeMap<String, Tensor<2, Bool>> {
    let mut still = Still { place: Place::default(), adapted: BTreeSet::new() };
    let bases = module.clone().map(&mut still).materialize();
    let mut zeros = Zeros { place: Place::default(), adapted: still.adapted, found: BTreeMap::new() };
    bases.visit(&mut zeros);
    zeros.found
}

/// Makes adapters add nothing, and DoRA's outputs of length 1: what is zero then is zero in the base, be it floats or codes.
struct Still {
    place: Place,
    adapted: BTreeSet<String>,
}

impl ModuleMapper for Still {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.place.path();
        match factor(&path) {
            Some((weight, Factor::B)) => {
                self.adapted.insert(weight.to_owned());
                param.map(|b| b.without_autodiff().zeros_like())
            }
            Some((_, Factor::Magnitude)) => param.map(|m| m.without_autodiff().ones_like()),
            _ => param,
        }
    }
}

struct Zeros {
    place: Place,
    adapted: BTreeSet<String>,
    found: BTreeMap<String, Tensor<2, Bool>>,
}

impl ModuleVisitor for Zeros {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.path();
        if self.adapted.contains(&path) {
            // An output of nothing but zeros has no length: not a number.
            let zeros = param.base().without_autodiff().abs().greater_elem(0.0).bool_not();
            self.found.insert(path, Tensor::from_bridge(zeros.into_bridge()));
        }
    }
}

struct Keep {
    place: Place,
    zeros: BTreeMap<String, Tensor<2, Bool>>,
    how: Merge,
    merged: Merged,
}

impl ModuleMapper for Keep {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(zeros) = self.zeros.remove(&self.place.path()) else { return param };
        let param = match self.how {
            Merge::Plain => param,
            Merge::KeepMask => param.map(|weight| {
                let trains = weight.is_require_grad();
                in_layout(weight.detach(), zeros.clone(), |weight, zeros| weight.mask_fill(zeros, 0.0))
                    .set_require_grad(trains)
            }),
        };
        let count = |zeros: Tensor<2, Bool>| usize::try_from(zeros.int().sum().into_scalar::<i64>()).unwrap_or(0);
        let now: Tensor<2, Bool> = Tensor::from_bridge(param.base().without_autodiff().equal_elem(0.0).into_bridge());
        self.merged.matrices += 1;
        self.merged.zeros_before += count(zeros.clone());
        self.merged.zeros_after += count(zeros.bool_and(now));
        param
    }
}
