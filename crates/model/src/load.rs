//! Fills a module with the tensors of a checkpoint.

use crate::compact::{Attach, CompactWeight};
use crate::{ModelError, checkpoint::Checkpoint};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use junkdna_backend::placeholder;
use std::collections::{BTreeMap, BTreeSet};

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
    Loader::new(checkpoint, name).fill(module)
}

/// As [`load`], but matrices that the checkpoint stores in fewer bits than single floats stay so
/// ([`CompactWeight`](crate::CompactWeight)): for scoring. Visitors of the module see a placeholder in their place;
/// [`Module::materialize`] makes it the module that [`load`] gives.
///
/// # Errors
/// As [`load`].
pub fn load_compact<M: Module>(
    module: M,
    checkpoint: &dyn Checkpoint,
    name: impl Fn(&str) -> String,
) -> Result<M, ModelError> {
    let mut loader = Loader::new(checkpoint, name);
    loader.compact = Some(BTreeMap::new());
    let module = loader.fill(module)?;
    Ok(module.apply_reparameterization(Attach { weights: loader.compact.unwrap_or_default() }))
}

impl<'a, F: Fn(&str) -> String> Loader<'a, F> {
    fn new(checkpoint: &'a dyn Checkpoint, name: F) -> Self {
        let unused = checkpoint.names().into_iter().collect();
        Self { checkpoint, name, place: Vec::new(), unused, compact: None, error: None }
    }

    fn fill<M: Module>(&mut self, module: M) -> Result<M, ModelError> {
        let module = module.map(self);
        self.check_all_used()?;
        Ok(module)
    }

    fn check_all_used(&mut self) -> Result<(), ModelError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.unused.retain(|tensor| !BUFFERS.iter().any(|buffer| tensor.ends_with(buffer)));
        if self.unused.is_empty() {
            return Ok(());
        }
        Err(ModelError::UnusedTensors {
            path: self.checkpoint.location().to_owned(),
            tensors: std::mem::take(&mut self.unused).into_iter().collect(),
        })
    }
}

struct Loader<'a, F> {
    checkpoint: &'a dyn Checkpoint,
    name: F,
    /// Field names and the types of the modules around them.
    place: Vec<(String, String)>,
    unused: BTreeSet<String>,
    /// By parameter path, the weights that stay as they are stored; `None` where all become floats.
    compact: Option<BTreeMap<String, CompactWeight>>,
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
        self.unused.remove(&name);
        if let (2, Some(kept)) = (D, &mut self.compact)
            && let Some(matrix) = self.checkpoint.compact(&name)?
        {
            kept.insert(path, CompactWeight::new(matrix, transposed));
            return Ok(placeholder(param.lazy_shape().dims(), &param.lazy_device()));
        }
        let values = self.checkpoint.read(&name)?;
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
