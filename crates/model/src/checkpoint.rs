//! Stored weights: named tensors, read one at a time as `f32`.

mod compressed_tensors;
mod file;
mod gguf;
mod half;
mod precision;
mod safetensors;

pub use compressed_tensors::{CompressedCheckpoint, PackedMatrix, SparseLayout};
pub use gguf::GgufCheckpoint;
pub(crate) use gguf::{gguf_name, gguf_row_order};
pub use half::HalfMatrix;
pub use safetensors::SafetensorsCheckpoint;
pub(crate) use safetensors::shard_files;

pub(crate) use file::{atomic_write, file_length, read_range, read_text};

use crate::compact::CompactMatrix;
use crate::error::ModelError;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Named tensors of a stored model, in PyTorch layout (`[out, in]` for linears), read one at a time.
pub trait Checkpoint: Send + Sync {
    /// The tensors' Hugging Face names, sorted.
    fn names(&self) -> Vec<String>;

    /// The shape of a tensor, outermost dimension first.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The elements of a tensor, row-major, dequantized or converted to `f32`.
    ///
    /// # Errors
    /// A tensor that is missing, cannot be read, or holds a NaN or an infinity.
    fn read(&self, name: &str) -> Result<Vec<f32>, ModelError>;

    /// A matrix in as few bits as it is stored in; `None` where it is stored as single floats or cannot be kept otherwise.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn compact(&self, _name: &str) -> Result<Option<Arc<dyn CompactMatrix>>, ModelError> {
        Ok(None)
    }

    /// In how many bits a linear reads its input, token by token, by the name of its weight; `None` where it reads it as it is.
    fn input_bits(&self, _name: &str) -> Option<u8> {
        None
    }

    /// The type that a tensor is stored in, such as `F32`, `BF16` or `Q4_1`.
    fn dtype(&self, name: &str) -> Option<String>;

    /// The stored types and how many tensors have each, such as `Q4_1 (210 tensors), Q8_0 (1), F32 (61)`.
    fn describe_precision(&self) -> String;

    /// The file or folder that holds the checkpoint.
    fn location(&self) -> &Path;
}

/// Elements that a core takes at a time: large enough that handing them out costs nothing.
const ELEMENTS_PER_TASK: usize = 1 << 16;

/// Refuses a tensor that holds a NaN or an infinity.
fn check_finite(path: &Path, tensor: &str, values: &[f32]) -> Result<(), ModelError> {
    let chunks = values.par_chunks(ELEMENTS_PER_TASK).enumerate();
    let first = chunks.find_map_first(|(i, chunk)| {
        let within = chunk.iter().position(|value| !value.is_finite())?;
        Some((i * ELEMENTS_PER_TASK + within, chunk[within]))
    });
    match first {
        None => Ok(()),
        Some((index, value)) => {
            Err(ModelError::NonFinite { path: path.to_owned(), tensor: tensor.to_owned(), index, value })
        }
    }
}
