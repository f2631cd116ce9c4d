//! The values of a module's parameters.

use super::{Stored, Values};
use crate::FinetuneError;
use crate::adapters::on_codes;
use crate::place::Place;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};

/// All parameters, by path after what they are: `weight:`, `int:` or `mask:`. Not those that are codes elsewhere, which nothing
/// changes.
pub(super) fn parameters<M: Module>(module: &M) -> Result<BTreeMap<String, Stored>, FinetuneError> {
    let codes = on_codes(module);
    let mut capture = Capture { place: Place::default(), codes, tensors: BTreeMap::new(), error: None };
    module.visit(&mut capture);
    match capture.error {
        None => Ok(capture.tensors),
        Some(error) => Err(error),
    }
}

pub(super) fn float<const D: usize>(path: &str, tensor: Tensor<D>) -> Result<Stored, FinetuneError> {
    let data = read(path, tensor.without_autodiff().try_into_data())?.convert::<f32>();
    let shape = data.shape().to_vec();
    Ok(Stored { shape, values: Values::Float(data.iter::<f32>().collect()) })
}

fn read<E: ToString>(path: &str, data: Result<TensorData, E>) -> Result<TensorData, FinetuneError> {
    data.map_err(|error| FinetuneError::Unreadable { path: path.into(), reason: error.to_string() })
}

struct Capture {
    place: Place,
    codes: BTreeSet<String>,
    tensors: BTreeMap<String, Stored>,
    error: Option<FinetuneError>,
}

impl Capture {
    fn keep(&mut self, kind: &str, path: &str, stored: Result<Stored, FinetuneError>) {
        match stored {
            Ok(stored) => {
                self.tensors.insert(format!("{kind}:{path}"), stored);
            }
            Err(error) => self.error = Some(error),
        }
    }
}

impl ModuleVisitor for Capture {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (path, order) = (self.place.path(), self.place.order());
        if self.codes.contains(&path) {
            return;
        }
        let stored = float(&path, order.flat(param.base()));
        let shape = order.shape(param.lazy_shape().to_vec());
        self.keep("weight", &path, stored.map(|stored| Stored { shape, ..stored }));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        let path = self.place.path();
        let shape = param.lazy_shape().to_vec();
        let data = read(&path, param.val().try_into_data());
        let stored = data.map(|data| Stored { shape, values: Values::Int(data.iter::<i64>().collect()) });
        self.keep("int", &path, stored);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        let path = self.place.path();
        let shape = param.lazy_shape().to_vec();
        let data = read(&path, param.val().try_into_data());
        let stored = data.map(|data| Stored { shape, values: Values::Bool(data.iter::<bool>().collect()) });
        self.keep("mask", &path, stored);
    }
}
