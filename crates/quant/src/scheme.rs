//! What the codes are: how many bits, where zero is, and which weights share a scale.

use crate::QuantError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bits of a stored scale: half precision, as in packed checkpoints.
const SCALE_BITS: usize = 16;

/// Which weights share one scale and zero point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// All of a matrix.
    Tensor,
    /// All inputs of one output.
    Channel,
    /// So many neighbouring inputs of one output; must divide the input dimension.
    Group(usize),
}

/// A uniform integer code for weights: `scale · (code − zero)` with codes 0 … 2^bits − 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Scheme {
    bits: u8,
    symmetric: bool,
    granularity: Granularity,
}

/// A scheme as somebody wrote it in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    bits: u8,
    symmetric: bool,
    granularity: Granularity,
}

impl TryFrom<Unchecked> for Scheme {
    type Error = QuantError;

    fn try_from(scheme: Unchecked) -> Result<Self, QuantError> {
        Self::new(scheme.bits, scheme.symmetric, scheme.granularity)
    }
}

impl Scheme {
    /// A scheme of `bits` per code. A symmetric one fixes the zero point at the middle code and stores none.
    ///
    /// # Errors
    /// If `bits` is not 2 to 8, or groups are empty.
    pub fn new(bits: u8, symmetric: bool, granularity: Granularity) -> Result<Self, QuantError> {
        match granularity {
            _ if !(2..=8).contains(&bits) => Err(QuantError::Bits { bits }),
            Granularity::Group(0) => Err(QuantError::EmptyGroup),
            _ => Ok(Self { bits, symmetric, granularity }),
        }
    }

    /// Bits per code.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether the zero point is the middle code instead of a stored one.
    pub fn symmetric(&self) -> bool {
        self.symmetric
    }

    /// Which weights share a scale.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// The largest code, 2^bits − 1.
    pub fn max_code(&self) -> u8 {
        u8::MAX >> (8 - self.bits)
    }

    /// Weights per group of a `[d_out, d_in]` matrix. Groups lie one after another in its rows.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`.
    pub fn group_len(&self, d_out: usize, d_in: usize) -> Result<usize, QuantError> {
        match self.granularity {
            Granularity::Tensor => Ok(d_out * d_in),
            Granularity::Channel => Ok(d_in),
            Granularity::Group(size) if d_in.is_multiple_of(size) => Ok(size),
            Granularity::Group(group_size) => Err(QuantError::GroupSize { d_in, group_size }),
        }
    }

    /// Bytes of a packed `[d_out, d_in]` matrix: codes without gaps, 16-bit scales, zero points of `bits` bits.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`.
    pub fn bytes(&self, d_out: usize, d_in: usize) -> Result<usize, QuantError> {
        let [codes, scales, zeros] = self.stored_bits(d_out, d_in)?;
        Ok(codes.div_ceil(8) + scales.div_ceil(8) + zeros.div_ceil(8))
    }

    /// Bits per weight of a `[d_out, d_in]` matrix, its scales and zero points counted.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`.
    pub fn effective_bits(&self, d_out: usize, d_in: usize) -> Result<f64, QuantError> {
        let stored: usize = self.stored_bits(d_out, d_in)?.iter().sum();
        Ok(stored as f64 / (d_out * d_in).max(1) as f64)
    }

    /// Bits of all codes, all scales and all zero points.
    fn stored_bits(&self, d_out: usize, d_in: usize) -> Result<[usize; 3], QuantError> {
        let weights = d_out * d_in;
        let groups = weights.checked_div(self.group_len(d_out, d_in)?).unwrap_or(0);
        let bits = usize::from(self.bits);
        let zero_bits = if self.symmetric { 0 } else { bits };
        Ok([weights * bits, groups * SCALE_BITS, groups * zero_bits])
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symmetry = if self.symmetric { "symmetric" } else { "asymmetric" };
        write!(f, "{}-bit {symmetry} per ", self.bits)?;
        match self.granularity {
            Granularity::Tensor => write!(f, "tensor"),
            Granularity::Channel => write!(f, "channel"),
            Granularity::Group(size) => write!(f, "group of {size}"),
        }
    }
}
