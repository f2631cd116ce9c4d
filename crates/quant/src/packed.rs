//! Codes that take no more memory than they have bits.

use crate::{Outlier, Quantized, Scheme};
use burn::tensor::f16;
use junkdna_backend::HostMatrix;
use junkdna_backend::bit_packing::{pack_rows, unpack_row, words_of_row};
use rayon::prelude::*;

/// A [`Quantized`] matrix in as few bits as it has, for weights that stay in memory and are read whole: a byte for each code
/// is there only while they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    shape: [usize; 2],
    scheme: Scheme,
    group_len: usize,
    words: Vec<u32>,
    scales: Floats,
    zeros: Floats,
    input_scales: Option<Vec<f32>>,
    outliers: Vec<Outlier>,
}

/// Numbers in the shortest form that loses nothing.
#[derive(Debug, Clone, PartialEq)]
enum Floats {
    Same(f32, usize),
    Half(Vec<f16>),
    Single(Vec<f32>),
}

impl From<&Quantized> for Packed {
    fn from(quantized: &Quantized) -> Self {
        Self {
            shape: [quantized.d_out, quantized.d_in],
            scheme: quantized.scheme,
            group_len: quantized.group_len,
            words: pack_rows(&quantized.codes, quantized.d_in, quantized.scheme.bits()),
            scales: Floats::of(&quantized.scales),
            zeros: Floats::of(&quantized.zeros),
            input_scales: quantized.input_scales.clone(),
            outliers: quantized.outliers.clone(),
        }
    }
}

impl Packed {
    /// Outputs and inputs.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// What the codes mean.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        let inputs = self.input_scales.as_ref().map_or(0, |scales| size_of_val(&scales[..]));
        let codes = size_of_val(&self.words[..]);
        codes + self.scales.bytes() + self.zeros.bytes() + inputs + size_of_val(&self.outliers[..])
    }

    /// The matrix that was packed.
    pub fn unpack(&self) -> Quantized {
        let [d_out, d_in] = self.shape;
        let bits = self.scheme.bits();
        let mut codes = vec![0; d_out * d_in];
        let rows = codes.par_chunks_mut(d_in.max(1)).zip(self.words.par_chunks(words_of_row(d_in, bits).max(1)));
        rows.for_each(|(codes, words)| unpack_row(words, bits, codes));
        Quantized {
            d_out,
            d_in,
            scheme: self.scheme,
            group_len: self.group_len,
            codes,
            scales: self.scales.all(),
            zeros: self.zeros.all(),
            input_scales: self.input_scales.clone(),
            outliers: self.outliers.clone(),
        }
    }

    /// The weights that the codes stand for, `[d_out, d_in]`.
    pub fn dequantize(&self) -> HostMatrix {
        self.unpack().dequantize()
    }
}

impl Floats {
    fn of(values: &[f32]) -> Self {
        let same_bits = |a: f32, b: f32| a.to_bits() == b.to_bits();
        match values {
            [first, rest @ ..] if rest.iter().all(|&value| same_bits(value, *first)) => {
                Self::Same(*first, values.len())
            }
            _ if values.iter().all(|&value| same_bits(f16::from_f32(value).to_f32(), value)) => {
                Self::Half(values.iter().map(|&value| f16::from_f32(value)).collect())
            }
            _ => Self::Single(values.to_vec()),
        }
    }

    fn all(&self) -> Vec<f32> {
        match self {
            Self::Same(value, count) => vec![*value; *count],
            Self::Half(values) => values.iter().map(|value| value.to_f32()).collect(),
            Self::Single(values) => values.clone(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Same(..) => size_of::<f32>(),
            Self::Half(values) => size_of_val(&values[..]),
            Self::Single(values) => size_of_val(&values[..]),
        }
    }
}
