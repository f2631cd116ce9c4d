//! Fills a module with the tensors of a checkpoint.

use crate::{ModelError, checkpoint::Checkpoint};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use std::collections::BTreeSet;

/// Buffers that old checkpoints store and no module has.
const BUFFERS: [&str; 3] = ["position_ids", "rotary_emb.inv_freq", "masked_bias"];

/// Fills every float parameter of `module` with the tensor of its name; `name` turns a parameter path into the
/// checkpoint's name for it.
///
/// Weights of linear layers keep PyTorch's memory layout: the parameter `[d_in, d_out]` is a transposed view, which costs
/// nothing and is what matrix products and the compression methods read fastest.
///
/// # Errors
/// A tensor that is missing, has another shape, or holds a NaN or an infinity; tensors the module has no place for.
pub fn load<M: Module>(module: M, checkpoint: &dyn Checkpoint, name: impl Fn(&str) -> String) -> Result<M, ModelError> {
    let unused = checkpoint.names().into_iter().collect();
    let mut loader = Loader { checkpoint, name, place: Vec::new(), unused, error: None };
    let module = module.map(&mut loader);
    if let Some(error) = loader.error {
        return Err(error);
    }
    loader.unused.retain(|tensor| !BUFFERS.iter().any(|buffer| tensor.ends_with(buffer)));
    if loader.unused.is_empty() {
        return Ok(module);
    }
    Err(ModelError::UnusedTensors {
        path: checkpoint.location().to_owned(),
        tensors: loader.unused.into_iter().collect(),
    })
}

struct Loader<'a, F> {
    checkpoint: &'a dyn Checkpoint,
    name: F,
    /// Field names and the types of the modules around them.
    place: Vec<(String, String)>,
    unused: BTreeSet<String>,
    error: Option<ModelError>,
}

impl<F: Fn(&str) -> String> Loader<'_, F> {
    fn read<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Result<Tensor<D>, ModelError> {
        let path = self.place.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".");
        let layer = self.place.last().map_or("", |(_, layer)| layer);
        let transposed = D == 2 && layer == "Struct:Linear";
        let name = stored_name(&(self.name)(&path), layer);

        let mut expected = param.lazy_shape().to_vec();
        if transposed {
            expected.reverse();
        }
        let location = || self.checkpoint.location().to_owned();
        let found = self.checkpoint.shape(&name);
        let found = found.ok_or_else(|| ModelError::MissingTensor { path: location(), tensor: name.clone() })?;
        if found != expected {
            return Err(ModelError::WrongShape { path: location(), tensor: name, found, expected });
        }
        let values = self.checkpoint.read(&name)?;
        self.unused.remove(&name);
        let tensor = Tensor::from_data(TensorData::new(values, expected), (&param.lazy_device(), DType::F32));
        Ok(if transposed { tensor.swap_dims(0, D - 1) } else { tensor })
    }
}

/// Burn calls the weight and bias of a norm gamma and beta.
pub(crate) fn stored_name(path: &str, layer: &str) -> String {
    match path.rsplit_once('.') {
        Some((module, "gamma")) if layer.ends_with("Norm") => format!("{module}.weight"),
        Some((module, "beta")) if layer.ends_with("Norm") => format!("{module}.bias"),
        _ => path.to_owned(),
    }
}

impl<F: Fn(&str) -> String> ModuleMapper for Loader<'_, F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        match self.read(&param) {
            Ok(tensor) => {
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}
