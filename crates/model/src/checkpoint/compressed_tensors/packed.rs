//! `pack-quantized`: codes of 1 to 8 bits in 32-bit words; and `int-quantized`: signed codes of a byte each.

use super::super::{Checkpoint, SafetensorsCheckpoint};
use super::config::{Packing, Sharing};
use super::part::Part;
use crate::compact::CompactMatrix;
use crate::error::ModelError;
use junkdna_backend::bit_packing::{unpack_row, words_of_row};
use safetensors::tensor::Dtype;

pub(super) const CODES: &str = ".weight_packed";
const SCALE: &str = ".weight_scale";
const SHAPE: &str = ".weight_shape";
const ZERO: &str = ".weight_zero_point";
const ORDER: &str = ".weight_g_idx";
/// Codes of a byte each have the name of the weight itself.
pub(super) const BYTES: &str = ".weight";
/// The tensors that one weight may be stored as.
pub(super) const PARTS: [&str; 6] = [CODES, BYTES, SCALE, SHAPE, ZERO, ORDER];

/// A weight matrix `[d_out, d_in]` of codes without gaps, in memory as in its file: `scale · (code − zero)`, with a scale and a
/// zero point for each group of inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct PackedMatrix {
    shape: [usize; 2],
    bits: u8,
    layout: Words,
    words: Vec<u32>,
    /// `[d_out, groups]`, or one for the matrix.
    scales: Vec<f32>,
    /// The codes that stand for zero, one for each scale; none where it is the middle code.
    zeros: Vec<u8>,
    /// The group of each input, where they do not follow one another.
    order: Option<Vec<u32>>,
}

/// How codes fill words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Without gaps.
    Dense,
    /// As many whole codes as fit, as releases before 0.15 did; the same for 1, 2, 4 and 8 bits.
    Whole,
}

impl Words {
    fn width(self, len: usize, bits: u8) -> usize {
        match self {
            Self::Dense => words_of_row(len, bits),
            Self::Whole => len.div_ceil(32 / usize::from(bits)),
        }
    }

    fn unpack(self, words: &[u32], bits: u8, codes: &mut [u8]) {
        match self {
            Self::Dense => unpack_row(words, bits, codes),
            Self::Whole => {
                let mask = u8::MAX >> (8 - bits);
                for (codes, word) in codes.chunks_mut(32 / usize::from(bits)).zip(words) {
                    (0..).zip(codes).for_each(|(i, code)| *code = (word >> (i * u32::from(bits))) as u8 & mask);
                }
            }
        }
    }
}

impl PackedMatrix {
    fn groups(&self) -> usize {
        self.scales.len() / self.shape[0].max(1)
    }

    /// The value of a code is this factor times the code less this number.
    fn grid(&self, group: usize) -> (f32, f32) {
        // One scale serves a whole matrix.
        let group = if self.scales.len() == 1 { 0 } else { group };
        let middle = 1u8 << (self.bits - 1);
        (self.scales[group], f32::from(self.zeros.get(group).copied().unwrap_or(middle)))
    }
}

impl CompactMatrix for PackedMatrix {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn bytes(&self) -> usize {
        let order = self.order.as_ref().map_or(0, Vec::len);
        4 * (self.words.len() + self.scales.len() + order) + self.zeros.len()
    }

    fn read_row(&self, row: usize, values: &mut [f32]) {
        let [_, d_in] = self.shape;
        let width = self.layout.width(d_in, self.bits);
        let mut codes = vec![0; d_in];
        self.layout.unpack(&self.words[row * width..(row + 1) * width], self.bits, &mut codes);
        let groups = self.groups();
        if let Some(order) = &self.order {
            for ((value, code), group) in values.iter_mut().zip(codes).zip(order) {
                let (scale, zero) = self.grid(row * groups + *group as usize);
                *value = scale * (f32::from(code) - zero);
            }
            return;
        }
        let size = d_in.checked_div(groups).unwrap_or(d_in).max(1);
        for (group, (values, codes)) in values.chunks_mut(size).zip(codes.chunks(size)).enumerate() {
            let (scale, zero) = self.grid(row * groups + group);
            values.iter_mut().zip(codes).for_each(|(value, &code)| *value = scale * (f32::from(code) - zero));
        }
    }
}

/// Checks that the parts of a weight fit one another, by their headers and its stored shape, which is returned.
pub(super) fn check(stored: &SafetensorsCheckpoint, module: &str, packing: &Packing) -> Result<[usize; 2], ModelError> {
    let part = |suffix: &str| Part::new(stored, module, suffix);
    let (shape, shape_part) = match packing.in_bytes {
        true => (part(BYTES)?.matrix()?, BYTES),
        false => (part(SHAPE)?.sizes()?, SHAPE),
    };
    let [d_out, d_in] = shape;
    let groups = match packing.sharing {
        Sharing::Tensor => None,
        Sharing::Channel => Some(1),
        Sharing::Group(size) if d_in.is_multiple_of(size) => Some(d_in / size),
        Sharing::Group(size) => {
            let problem = format!("says that the weight has {d_in} inputs, which groups of {size} do not divide");
            return Err(part(shape_part)?.error(problem));
        }
    };
    let codes = part(if packing.in_bytes { BYTES } else { CODES })?;
    codes.expect_type(&[if packing.in_bytes { Dtype::I8 } else { Dtype::I32 }])?;
    let widths = [Words::Dense, Words::Whole].map(|words| words.width(d_in, packing.bits));
    if !packing.in_bytes && !widths.iter().any(|&width| codes.shape == [d_out, width]) {
        let problem = format!(
            "has shape {:?}; codes of {} bits of a [{d_out}, {d_in}] weight have [{d_out}, {}]",
            codes.shape, packing.bits, widths[0]
        );
        return Err(codes.error(problem));
    }
    let scale = part(SCALE)?;
    scale.expect_type(&[Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F64])?;
    match groups {
        Some(groups) => scale.expect_shape(&[d_out, groups])?,
        None => scale.expect_shape(&[1])?,
    }
    if !packing.symmetric {
        let zero = part(ZERO)?;
        match groups {
            Some(groups) if packing.in_bytes => {
                zero.expect_type(&[Dtype::I8])?;
                zero.expect_shape(&[d_out, groups])?;
            }
            Some(groups) => {
                zero.expect_type(&[Dtype::I32])?;
                let heights = [Words::Dense, Words::Whole].map(|words| words.width(d_out, packing.bits));
                if !heights.iter().any(|&height| zero.shape == [height, groups]) {
                    zero.expect_shape(&[heights[0], groups])?;
                }
            }
            None => {
                zero.expect_type(&[Dtype::I8])?;
                zero.expect_shape(&[1])?;
            }
        }
    }
    if let Ok(order) = part(ORDER) {
        order.expect_type(&[Dtype::I32, Dtype::I64])?;
        order.expect_shape(&[d_in])?;
    }
    Ok(shape)
}

/// The weight of a module that [`check`] has passed.
pub(super) fn read(
    stored: &SafetensorsCheckpoint,
    module: &str,
    packing: &Packing,
) -> Result<PackedMatrix, ModelError> {
    let part = |suffix: &str| Part::new(stored, module, suffix);
    let bits = packing.bits;
    let shape = check(stored, module, packing)?;
    let [d_out, d_in] = shape;
    if packing.in_bytes {
        let words = words_of_bytes(&part(BYTES)?.bytes()?, d_in);
        let scales = stored.read(&part(SCALE)?.name)?;
        let zeros = if packing.symmetric { Vec::new() } else { part(ZERO)?.bytes()? };
        let zeros = zeros.into_iter().map(unsigned).collect();
        return Ok(PackedMatrix { shape, bits, layout: Words::Dense, words, scales, zeros, order: None });
    }
    let codes = part(CODES)?;
    let layout = if codes.shape[1] == words_of_row(d_in, bits) { Words::Dense } else { Words::Whole };
    let scales = stored.read(&part(SCALE)?.name)?;
    let zeros = match (packing.symmetric, packing.sharing) {
        (true, _) => Vec::new(),
        (false, Sharing::Tensor) => {
            let zero = part(ZERO)?;
            vec![zero.bytes()?[0].wrapping_add(1 << (bits - 1))]
        }
        (false, _) => read_zeros(&part(ZERO)?, d_out, bits)?,
    };
    let groups = scales.len() / d_out.max(1);
    let order = match part(ORDER) {
        Ok(order) => read_order(&order, groups)?,
        Err(_) => None,
    };
    Ok(PackedMatrix { shape, bits, layout, words: codes.words()?, scales, zeros, order })
}

/// A signed code as those in words are, from 0.
fn unsigned(code: u8) -> u8 {
    code.wrapping_add(1 << 7)
}

/// Rows of signed bytes as rows of whole words.
fn words_of_bytes(bytes: &[u8], d_in: usize) -> Vec<u32> {
    let word = |bytes: &[u8]| (0..).zip(bytes).fold(0, |word, (i, &byte)| word | u32::from(unsigned(byte)) << (8 * i));
    bytes.chunks(d_in.max(1)).flat_map(|row| row.chunks(4).map(word)).collect()
}

/// The zero points of all groups, `[d_out, groups]`, from words that run down the outputs.
fn read_zeros(part: &Part<'_>, d_out: usize, bits: u8) -> Result<Vec<u8>, ModelError> {
    let [height, groups] = [part.shape[0], part.shape[1]];
    let layout = if height == words_of_row(d_out, bits) { Words::Dense } else { Words::Whole };
    let words = part.words()?;
    let mut zeros = vec![0; d_out * groups];
    let mut of_group = vec![0; d_out];
    for group in 0..groups {
        let column: Vec<u32> = (0..height).map(|row| words[row * groups + group]).collect();
        layout.unpack(&column, bits, &mut of_group);
        of_group.iter().enumerate().for_each(|(output, &zero)| zeros[output * groups + group] = zero);
    }
    Ok(zeros)
}

/// The group of each input; `None` where none was set.
fn read_order(part: &Part<'_>, groups: usize) -> Result<Option<Vec<u32>>, ModelError> {
    let order = part.integers()?;
    if order.iter().all(|&group| group == -1) {
        return Ok(None);
    }
    let in_range = |group: &i64| u32::try_from(*group).ok().filter(|&group| (group as usize) < groups);
    match order.iter().map(in_range).collect::<Option<Vec<u32>>>() {
        Some(order) => Ok(Some(order)),
        None => Err(part.error(format!("names a group that is none of 0 to {}", groups.saturating_sub(1)))),
    }
}
