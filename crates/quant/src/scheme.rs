//! What the codes are: how many bits, where zero is, and which weights share a scale.

use crate::codebook::{Codebook, FP4, NF4};
use crate::{Grid, QuantError};
use burn::tensor::quantization::ScaleDtype;
use serde::{Deserialize, Serialize};
use std::fmt;

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

/// Where zero is among integer codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroPoint {
    /// The middle code; nothing is stored. "Symmetric".
    Middle,
    /// The middle code, and the lowest is not used: as many codes below zero as above, as in Burn's Q8S, Q4S and Q2S.
    Narrow,
    /// One of the codes, stored in as many bits: weights that are zero stay zero. "Asymmetric".
    Code,
    /// Anywhere between the codes, stored like a scale: HQQ's, and that of GGUF's Q4_1. Weights that are zero may move.
    Real,
}

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codes {
    /// `scale · (code − zero)`, codes 0 … 2^bits − 1.
    Integer {
        /// Bits of a code, 2 to 8.
        bits: u8,
        /// Where zero is.
        zero_point: ZeroPoint,
    },
    /// `scale` times one of 16 quantiles of a normal distribution (Dettmers et al. 2023, arXiv 2305.14314).
    Nf4,
    /// `scale` times a float of two exponent bits and one mantissa bit (E2M1).
    Fp4,
}

/// What is stored for each weight and each group of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Scheme {
    codes: Codes,
    granularity: Granularity,
    scales: ScaleDtype,
}

/// A scheme as somebody wrote it in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    codes: Codes,
    granularity: Granularity,
    scales: ScaleDtype,
}

impl TryFrom<Unchecked> for Scheme {
    type Error = QuantError;

    fn try_from(Unchecked { codes, granularity, scales }: Unchecked) -> Result<Self, QuantError> {
        Self::of(codes, granularity)?.with_scales(scales)
    }
}

impl Scheme {
    /// Integer codes of `bits` each, with 16-bit scales. Zero is the middle code in a symmetric scheme, in another one of
    /// the codes.
    ///
    /// # Errors
    /// If `bits` is not 2 to 8, or groups are empty.
    pub fn new(bits: u8, symmetric: bool, granularity: Granularity) -> Result<Self, QuantError> {
        let zero_point = if symmetric { ZeroPoint::Middle } else { ZeroPoint::Code };
        Self::of(Codes::Integer { bits, zero_point }, granularity)
    }

    /// Any codes, with 16-bit scales.
    ///
    /// # Errors
    /// If bits are not 2 to 8, or groups are empty.
    pub fn of(codes: Codes, granularity: Granularity) -> Result<Self, QuantError> {
        match (codes, granularity) {
            (Codes::Integer { bits, .. }, _) if !(2..=8).contains(&bits) => Err(QuantError::Bits { bits }),
            (_, Granularity::Group(0)) => Err(QuantError::EmptyGroup),
            _ => Ok(Self { codes, granularity, scales: ScaleDtype::F16 }),
        }
    }

    /// With scales stored, and computed with, in another type. One with fewer than 16 bits leaves no room for a zero point
    /// between the codes.
    ///
    /// # Errors
    /// [`QuantError::ZeroPoint`] for a zero point between the codes in 8 bits.
    pub fn with_scales(self, scales: ScaleDtype) -> Result<Self, QuantError> {
        let narrow = scale_bits(scales) < 16;
        match self.zero_point() {
            Some(ZeroPoint::Real) if narrow => Err(QuantError::ZeroPoint { scales }),
            _ => Ok(Self { scales, ..self }),
        }
    }

    /// With the zero points of integer codes elsewhere. Codebooks have theirs.
    ///
    /// # Errors
    /// As [`with_scales`](Self::with_scales).
    pub fn with_zero_point(self, zero_point: ZeroPoint) -> Result<Self, QuantError> {
        let codes = match self.codes {
            Codes::Integer { bits, .. } => Codes::Integer { bits, zero_point },
            codebook => codebook,
        };
        Self { codes, ..self }.with_scales(self.scales)
    }

    /// With integer codes of another width.
    ///
    /// # Errors
    /// If `bits` is not 2 to 8, or the codes are those of a codebook.
    pub fn with_bits(self, bits: u8) -> Result<Self, QuantError> {
        match self.codes {
            Codes::Integer { zero_point, .. } if (2..=8).contains(&bits) => {
                Ok(Self { codes: Codes::Integer { bits, zero_point }, ..self })
            }
            _ => Err(QuantError::Bits { bits }),
        }
    }

    /// What a code stands for.
    pub fn codes(&self) -> Codes {
        self.codes
    }

    /// Bits per code.
    pub fn bits(&self) -> u8 {
        match self.codes {
            Codes::Integer { bits, .. } => bits,
            Codes::Nf4 | Codes::Fp4 => 4,
        }
    }

    /// Where zero is among integer codes; `None` for codebooks.
    pub fn zero_point(&self) -> Option<ZeroPoint> {
        match self.codes {
            Codes::Integer { zero_point, .. } => Some(zero_point),
            Codes::Nf4 | Codes::Fp4 => None,
        }
    }

    /// Whether no zero points are stored.
    pub fn symmetric(&self) -> bool {
        matches!(self.zero_point(), None | Some(ZeroPoint::Middle | ZeroPoint::Narrow))
    }

    /// Whether weights that are zero stay zero.
    pub fn keeps_zero(&self) -> bool {
        self.zero_point() != Some(ZeroPoint::Real)
    }

    /// Which weights share a scale.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// How scales, and zero points between the codes, are stored.
    pub fn scales(&self) -> ScaleDtype {
        self.scales
    }

    /// The largest code, 2^bits − 1.
    pub fn max_code(&self) -> u8 {
        u8::MAX >> (8 - self.bits())
    }

    /// The smallest code in use.
    pub fn min_code(&self) -> u8 {
        u8::from(self.zero_point() == Some(ZeroPoint::Narrow))
    }

    /// The values of codes that are not integers.
    pub(crate) fn codebook(&self) -> Option<&'static Codebook> {
        match self.codes {
            Codes::Integer { .. } => None,
            Codes::Nf4 => Some(&NF4),
            Codes::Fp4 => Some(&FP4),
        }
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

    /// Bytes of a packed `[d_out, d_in]` matrix: codes without gaps, scales, zero points.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`.
    pub fn bytes(&self, d_out: usize, d_in: usize) -> Result<usize, QuantError> {
        Ok(self.stored_bits(d_out, d_in)?.iter().map(|bits| bits.div_ceil(8)).sum())
    }

    /// Bytes of a packed `[d_out, d_in]` matrix of which only `kept` weights have codes: a bit for each weight, codes without
    /// gaps, scales, zero points. No layout that other programs read has this.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`.
    pub fn sparse_bytes(&self, [d_out, d_in]: [usize; 2], kept: usize) -> Result<usize, QuantError> {
        let [_, scales, zeros] = self.stored_bits(d_out, d_in)?;
        let codes = kept * usize::from(self.bits());
        Ok([d_out * d_in, codes, scales, zeros].iter().map(|bits| bits.div_ceil(8)).sum())
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
    pub(crate) fn stored_bits(&self, d_out: usize, d_in: usize) -> Result<[usize; 3], QuantError> {
        let weights = d_out * d_in;
        let groups = weights.checked_div(self.group_len(d_out, d_in)?).unwrap_or(0);
        let bits = usize::from(self.bits());
        let zero_bits = match self.zero_point() {
            None | Some(ZeroPoint::Middle | ZeroPoint::Narrow) => 0,
            Some(ZeroPoint::Code) => bits,
            Some(ZeroPoint::Real) => scale_bits(self.scales),
        };
        Ok([weights * bits, groups * scale_bits(self.scales), groups * zero_bits])
    }

    /// The grid whose values span the range from `low` to `high`, or both further ends of a range around zero if the
    /// scheme is symmetric. Zero is always within.
    pub fn grid_over(&self, low: f32, high: f32) -> Grid {
        let (low, high) = match (low.min(0.0), high.max(0.0)) {
            // No weight but zero: any grid whose zero is a code holds it exactly.
            (0.0, 0.0) if !self.keeps_zero() => (0.0, 1.0),
            (0.0, 0.0) => (-1.0, 1.0),
            // The GPTQ authors leave the low end at 0 where no weight is negative. Their zero point is the middle code all
            // the same, which clips everything above half of the largest weight; small groups meet that often.
            (low, high) if self.symmetric() => (-high.max(-low), high.max(-low)),
            range => range,
        };
        let Some(zero_point) = self.zero_point() else {
            let largest = self.codebook().map_or(1.0, Codebook::largest);
            return Grid::new(high / largest, 0.0, self);
        };
        let max_code = f32::from(self.max_code());
        let steps = max_code - f32::from(self.min_code());
        let scale = stored_scale((high - low) / steps, self.scales);
        let zero = match zero_point {
            ZeroPoint::Middle | ZeroPoint::Narrow => (max_code + 1.0) / 2.0,
            ZeroPoint::Code | ZeroPoint::Real => -low / scale,
        };
        Grid::new(scale, zero, self)
    }
}

/// Bits of a stored scale.
pub(crate) fn scale_bits(scales: ScaleDtype) -> usize {
    match scales {
        ScaleDtype::F32 => 32,
        ScaleDtype::F16 | ScaleDtype::BF16 => 16,
        ScaleDtype::UE8M0 | ScaleDtype::UE4M3 => 8,
    }
}

/// The scale that is stored in place of `scale`: positive, the next one up, so that the largest weight is not clipped;
/// infinite where it overflows, which [`Grids`](crate::Grids) refuse.
pub(crate) fn stored_scale(scale: f32, scales: ScaleDtype) -> f32 {
    // A range of a few subnormals has no step of its own.
    let scale = scale.max(f32::MIN_POSITIVE);
    if scales == ScaleDtype::F32 {
        return scale;
    }
    // A scale that float arithmetic has put a little above one that can be stored is that one.
    let scale = scale * (1.0 - 4.0 * f32::EPSILON);
    if scale > scales.max_representable() { f32::INFINITY } else { scales.round_up(scale).max(f32::MIN_POSITIVE) }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { bits, zero_point: ZeroPoint::Middle } => write!(f, "{bits}-bit symmetric"),
            Self::Integer { bits, zero_point: ZeroPoint::Narrow } => write!(f, "{bits}-bit narrow symmetric"),
            Self::Integer { bits, zero_point: ZeroPoint::Code } => write!(f, "{bits}-bit asymmetric"),
            Self::Integer { bits, zero_point: ZeroPoint::Real } => write!(f, "{bits}-bit with real zeros"),
            Self::Nf4 => write!(f, "NF4"),
            Self::Fp4 => write!(f, "FP4"),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per ", self.codes)?;
        match self.granularity {
            Granularity::Tensor => write!(f, "tensor")?,
            Granularity::Channel => write!(f, "channel")?,
            Granularity::Group(size) => write!(f, "group of {size}")?,
        }
        match self.scales {
            ScaleDtype::F16 => Ok(()),
            other => write!(f, ", {other:?} scales"),
        }
    }
}
