//! The weight matrices of any module, by parameter path.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::collections::BTreeMap;

/// Where a module's first parameter is; the default device if it has none.
pub fn device_of<M: Module>(module: &M) -> Device {
    module.devices().into_iter().next().unwrap_or_default()
}

/// What stands in the place of a weight whose values are kept elsewhere: of its shape, but one number, and no one's.
pub fn placeholder<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::<D>::full([1; D], f32::NAN, (device, DType::F32)).expand(shape)
}

/// Which parameters are compressed: matrices, in layers other than embeddings and norms, that a [`ParamGroup`] holds.
#[derive(Debug, Clone)]
pub struct Selection {
    /// By id, path or regular expression; all of them by default.
    pub group: ParamGroup,
    /// Embedding tables too.
    pub embeddings: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self { group: ParamGroup::all(), embeddings: false }
    }
}

impl Selection {
    /// Only parameters whose path matches this group.
    pub fn of(group: ParamGroup) -> Self {
        Self { group, embeddings: false }
    }

    fn takes(&self, id: &ParamId, path: &str, layer: &str) -> bool {
        let is_embedding = layer.ends_with("Embedding");
        let is_norm = layer.ends_with("Norm") || path.contains("norm");
        !is_norm && (self.embeddings || !is_embedding) && self.group.matches(id, Some(path))
    }
}

/// One weight matrix of a module.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Where it is in the module, for example `layers.3.mlp.up_proj.weight`.
    pub path: String,
    /// Its value, `[d_in, d_out]`.
    pub value: Tensor<2>,
}

/// The selected weight matrices, in the module's order.
pub fn weights<M: Module>(module: &M, selection: &Selection) -> Vec<Weight> {
    let mut visitor = Collect { selection, place: Place::default(), found: Vec::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// The module with the named weights replaced, `[d_in, d_out]` each. Paths the module does not have are left over in the
/// second value.
pub fn replace_weights<M: Module>(module: M, new: BTreeMap<String, Tensor<2>>) -> (M, BTreeMap<String, Tensor<2>>) {
    let mut mapper = Replace { place: Place::default(), new };
    let module = module.map(&mut mapper);
    (module, mapper.new)
}

/// The module with the named vectors divided, value by value. Paths the module does not have, or has with another length, are
/// left over in the second value.
pub fn divide_vectors<M: Module>(module: M, divisors: BTreeMap<String, Vec<f32>>) -> (M, BTreeMap<String, Vec<f32>>) {
    let mut mapper = Divide { place: Place::default(), divisors };
    let module = module.map(&mut mapper);
    (module, mapper.divisors)
}

/// Where a visitor is.
#[derive(Default)]
struct Place {
    path: Vec<String>,
    layers: Vec<String>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.path.push(name.into());
        self.layers.push(container.into());
    }

    fn exit(&mut self) {
        self.path.pop();
        self.layers.pop();
    }

    fn path(&self) -> String {
        self.path.join(".")
    }

    /// The innermost named module around the parameter, for example `Struct:Linear`.
    fn layer(&self) -> &str {
        self.layers.iter().rev().find(|l| l.starts_with("Struct:") || l.starts_with("Enum:")).map_or("", |l| l)
    }
}

struct Collect<'a> {
    selection: &'a Selection,
    place: Place,
    found: Vec<Weight>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.path();
        if D == 2 && self.selection.takes(&param.id, &path, self.place.layer()) {
            self.found.push(Weight { path, value: matrix(param.val()) });
        }
    }
}

struct Replace {
    place: Place,
    new: BTreeMap<String, Tensor<2>>,
}

impl ModuleMapper for Replace {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.new.remove(&self.place.path()) {
            Some(value) if D == 2 => param.map(|_| same_rank(value)),
            Some(value) => {
                self.new.insert(self.place.path(), value);
                param
            }
            None => param,
        }
    }
}

struct Divide {
    place: Place,
    divisors: BTreeMap<String, Vec<f32>>,
}

impl ModuleMapper for Divide {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.place.path();
        let fits = |by: &Vec<f32>| D == 1 && param.lazy_shape().num_elements() == by.len();
        match self.divisors.get(&path).filter(|by| fits(by)).cloned() {
            Some(by) => {
                self.divisors.remove(&path);
                param.map(|value| {
                    let data = TensorData::new(by, value.shape());
                    let trains = value.is_require_grad();
                    let divided = value.clone().inner() / Tensor::from_data(data, (&value.device(), value.dtype()));
                    divided.set_require_grad(trains)
                })
            }
            None => param,
        }
    }
}

/// A tensor known to have two dimensions, as one; keeps strides and storage.
fn matrix<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    Tensor::from_bridge(tensor.into_bridge())
}

fn same_rank<const D: usize>(tensor: Tensor<2>) -> Tensor<D> {
    Tensor::from_bridge(tensor.into_bridge())
}
