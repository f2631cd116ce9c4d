//! Folders that the Python package compressed-tensors wrote, or that it reads: `pack-quantized` and `int-quantized` codes, and the sparse
//! layouts of its releases up to 0.14.
//!
//! The layout is that of the package's sources (`compressors/pack_quantized`, `compressors/sparse_compressors`,
//! <https://github.com/vllm-project/compressed-tensors>).

mod config;
mod packed;
mod part;
mod sparse;

pub use packed::PackedMatrix;
pub use sparse::SparseLayout;

use super::{Checkpoint, HalfMatrix, SafetensorsCheckpoint, check_finite, precision};
use crate::compact::CompactMatrix;
use crate::error::ModelError;
use config::{Config, Packing};
use part::Part;
use safetensors::tensor::Dtype;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The tensors of such a folder under the names that they have in a folder of floats.
#[derive(Debug)]
pub struct CompressedCheckpoint {
    stored: SafetensorsCheckpoint,
    weights: BTreeMap<String, Weight>,
    /// Names of tensors that are parts of compressed weights.
    parts: BTreeSet<String>,
}

/// How a weight is stored.
#[derive(Debug)]
struct Weight {
    shape: [usize; 2],
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Packed(Packing),
    Sparse(SparseLayout),
}

impl CompressedCheckpoint {
    /// Reads the headers of a folder and the shapes of its compressed weights; `quantization` is the `quantization_config`
    /// of its `config.json`.
    ///
    /// # Errors
    /// A format that is not supported, a weight that lacks a part, parts whose shapes contradict one another.
    pub fn open(folder: &Path, quantization: &Value) -> Result<Self, ModelError> {
        let config = Config::parse(quantization, &folder.join("config.json"))?;
        let stored = SafetensorsCheckpoint::open(folder)?;
        let mut checkpoint = Self { stored, weights: BTreeMap::new(), parts: BTreeSet::new() };
        let names = checkpoint.stored.names();
        for module in names.iter().filter_map(|name| name.strip_suffix(packed::CODES)) {
            let packing = config.packing(module).ok_or_else(|| {
                let problem = "no group of `quantization_config` has it among its targets";
                checkpoint.error(&format!("{module}{}", packed::CODES), problem)
            })??;
            let shape = packed::check(&checkpoint.stored, module, &packing)?;
            checkpoint.add(module, &packed::PARTS, Weight { shape, layout: Layout::Packed(packing) });
        }
        for module in names.iter().filter_map(|name| name.strip_suffix(packed::BYTES)) {
            let in_bytes = Part::new(&checkpoint.stored, module, packed::BYTES)?.dtype() == Dtype::I8;
            let Some(packing) = config.packing(module).filter(|_| in_bytes).transpose()? else { continue };
            if packing.in_bytes {
                let shape = packed::check(&checkpoint.stored, module, &packing)?;
                checkpoint.add(module, &packed::PARTS, Weight { shape, layout: Layout::Packed(packing) });
            }
        }
        for module in names.iter().filter_map(|name| name.strip_suffix(sparse::MASK)) {
            let layout = config.sparse().ok_or_else(|| {
                let problem = "`sparsity_config` in `quantization_config` does not say which layout it has";
                checkpoint.error(&format!("{module}{}", sparse::MASK), problem)
            })?;
            let shape = sparse::check(&checkpoint.stored, module, layout)?;
            checkpoint.add(module, &sparse::PARTS, Weight { shape, layout: Layout::Sparse(layout) });
        }
        Ok(checkpoint)
    }

    fn add(&mut self, module: &str, parts: &[&str], weight: Weight) {
        self.parts.extend(parts.iter().map(|part| format!("{module}{part}")));
        self.weights.insert(format!("{module}.weight"), weight);
    }

    fn error(&self, tensor: &str, problem: &str) -> ModelError {
        ModelError::format(&self.stored.file(tensor), format!("tensor `{tensor}`"), problem)
    }

    fn packed(&self, name: &str, packing: &Packing) -> Result<PackedMatrix, ModelError> {
        packed::read(&self.stored, module_of(name), packing)
    }
}

fn module_of(name: &str) -> &str {
    name.strip_suffix(".weight").unwrap_or(name)
}

impl Checkpoint for CompressedCheckpoint {
    fn names(&self) -> Vec<String> {
        let plain = self.stored.names().into_iter().filter(|name| !self.parts.contains(name));
        let mut names: BTreeSet<String> = plain.collect();
        names.extend(self.weights.keys().cloned());
        names.into_iter().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self.weights.get(name) {
            Some(weight) => Some(weight.shape.to_vec()),
            None => self.stored.shape(name),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let values = match self.weights.get(name) {
            None => return self.stored.read(name),
            Some(Weight { shape, layout: Layout::Packed(packing) }) => {
                self.packed(name, packing)?.read_rows(0..shape[0])
            }
            Some(Weight { layout: Layout::Sparse(layout), .. }) => {
                sparse::read(&self.stored, module_of(name), *layout)?
            }
        };
        check_finite(self.location(), name, &values)?;
        Ok(values)
    }

    fn compact(&self, name: &str) -> Result<Option<Arc<dyn CompactMatrix>>, ModelError> {
        match self.weights.get(name) {
            None => HalfMatrix::read(&self.stored, name),
            Some(Weight { layout: Layout::Packed(packing), .. }) => Ok(Some(Arc::new(self.packed(name, packing)?))),
            Some(Weight { layout: Layout::Sparse(_), .. }) => Ok(None),
        }
    }

    fn input_bits(&self, name: &str) -> Option<u8> {
        match self.weights.get(name)?.layout {
            Layout::Packed(packing) => packing.input_bits,
            Layout::Sparse(_) => None,
        }
    }

    fn dtype(&self, name: &str) -> Option<String> {
        match self.weights.get(name).map(|weight| &weight.layout) {
            Some(Layout::Packed(packing)) => Some(packing.to_string()),
            Some(Layout::Sparse(layout)) => Some(layout.to_string()),
            None => self.stored.dtype(name),
        }
    }

    fn describe_precision(&self) -> String {
        precision::describe(
            self.names().into_iter().filter_map(|name| Some((self.dtype(&name)?, self.shape(&name)?.iter().product()))),
        )
    }

    fn location(&self) -> &Path {
        self.stored.location()
    }
}
