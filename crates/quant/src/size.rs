//! What weights cost in files, to the byte, and which width costs what a sparsity does.
//!
//! Counted are the tensors as files hold them: rows of codes filled up to whole words, scales, zero points, the shapes that
//! compressed-tensors keeps beside its tensors, the bits of masks. Names and the rest of a file's header are not.

use crate::compressed_tensors::packable;
use crate::scheme::scale_bits;
use crate::{Granularity, QuantError, Quantized, Scheme, gguf};
use junkdna_backend::bit_packing::words_of_row;
use std::fmt;

/// Bytes of a weight in half precision.
const HALF: usize = 2;

/// Bytes of a place, a count or a size.
const INTEGER: usize = 8;

/// How a file holds codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CodeFormat {
    /// [`Quantized::to_pack_quantized`].
    #[default]
    PackQuantized,
    /// [`Quantized::to_int_quantized`].
    IntQuantized,
    /// [`Quantized::to_gguf`].
    Gguf,
}

impl CodeFormat {
    /// Bytes of the codes of a `[d_out, d_in]` matrix and of all that is stored with them.
    ///
    /// # Errors
    /// A group size that does not divide `d_in`; [`QuantError::NotPackable`] or [`QuantError::NotGguf`] for a scheme that the
    /// format does not have.
    pub fn bytes(self, scheme: &Scheme, [d_out, d_in]: [usize; 2]) -> Result<usize, QuantError> {
        match self {
            Self::PackQuantized => pack_quantized(scheme, [d_out, d_in]),
            Self::IntQuantized => int_quantized(scheme, [d_out, d_in]),
            Self::Gguf => Ok(d_out * d_in / gguf::BLOCK * gguf::Block::of(scheme, d_in)?.bytes()),
        }
    }
}

impl fmt::Display for CodeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PackQuantized => "pack-quantized",
            Self::IntQuantized => "int-quantized",
            Self::Gguf => "gguf",
        })
    }
}

fn pack_quantized(scheme: &Scheme, [d_out, d_in]: [usize; 2]) -> Result<usize, QuantError> {
    let bits = packable(scheme)?;
    let one = scheme.granularity() == Granularity::Tensor;
    let groups = groups_of_row(scheme, d_in)?;
    let codes = 4 * d_out * words_of_row(d_in, bits);
    let zeros = match (scheme.symmetric(), one) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 4 * words_of_row(d_out, bits) * groups,
    };
    Ok(codes + scales(scheme, if one { 1 } else { d_out * groups }) + zeros + 2 * INTEGER)
}

fn int_quantized(scheme: &Scheme, [d_out, d_in]: [usize; 2]) -> Result<usize, QuantError> {
    if packable(scheme)? != 8 {
        return Err(QuantError::NotPackable { what: format!("{scheme} codes in bytes") });
    }
    let grids = match scheme.granularity() {
        Granularity::Tensor => 1,
        _ => d_out * groups_of_row(scheme, d_in)?,
    };
    let zeros = if scheme.symmetric() { 0 } else { grids };
    Ok(d_out * d_in + scales(scheme, grids) + zeros)
}

fn groups_of_row(scheme: &Scheme, d_in: usize) -> Result<usize, QuantError> {
    Ok(d_in.checked_div(scheme.group_len(1, d_in)?).unwrap_or(0))
}

/// 8-bit scales are stored in 16: loaders do not know them.
fn scales(scheme: &Scheme, count: usize) -> usize {
    count * (scale_bits(scheme.scales()) / 8).max(HALF)
}

impl Quantized {
    /// Bytes in a file of this format.
    ///
    /// # Errors
    /// As [`CodeFormat::bytes`]; factors of inputs and outliers, which no format has.
    pub fn file_bytes(&self, format: CodeFormat) -> Result<usize, QuantError> {
        let what = || "factors of inputs and outliers".to_owned();
        match (self.input_scales().is_some() || !self.outliers().is_empty(), format) {
            (false, _) => format.bytes(&self.scheme(), [self.d_out(), self.d_in()]),
            (true, CodeFormat::PackQuantized | CodeFormat::IntQuantized) => {
                Err(QuantError::NotPackable { what: what() })
            }
            (true, CodeFormat::Gguf) => Err(QuantError::NotGguf { what: what() }),
        }
    }
}

/// How a file holds pruned weights: a bit for each, and what is kept in half precision. The layouts of compressed-tensors up to
/// 0.14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SparseFormat {
    /// `sparse-bitmask`: any places, and where each row's values begin.
    #[default]
    Bitmask,
    /// `sparse-24-bitmask`: two of every four inputs of an output.
    TwoOfFour,
}

impl SparseFormat {
    /// Bytes of a `[d_out, d_in]` matrix of which `kept` weights are not zero.
    pub fn bytes(self, [d_out, d_in]: [usize; 2], kept: usize) -> usize {
        self.beside_values([d_out, d_in])
            + HALF
                * match self {
                    Self::Bitmask => kept,
                    Self::TwoOfFour => d_out * d_in / 2,
                }
    }

    /// Bytes of all but the values.
    fn beside_values(self, [d_out, d_in]: [usize; 2]) -> usize {
        let offsets = match self {
            Self::Bitmask => d_out * INTEGER,
            Self::TwoOfFour => 0,
        };
        d_out * d_in.div_ceil(8) + offsets + 2 * INTEGER
    }
}

impl fmt::Display for SparseFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bitmask => "sparse-bitmask",
            Self::TwoOfFour => "sparse-24-bitmask",
        })
    }
}

/// The same weights pruned and quantized, compared by their bytes in files.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeMatch {
    shapes: Vec<[usize; 2]>,
    sparse: SparseFormat,
    /// Each width that the scheme can have in its format, and its bytes.
    widths: Vec<(u8, usize)>,
}

impl SizeMatch {
    /// Of matrices of these shapes, `[d_out, d_in]` each; the scheme's own width does not matter.
    ///
    /// # Errors
    /// As [`CodeFormat::bytes`], where no width can be stored.
    pub fn new(
        shapes: Vec<[usize; 2]>,
        sparse: SparseFormat,
        codes: CodeFormat,
        scheme: Scheme,
    ) -> Result<Self, QuantError> {
        let bytes_of = |bits: u8| -> Result<(u8, usize), QuantError> {
            let scheme = scheme.with_bits(bits)?;
            let bytes = shapes.iter().map(|&shape| codes.bytes(&scheme, shape)).sum::<Result<usize, _>>()?;
            Ok((bits, bytes))
        };
        let (widths, refused): (Vec<_>, Vec<_>) = (2..=8).map(bytes_of).partition(Result::is_ok);
        match refused.into_iter().find_map(Result::err) {
            Some(error) if widths.is_empty() => Err(error),
            _ => Ok(Self { widths: widths.into_iter().flatten().collect(), shapes, sparse }),
        }
    }

    /// Weights in all.
    pub fn weights(&self) -> usize {
        self.shapes.iter().map(|[d_out, d_in]| d_out * d_in).sum()
    }

    /// Bytes at a sparsity, the nearest whole number of weights kept; of a fixed one in [`SparseFormat::TwoOfFour`].
    pub fn pruned_bytes(&self, sparsity: f64) -> usize {
        let kept = ((1.0 - sparsity) * self.weights() as f64).round() as usize;
        match self.sparse {
            SparseFormat::Bitmask => self.beside_values() + HALF * kept,
            SparseFormat::TwoOfFour => self.shapes.iter().map(|&shape| self.sparse.bytes(shape, 0)).sum(),
        }
    }

    /// Bytes with codes of so many bits; `None` where the format has no such codes.
    pub fn quantized_bytes(&self, bits: u8) -> Option<usize> {
        self.widths.iter().find(|(width, _)| *width == bits).map(|(_, bytes)| *bytes)
    }

    /// The width nearest in bytes to weights pruned to `sparsity`, and its bytes; of two as near the narrower.
    pub fn width(&self, sparsity: f64) -> (u8, usize) {
        let wanted = self.pruned_bytes(sparsity);
        // There is a width, or this would not have been made.
        self.widths.iter().copied().min_by_key(|(_, bytes)| bytes.abs_diff(wanted)).unwrap_or_default()
    }

    /// The sparsity whose bytes are nearest to `bytes`; `None` where more are taken even with nothing left, or fewer with all.
    pub fn sparsity(&self, bytes: usize) -> Option<f64> {
        let (values, weights) = (bytes.checked_sub(self.beside_values())?, self.weights());
        let kept = match self.sparse {
            SparseFormat::Bitmask => values / HALF,
            // Half of them are, whatever is zero.
            SparseFormat::TwoOfFour if bytes == self.pruned_bytes(0.5) => weights / 2,
            SparseFormat::TwoOfFour => return None,
        };
        (kept <= weights && weights > 0).then(|| 1.0 - kept as f64 / weights as f64)
    }

    fn beside_values(&self) -> usize {
        self.shapes.iter().map(|&shape| self.sparse.beside_values(shape)).sum()
    }
}
