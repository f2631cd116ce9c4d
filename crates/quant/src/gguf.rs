//! Codes as the blocks of GGUF files.

use crate::{Codes, Granularity, QuantError, Quantized, ScaleDtype, Scheme, ZeroPoint};
use burn::tensor::f16;

/// Weights of a block; each has a scale of its own.
pub(crate) const BLOCK: usize = 32;

/// A type of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// A scale and 32 signed bytes.
    Q8_0,
    /// A scale and 32 codes of 4 bits.
    Q4_0,
    /// A scale, a minimum and 32 codes of 4 bits.
    Q4_1,
}

impl Block {
    /// The blocks of a scheme's codes, in rows of `d_in`.
    pub(crate) fn of(scheme: &Scheme, d_in: usize) -> Result<Self, QuantError> {
        let no = |what: String| Err(QuantError::NotGguf { what });
        let size = match scheme.granularity() {
            Granularity::Tensor => return no("one scale for a matrix".into()),
            Granularity::Channel => d_in,
            Granularity::Group(size) => size,
        };
        if size != BLOCK || !d_in.is_multiple_of(BLOCK) {
            return no(format!("{d_in} inputs in groups of {size}"));
        }
        if scheme.scales() != ScaleDtype::F16 {
            return no(format!("{:?} scales", scheme.scales()));
        }
        match scheme.codes() {
            Codes::Integer { bits: 8, zero_point: ZeroPoint::Middle } => Ok(Self::Q8_0),
            Codes::Integer { bits: 4, zero_point: ZeroPoint::Middle } => Ok(Self::Q4_0),
            Codes::Integer { bits: 4, zero_point: ZeroPoint::Code | ZeroPoint::Real } => Ok(Self::Q4_1),
            other => no(format!("{other} codes")),
        }
    }

    /// Bytes of one.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Q8_0 => 2 + BLOCK,
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 4 + BLOCK / 2,
        }
    }

    /// As files call it.
    fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
        }
    }
}

impl Quantized {
    /// The blocks that the weight is stored as, row after row, and the name of their type: `Q8_0` for symmetric codes of 8
    /// bits, `Q4_0` for those of 4, `Q4_1` for 4 bits with zero points. The values are exactly the codes', but for `Q4_1`,
    /// which stores −scale·zero, rounded to half precision, in place of the zero point.
    ///
    /// # Errors
    /// [`QuantError::NotGguf`] for other codes, groups of other than 32 inputs, scales that are not half floats, factors of
    /// inputs and outliers.
    pub fn to_gguf(&self) -> Result<(&'static str, Vec<u8>), QuantError> {
        let block = Block::of(&self.scheme(), self.d_in())?;
        if self.input_scales().is_some() || !self.outliers().is_empty() {
            return Err(QuantError::NotGguf { what: "factors of inputs and outliers".into() });
        }
        let write = match block {
            Block::Q8_0 => q8_0,
            Block::Q4_0 => q4_0,
            Block::Q4_1 => q4_1,
        };
        let mut bytes = Vec::with_capacity(self.codes().len() / BLOCK * block.bytes());
        let grids = self.scales().iter().zip(self.zeros());
        for (codes, (&scale, &zero)) in self.codes().chunks(BLOCK).zip(grids) {
            write(codes, scale, zero, &mut bytes);
        }
        Ok((block.name(), bytes))
    }
}

fn half(value: f32) -> [u8; 2] {
    f16::from_f32(value).to_le_bytes()
}

/// A scale and 32 signed bytes.
fn q8_0(codes: &[u8], scale: f32, _zero: f32, bytes: &mut Vec<u8>) {
    bytes.extend(half(scale));
    bytes.extend(codes.iter().map(|code| code.wrapping_sub(128)));
}

/// A scale and 16 bytes of codes, the first half of the block in their low halves.
fn q4_0(codes: &[u8], scale: f32, _zero: f32, bytes: &mut Vec<u8>) {
    bytes.extend(half(scale));
    nibbles(codes, bytes);
}

/// A scale, a minimum, and codes as in `Q4_0`.
fn q4_1(codes: &[u8], scale: f32, zero: f32, bytes: &mut Vec<u8>) {
    bytes.extend(half(scale));
    bytes.extend(half(-scale * zero));
    nibbles(codes, bytes);
}

fn nibbles(codes: &[u8], bytes: &mut Vec<u8>) {
    let (low, high) = codes.split_at(BLOCK / 2);
    bytes.extend(low.iter().zip(high).map(|(low, high)| low | high << 4));
}
