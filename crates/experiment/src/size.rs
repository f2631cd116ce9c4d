//! How large compressed weights are in a file, and what is as large.

use crate::compression::SHIPPED_BITS;
use crate::{Compressed, ExperimentError, Format};
use burn::module::Module;
use junkdna_backend::{Selection, weights};
use junkdna_model::SparseLayout;
use junkdna_prune::Mask;
use junkdna_quant::compressed_tensors::in_bytes;
use junkdna_quant::{CodeFormat, QuantError, Quantized, Scheme, SizeMatch, SparseFormat};
use serde::Serialize;

/// The bytes of compressed weights in a file, names not counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// The file's format.
    pub format: String,
    /// Bytes of all compressed weights.
    pub bytes: usize,
    /// Bits of a weight.
    pub bits_per_weight: f64,
    /// What takes as many bytes, where something does.
    pub same_size: Option<SameSize>,
}

/// The counterpart of pruned weights among quantized ones, and the other way round.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SameSize {
    /// Weights in codes.
    Codes {
        /// The file's format.
        format: String,
        /// Bits of a code.
        bits: u8,
        /// Bytes of all of them.
        bytes: usize,
    },
    /// Pruned weights.
    Sparse {
        /// The file's format.
        format: String,
        /// The share that is zero.
        sparsity: f64,
    },
}

impl Size {
    fn new(format: &impl ToString, bytes: usize, weights: usize, same_size: Option<SameSize>) -> Self {
        Self { format: format.to_string(), bytes, bits_per_weight: bits_per_weight(bytes, weights), same_size }
    }

    /// Of pruned weights in a sparse layout, compared with codes of `scheme`, whatever its width. Weights that were rounded to
    /// `codes` too are counted in those, beside a bit for each weight, where the format of their file is not given: none has
    /// such codes.
    ///
    /// # Errors
    /// A scheme that does not fit the weights.
    pub fn of_pruned(
        mask: &Mask,
        codes: Option<Scheme>,
        format: Format,
        scheme: Scheme,
    ) -> Result<Self, ExperimentError> {
        if let (Some(codes), Format::Float) = (codes, format) {
            let bytes = sparse_codes_bytes(mask, codes)?;
            return Ok(Self::new(&BITMASK_WITH_CODES, bytes, mask.weights(), None));
        }
        let sparse = match format {
            Format::Sparse(SparseLayout::TwoOfFour) => SparseFormat::TwoOfFour,
            _ => SparseFormat::Bitmask,
        };
        let packed = CodeFormat::PackQuantized;
        let shapes = mask.layers().values().map(|layer| layer.shape()).collect();
        let sizes = SizeMatch::new(shapes, sparse, packed, scheme)?;
        let (bits, bytes) = sizes.width(mask.sparsity());
        let same = SameSize::Codes { format: packed.to_string(), bits, bytes };
        Ok(Self::new(&sparse, sizes.pruned_bytes(mask.sparsity()), mask.weights(), Some(same)))
    }

    /// Of codes whose inputs are read in so many bits, compared with pruned weights; `None` where no file holds such codes.
    pub fn of_codes<'a>(
        weights: impl IntoIterator<Item = &'a Quantized>,
        format: Format,
        input_bits: Option<u8>,
    ) -> Option<Self> {
        let (mut bytes, mut shapes, mut last) = (0, Vec::new(), None);
        for quantized in weights {
            let codes = code_format(format, &quantized.scheme(), input_bits);
            bytes += quantized.file_bytes(codes).ok()?;
            shapes.push([quantized.d_out(), quantized.d_in()]);
            last = Some((codes, quantized.scheme()));
        }
        let (codes, scheme) = last?;
        let sparse = SparseFormat::Bitmask;
        let sizes = SizeMatch::new(shapes, sparse, codes, scheme).ok()?;
        let sparsity = sizes.sparsity(bytes);
        let same = sparsity.map(|sparsity| SameSize::Sparse { format: sparse.to_string(), sparsity });
        Some(Self::new(&codes, bytes, sizes.weights(), same))
    }
}

/// The width of codes of `scheme` at which the selected weights take the bytes that they take pruned to `sparsity`, as
/// `sparse-bitmask`; the nearest there is in this format.
///
/// # Errors
/// A scheme that does not fit the weights, or that the format does not have.
pub fn width_of_size<M: Module>(
    model: &M,
    selection: &Selection,
    scheme: Scheme,
    format: Format,
    sparsity: f64,
) -> Result<u8, ExperimentError> {
    let shapes = weights(model, selection).into_iter().map(|weight| {
        let [d_in, d_out] = weight.value.dims();
        [d_out, d_in]
    });
    let sizes = SizeMatch::new(shapes.collect(), SparseFormat::Bitmask, code_format(format, &scheme, None), scheme)?;
    Ok(sizes.width(sparsity).0)
}

/// No format of files.
const BITMASK_WITH_CODES: &str = "bitmask with codes";

fn sparse_codes_bytes(mask: &Mask, codes: Scheme) -> Result<usize, QuantError> {
    mask.layers().values().map(|layer| codes.sparse_bytes(layer.shape(), layer.kept())).sum()
}

fn code_format(format: Format, scheme: &Scheme, input_bits: Option<u8>) -> CodeFormat {
    match format {
        Format::Gguf => CodeFormat::Gguf,
        _ if in_bytes(scheme, input_bits) => CodeFormat::IntQuantized,
        _ => CodeFormat::PackQuantized,
    }
}

fn bits_per_weight(bytes: usize, weights: usize) -> f64 {
    8.0 * bytes as f64 / weights.max(1) as f64
}

impl Compressed {
    /// Bits per compressed weight, from the bytes of the files that hold it: half precision where nothing was done;
    /// `sparse-bitmask` where weights were removed, a bit for each, half precision for what is kept and where rows begin, or codes
    /// without gaps where what is kept was rounded to some, which no file has;
    /// `pack-quantized` where they were quantized, with scales and zero points, or for codes that it does not have the bits that
    /// they need without gaps.
    pub fn effective_bits(&self) -> f64 {
        match self {
            Self::Unchanged => SHIPPED_BITS,
            Self::Pruned { mask, codes } => {
                let layers = mask.layers().values();
                let halves = || layers.map(|layer| SparseFormat::Bitmask.bytes(layer.shape(), layer.kept())).sum();
                let in_codes = codes.and_then(|codes| sparse_codes_bytes(mask, codes).ok());
                bits_per_weight(in_codes.unwrap_or_else(halves), mask.weights())
            }
            Self::Quantized { summary, weights, input_bits } => {
                let bytes = |quantized: &Quantized| {
                    let format = code_format(Format::PackQuantized, &quantized.scheme(), *input_bits);
                    quantized.file_bytes(format).unwrap_or_else(|_| quantized.bytes())
                };
                bits_per_weight(weights.values().map(bytes).sum(), summary.weights())
            }
        }
    }
}
