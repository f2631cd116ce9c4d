//! Puts a checkpoint's values into a module.

use super::{Checkpoint, Stored, Values};
use crate::FinetuneError;
use crate::adapters::on_codes;
use crate::place::{Order, Place};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor, TensorData};
use std::collections::BTreeSet;

pub(super) fn parameters<M: Module>(checkpoint: &Checkpoint, module: M) -> Result<M, FinetuneError> {
    let is_parameter = |name: &&String| ["weight:", "int:", "mask:"].iter().any(|kind| name.starts_with(kind));
    let unused = checkpoint.tensors.keys().filter(is_parameter).map(String::as_str).collect();
    let codes = on_codes(&module);
    let mut restore = Restore { checkpoint, place: Place::default(), codes, unused, problem: None };
    let module = module.map(&mut restore);
    let left = restore.unused.first().map(|name| format!("{name} has no place in the model"));
    match restore.problem.or(left) {
        None => Ok(module),
        Some(problem) => Err(FinetuneError::OtherModel { path: checkpoint.path.clone(), problem }),
    }
}

struct Restore<'a> {
    checkpoint: &'a Checkpoint,
    place: Place,
    codes: BTreeSet<String>,
    unused: BTreeSet<&'a str>,
    problem: Option<String>,
}

impl<'a> Restore<'a> {
    fn find(&mut self, kind: &str, shape: Vec<usize>) -> Option<&'a Values> {
        let name = format!("{kind}:{}", self.place.path());
        self.unused.remove(name.as_str());
        let problem = match self.checkpoint.tensors.get(&name) {
            Some(Stored { shape: found, values }) if *found == shape => return Some(values),
            Some(Stored { shape: found, .. }) => format!("{name} is {found:?}, the model has {shape:?}"),
            None => format!("{name} is missing"),
        };
        self.problem.get_or_insert(problem);
        None
    }
}

impl ModuleMapper for Restore<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.codes.contains(&self.place.path()) {
            return param;
        }
        let order = self.place.order();
        let found = self.find("weight", order.shape(param.lazy_shape().to_vec()));
        match found {
            Some(Values::Float(values)) => param.map(|weight| replaced(weight, values, order)),
            _ => param,
        }
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let shape = param.lazy_shape().to_vec();
        match self.find("int", shape.clone()) {
            Some(Values::Int(values)) => {
                param.map(|old| Tensor::from_data(TensorData::new(values.clone(), shape), &old.device()))
            }
            _ => param,
        }
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        let shape = param.lazy_shape().to_vec();
        match self.find("mask", shape.clone()) {
            Some(Values::Bool(values)) => {
                param.map(|old| Tensor::from_data(TensorData::new(values.clone(), shape), &old.device()))
            }
            _ => param,
        }
    }
}

/// The values as a leaf that trains, and lies in memory, as the old one does.
fn replaced<const D: usize>(old: Tensor<D>, values: &[f32], order: Order) -> Tensor<D> {
    let device = old.device();
    let flat = Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), &device.clone().inner());
    let new = order.shaped(flat, old.dims());
    if !device.is_autodiff() {
        return new;
    }
    let new = Tensor::from_inner(new);
    let new = match old.gradient_checkpointing_strategy() {
        Some(strategy) => new.with_gradient_checkpointing_strategy(strategy),
        None => new,
    };
    new.set_require_grad(old.is_require_grad())
}
