//! Writes Hugging Face folders.

use crate::{ModelError, load::stored_name};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, TensorData};
use half::f16;
use safetensors::tensor::{Dtype, View};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// How a folder stores a model otherwise than as single floats.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// By parameter path, the tensors that a weight is stored as: what follows the module's name (`weight_packed`), and the
    /// tensor. The other matrices become half precision where that can hold them; vectors stay single.
    pub weights: BTreeMap<String, Vec<(&'static str, TensorData)>>,
    /// `quantization_config` of `config.json`.
    pub quantization_config: Value,
}

/// A linear of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinearName {
    /// The parameter path of its weight.
    pub path: String,
    /// Its name in Hugging Face's module, `model.layers.3.mlp.up_proj`.
    pub module: String,
}

/// Writes the float parameters of a module, in PyTorch's layout and `F32`, to a safetensors file under the names that
/// `name` gives their paths.
///
/// # Errors
/// [`ModelError::Io`] where the file cannot be written, for example because the disk is full.
pub fn export<M: Module>(module: &M, file: &Path, name: impl Fn(&str) -> String) -> Result<(), ModelError> {
    write(visited(module, name, None).tensors, file)
}

/// As [`export`], with weights stored as `storage` has them.
///
/// # Errors
/// As [`export`]; a stored tensor of a type that safetensors does not have.
pub fn export_as<M: Module>(
    module: &M,
    file: &Path,
    name: impl Fn(&str) -> String,
    storage: &Storage,
) -> Result<(), ModelError> {
    let stored = visited(module, name, Some(storage));
    match stored.wrong {
        Some((tensor, dtype)) => {
            let problem = format!("is {dtype:?}, which safetensors does not have");
            Err(ModelError::format(file, format!("tensor `{tensor}`"), problem))
        }
        None => write(stored.tensors, file),
    }
}

/// The linears of a module, in its order; `name` is as in [`export`].
pub fn linears<M: Module>(module: &M, name: impl Fn(&str) -> String) -> Vec<LinearName> {
    visited(module, name, None).linears
}

fn visited<'a, M: Module, F: Fn(&str) -> String>(module: &M, name: F, storage: Option<&'a Storage>) -> Stored<'a, F> {
    let mut stored = Stored { name, storage, place: Vec::new(), tensors: Vec::new(), linears: Vec::new(), wrong: None };
    module.visit(&mut stored);
    stored
}

fn write(tensors: Vec<(String, Rows)>, file: &Path) -> Result<(), ModelError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(tensors, Some(metadata), file).map_err(|error| {
        let source = match error {
            safetensors::SafeTensorError::IoError(source) => source,
            other => std::io::Error::other(other.to_string()),
        };
        ModelError::Io { path: file.to_owned(), source }
    })
}

/// Makes a folder with what `fill` writes: beside its place first, then renamed, so that it is whole or absent.
///
/// # Errors
/// A path that exists already and is not an empty folder; whatever `fill` fails with.
pub fn write_folder(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), ModelError>) -> Result<(), ModelError> {
    let io = |source| ModelError::Io { path: folder.to_owned(), source };
    let is_free = !folder.exists() || folder.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if !is_free {
        return Err(io(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "exists already; name a new folder or remove it",
        )));
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(io)?;
    let beside = tempfile::Builder::new().prefix(".junkdna-").tempdir_in(parent).map_err(io)?;
    fill(beside.path())?;
    let beside = beside.keep();
    std::fs::rename(&beside, folder).map_err(io)
}

struct Stored<'a, F> {
    name: F,
    storage: Option<&'a Storage>,
    place: Vec<(String, String)>,
    tensors: Vec<(String, Rows)>,
    linears: Vec<LinearName>,
    /// The first tensor that no file can hold.
    wrong: Option<(String, DType)>,
}

/// A parameter on its way to a file; its bytes are read off the device when they are written.
struct Rows {
    dtype: Dtype,
    shape: Vec<usize>,
    read: Box<dyn Fn() -> Vec<u8>>,
}

impl View for Rows {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned((self.read)())
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

impl Rows {
    fn float<const D: usize>(value: Tensor<D>) -> Self {
        let shape = value.dims().to_vec();
        Self { dtype: Dtype::F32, shape, read: Box::new(move || bytemuck::cast_slice(&floats(&value)).to_vec()) }
    }

    /// Half precision where all values stay finite.
    fn half<const D: usize>(value: Tensor<D>) -> Self {
        let largest = value.clone().abs().max().into_data().iter::<f32>().next().unwrap_or(0.0);
        if f16::from_f32(largest).is_infinite() {
            return Self::float(value);
        }
        let shape = value.dims().to_vec();
        let halves = move || floats(&value).into_iter().flat_map(|x| f16::from_f32(x).to_le_bytes()).collect();
        Self { dtype: Dtype::F16, shape, read: Box::new(halves) }
    }

    /// `None` for a type that safetensors does not have.
    fn data(tensor: &TensorData) -> Option<Self> {
        let dtype = match tensor.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::I64 => Dtype::I64,
            DType::I32 => Dtype::I32,
            DType::I8 => Dtype::I8,
            DType::U8 => Dtype::U8,
            _ => return None,
        };
        let (shape, tensor) = (tensor.shape().to_vec(), tensor.clone());
        Some(Self { dtype, shape, read: Box::new(move || tensor.as_bytes().to_vec()) })
    }
}

fn floats<const D: usize>(value: &Tensor<D>) -> Vec<f32> {
    value.to_data().convert::<f32>().iter::<f32>().collect()
}

impl<F: Fn(&str) -> String> ModuleVisitor for Stored<'_, F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.place.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".");
        let layer = self.place.last().map_or("", |(_, layer)| layer);
        let name = stored_name(&(self.name)(&path), layer);
        let module = name.strip_suffix(".weight").unwrap_or(&name).to_owned();
        let is_linear = D == 2 && layer == "Struct:Linear";
        if is_linear {
            self.linears.push(LinearName { path: path.clone(), module: module.clone() });
        }
        if let Some(parts) = self.storage.and_then(|storage| storage.weights.get(&path)) {
            for (suffix, tensor) in parts {
                let name = format!("{module}.{suffix}");
                match Rows::data(tensor) {
                    Some(rows) => self.tensors.push((name, rows)),
                    None => self.wrong = Some((name, tensor.dtype())),
                }
            }
            return;
        }
        let value = param.val();
        let value = if is_linear { value.swap_dims(0, D - 1) } else { value };
        let rows = if D == 2 && self.storage.is_some() { Rows::half(value) } else { Rows::float(value) };
        self.tensors.push((name, rows));
    }
}
