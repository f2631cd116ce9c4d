//! GGUF files, versions 2 and 3, little-endian: metadata, and tensors dequantized to `f32`.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod dequantize;
mod export;
mod header;
mod k_quants;
mod metadata;
mod tensor_type;
mod write;

pub use export::{GgufTensor, save_gguf};
pub use header::TensorInfo;
pub use metadata::Value;
pub use tensor_type::TensorType;
pub(crate) use write::Writer;

use crate::checkpoint::read_range;
use crate::error::ModelError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The header of a GGUF file; tensors are read from the file one at a time.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Gguf {
    /// Reads the header of a file, and checks every length and offset in it against the file's length.
    ///
    /// # Errors
    /// A file that cannot be read, is truncated, or contradicts itself.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ModelError> {
        let path = path.into();
        let (metadata, tensors) = header::read(&path)?;
        Ok(Self { path, metadata, tensors })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All metadata, by key.
    pub fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.metadata
    }

    /// All tensors, by the names that the file gives them.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// The elements of a tensor, outermost dimension slowest, dequantized; they may be infinite or NaN.
    ///
    /// # Errors
    /// A tensor that is missing or cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let info = self
            .tensors
            .get(name)
            .ok_or_else(|| ModelError::MissingTensor { path: self.path.clone(), tensor: name.to_owned() })?;
        let bytes = read_range(&self.path, info.offset, info.length)?;
        Ok(dequantize::dequantize(info.tensor_type, &bytes))
    }
}
