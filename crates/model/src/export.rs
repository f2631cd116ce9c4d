//! Writes Hugging Face folders.

use crate::{ModelError, load::stored_name};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use safetensors::tensor::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Writes the float parameters of a module, in PyTorch's layout and `F32`, to a safetensors file under the names that
/// `name` gives their paths.
///
/// # Errors
/// [`ModelError::Io`] where the file cannot be written, for example because the disk is full.
pub fn export<M: Module>(module: &M, file: &Path, name: impl Fn(&str) -> String) -> Result<(), ModelError> {
    let mut stored = Stored { name, place: Vec::new(), tensors: Vec::new() };
    module.visit(&mut stored);
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(stored.tensors, Some(metadata), file).map_err(|error| {
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

struct Stored<F> {
    name: F,
    place: Vec<(String, String)>,
    tensors: Vec<(String, Rows)>,
}

/// A parameter on its way to a file; its bytes are read off the device when they are written.
struct Rows {
    shape: Vec<usize>,
    read: Box<dyn Fn() -> Vec<f32>>,
}

impl View for Rows {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(bytemuck::cast_slice(&(self.read)()).to_vec())
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * size_of::<f32>()
    }
}

impl<F: Fn(&str) -> String> ModuleVisitor for Stored<F> {
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
        let value = param.val();
        let value = if D == 2 && layer == "Struct:Linear" { value.swap_dims(0, D - 1) } else { value };
        let shape = value.dims().to_vec();
        let read = Box::new(move || value.to_data().convert::<f32>().iter::<f32>().collect());
        self.tensors.push((name, Rows { shape, read }));
    }
}
