//! The tensors that one weight is stored as.

use super::super::safetensors::{SafetensorsCheckpoint, array};
use crate::error::ModelError;
use safetensors::tensor::Dtype;

/// One of them.
pub(super) struct Part<'a> {
    stored: &'a SafetensorsCheckpoint,
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    dtype: Dtype,
}

impl<'a> Part<'a> {
    pub(super) fn new(stored: &'a SafetensorsCheckpoint, module: &str, suffix: &str) -> Result<Self, ModelError> {
        let name = format!("{module}{suffix}");
        let (dtype, shape) = stored.info(&name)?;
        Ok(Self { stored, name, shape, dtype })
    }

    pub(super) fn error(&self, problem: String) -> ModelError {
        ModelError::format(&self.stored.file(&self.name), format!("tensor `{}`", self.name), problem)
    }

    pub(super) fn expect_type(&self, types: &[Dtype]) -> Result<(), ModelError> {
        if types.contains(&self.dtype) {
            return Ok(());
        }
        Err(ModelError::UnsupportedType {
            path: self.stored.file(&self.name),
            tensor: self.name.clone(),
            dtype: self.dtype.to_string(),
            supported: types.iter().map(Dtype::to_string).collect::<Vec<_>>().join(", "),
        })
    }

    pub(super) fn expect_shape(&self, shape: &[usize]) -> Result<(), ModelError> {
        if self.shape == shape {
            return Ok(());
        }
        Err(self.error(format!("has shape {:?}, the weight's own shape asks for {shape:?}", self.shape)))
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.stored.bytes(&self.name)
    }

    pub(super) fn words(&self) -> Result<Vec<u32>, ModelError> {
        Ok(self.bytes()?.chunks_exact(4).map(|word| u32::from_le_bytes(array(word))).collect())
    }

    pub(super) fn integers(&self) -> Result<Vec<i64>, ModelError> {
        let bytes = self.bytes()?;
        Ok(match self.dtype {
            Dtype::I64 => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(array(b))).collect(),
            _ => bytes.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(array(b)))).collect(),
        })
    }

    /// Its own sizes as those of a matrix.
    pub(super) fn matrix(&self) -> Result<[usize; 2], ModelError> {
        match self.shape.as_slice() {
            &[d_out, d_in] if d_out > 0 && d_in > 0 => Ok([d_out, d_in]),
            other => Err(self.error(format!("has shape {other:?}; a matrix is right"))),
        }
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its two numbers as the sizes of a matrix.
    pub(super) fn sizes(&self) -> Result<[usize; 2], ModelError> {
        self.expect_type(&[Dtype::I64, Dtype::I32])?;
        if self.shape.iter().product::<usize>() != 2 {
            return Err(self.error(format!("has shape {:?}; it must hold two sizes", self.shape)));
        }
        let sizes = self.integers()?;
        let size = |i: usize| usize::try_from(sizes[i]).ok().filter(|size| (1..=1 << 31).contains(size));
        match (size(0), size(1)) {
            (Some(d_out), Some(d_in)) => Ok([d_out, d_in]),
            _ => Err(self.error(format!("says that the weight is {sizes:?}; two positive sizes are right"))),
        }
    }
}
