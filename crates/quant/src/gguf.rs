//! Codes as the blocks of GGUF files.

use crate::{Codes, QuantError, Quantized, ScaleDtype, ZeroPoint};
use burn::tensor::f16;

/// Weights of a block; each has a scale of its own.
const BLOCK: usize = 32;

impl Quantized {
    /// The blocks that the weight is stored as, row after row, and the name of their type: `Q8_0` for symmetric codes of 8
    /// bits, `Q4_0` for those of 4, `Q4_1` for 4 bits with zero points. The values are exactly the codes', but for `Q4_1`,
    /// which stores −scale·zero, rounded to half precision, in place of the zero point.
    ///
    /// # Errors
    /// [`QuantError::NotGguf`] for other codes, groups of other than 32 inputs, scales that are not half floats, factors of
    /// inputs and outliers.
    pub fn to_gguf(&self) -> Result<(&'static str, Vec<u8>), QuantError> {
        let no = |what: &str| Err(QuantError::NotGguf { what: what.into() });
        if self.group_len() != BLOCK || !self.d_in().is_multiple_of(BLOCK) {
            return no(&format!("{} inputs in groups of {}", self.d_in(), self.group_len()));
        }
        if self.scheme().scales() != ScaleDtype::F16 {
            return no(&format!("{:?} scales", self.scheme().scales()));
        }
        if self.input_scales().is_some() || !self.outliers().is_empty() {
            return no("factors of inputs and outliers");
        }
        match self.scheme().codes() {
            Codes::Integer { bits: 8, zero_point: ZeroPoint::Middle } => Ok(("Q8_0", self.blocks(q8_0))),
            Codes::Integer { bits: 4, zero_point: ZeroPoint::Middle } => Ok(("Q4_0", self.blocks(q4_0))),
            Codes::Integer { bits: 4, zero_point: ZeroPoint::Code | ZeroPoint::Real } => {
                Ok(("Q4_1", self.blocks(q4_1)))
            }
            other => no(&format!("{other} codes")),
        }
    }

    fn blocks(&self, block: impl Fn(&[u8], f32, f32, &mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.codes().len() / BLOCK * (2 + BLOCK));
        let grids = self.scales().iter().zip(self.zeros());
        for (codes, (&scale, &zero)) in self.codes().chunks(BLOCK).zip(grids) {
            block(codes, scale, zero, &mut bytes);
        }
        bytes
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
