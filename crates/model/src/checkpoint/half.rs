//! Matrices of 16-bit floats.

use super::check_finite;
use super::safetensors::{SafetensorsCheckpoint, array};
use crate::compact::CompactMatrix;
use crate::error::ModelError;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::tensor::Dtype;
use std::sync::Arc;

/// A matrix of half precision, in memory as in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct HalfMatrix {
    shape: [usize; 2],
    kind: Kind,
    /// As they are stored: a large table is then read once, into its place.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    F16,
    Bf16,
}

impl HalfMatrix {
    /// A tensor, if it is a matrix of half precision.
    pub(super) fn read(
        stored: &SafetensorsCheckpoint,
        name: &str,
    ) -> Result<Option<Arc<dyn CompactMatrix>>, ModelError> {
        let (dtype, shape) = stored.info(name)?;
        let Ok(shape) = <[usize; 2]>::try_from(shape) else { return Ok(None) };
        let kind = match dtype {
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            _ => return Ok(None),
        };
        let matrix = Self { shape, kind, bytes: stored.bytes(name)? };
        let mut row = vec![0.0; shape[1]];
        for index in 0..shape[0] {
            matrix.read_row(index, &mut row);
            check_finite(&stored.file(name), name, &row)?;
        }
        Ok(Some(Arc::new(matrix)))
    }
}

impl CompactMatrix for HalfMatrix {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn bytes(&self) -> usize {
        2 * self.shape[0] * self.shape[1]
    }

    fn read_row(&self, row: usize, values: &mut [f32]) {
        let halves = self.bytes[2 * row * self.shape[1]..2 * (row + 1) * self.shape[1]].chunks_exact(2).map(array);
        // A slice at a time the processor's own conversion is used.
        match self.kind {
            Kind::F16 => halves.map(f16::from_le_bytes).collect::<Vec<_>>().convert_to_f32_slice(values),
            Kind::Bf16 => halves.map(bf16::from_le_bytes).collect::<Vec<_>>().convert_to_f32_slice(values),
        }
    }
}
