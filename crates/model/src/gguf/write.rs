//! Writes GGUF files, version 3.

use super::TensorType;
use crate::checkpoint::atomic_write;
use crate::error::ModelError;
use std::path::Path;

/// Tensors begin at multiples of this many bytes.
const ALIGNMENT: usize = 32;
const VERSION: u32 = 3;

/// A file in the making.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    keys: u64,
    metadata: Vec<u8>,
    tensors: Vec<Tensor>,
}

#[derive(Debug)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    tensor_type: TensorType,
    bytes: Vec<u8>,
}

impl Writer {
    fn key(&mut self, key: &str, kind: u32) {
        self.keys += 1;
        text_to(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
    }

    pub(crate) fn number(&mut self, key: &str, value: usize) {
        self.key(key, 4);
        // Sizes of models are at most 2^31.
        self.metadata.extend((value as u32).to_le_bytes());
    }

    pub(crate) fn float(&mut self, key: &str, value: f64) {
        self.key(key, 6);
        self.metadata.extend((value as f32).to_le_bytes());
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.key(key, 7);
        self.metadata.push(value.into());
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        text_to(&mut self.metadata, value);
    }

    pub(crate) fn texts<'a>(&mut self, key: &str, values: impl ExactSizeIterator<Item = &'a str>) {
        self.array(key, 8, values.len());
        values.for_each(|value| text_to(&mut self.metadata, value));
    }

    pub(crate) fn integers(&mut self, key: &str, values: &[i32]) {
        self.array(key, 5, values.len());
        self.metadata.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn array(&mut self, key: &str, kind: u32, length: usize) {
        self.key(key, 9);
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend((length as u64).to_le_bytes());
    }

    /// A tensor of a shape, outermost dimension first.
    pub(crate) fn tensor(&mut self, name: String, shape: Vec<usize>, tensor_type: TensorType, bytes: Vec<u8>) {
        self.tensors.push(Tensor { name, shape, tensor_type, bytes });
    }

    /// Writes the file, beside its place first.
    pub(crate) fn save(self, path: &Path) -> Result<(), ModelError> {
        let mut file = b"GGUF".to_vec();
        file.extend(VERSION.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend(self.keys.to_le_bytes());
        file.extend(self.metadata);
        let mut offset = 0usize;
        for tensor in &self.tensors {
            text_to(&mut file, &tensor.name);
            file.extend((tensor.shape.len() as u32).to_le_bytes());
            // Innermost first.
            tensor.shape.iter().rev().for_each(|&size| file.extend((size as u64).to_le_bytes()));
            file.extend(tensor.tensor_type.number().to_le_bytes());
            file.extend((offset as u64).to_le_bytes());
            offset = (offset + tensor.bytes.len()).next_multiple_of(ALIGNMENT);
        }
        for tensor in self.tensors {
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
            file.extend(tensor.bytes);
        }
        // Readers map the last tensor as far as its alignment goes.
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        atomic_write(path, &file)
    }
}

fn text_to(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}
