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
    values: Halves,
}

#[derive(Debug, Clone, PartialEq)]
enum Halves {
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl HalfMatrix {
    /// A tensor, if it is a matrix of half precision.
    pub(super) fn read(
        stored: &SafetensorsCheckpoint,
        name: &str,
    ) -> Result<Option<Arc<dyn CompactMatrix>>, ModelError> {
        let (dtype, shape) = stored.info(name)?;
        let Ok(shape) = <[usize; 2]>::try_from(shape) else { return Ok(None) };
        let pairs = |bytes: Vec<u8>| bytes.chunks_exact(2).map(array).collect::<Vec<[u8; 2]>>();
        let values = match dtype {
            Dtype::F16 => Halves::F16(pairs(stored.bytes(name)?).into_iter().map(f16::from_le_bytes).collect()),
            Dtype::BF16 => Halves::Bf16(pairs(stored.bytes(name)?).into_iter().map(bf16::from_le_bytes).collect()),
            _ => return Ok(None),
        };
        let matrix = Self { shape, values };
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
        let places = row * self.shape[1]..(row + 1) * self.shape[1];
        match &self.values {
            Halves::F16(halves) => halves[places].convert_to_f32_slice(values),
            Halves::Bf16(halves) => halves[places].convert_to_f32_slice(values),
        }
    }
}
