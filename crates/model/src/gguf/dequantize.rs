//! Blocks of 32 weights that share one scale, and the driver that turns any tensor's blocks to `f32` on all cores.
//!
//! In every format a block of 32 codes of four bits puts codes 0 to 15 into the low halves of 16 bytes and codes 16 to 31
//! into the high ones.

use super::k_quants;
use super::tensor_type::TensorType;
use half::{bf16, f16};
use rayon::prelude::*;

/// Turns one block of bytes to numbers; both slices have the lengths that the tensor type says.
type Block = fn(&[u8], &mut [f32]);

/// Blocks that a core takes at a time.
const BLOCKS_PER_TASK: usize = 1024;

/// The codebook of IQ4_NL and IQ4_XS: finer near zero, where most weights are.
pub(super) const IQ4_CODEBOOK: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Turns a tensor's bytes to numbers, all blocks in parallel.
pub(super) fn dequantize(tensor_type: TensorType, bytes: &[u8]) -> Vec<f32> {
    let (elements, length) = (tensor_type.block_len(), tensor_type.block_bytes());
    let block = block(tensor_type);
    let mut values = vec![0.0; bytes.len() / length * elements];
    values.par_chunks_mut(elements * BLOCKS_PER_TASK).zip(bytes.par_chunks(length * BLOCKS_PER_TASK)).for_each(
        |(values, bytes)| {
            let blocks = values.chunks_exact_mut(elements).zip(bytes.chunks_exact(length));
            blocks.for_each(|(values, bytes)| block(bytes, values));
        },
    );
    values
}

fn block(tensor_type: TensorType) -> Block {
    match tensor_type {
        TensorType::F32 => |b, y| y[0] = f32_at(b, 0),
        TensorType::F16 => |b, y| y[0] = f16_at(b, 0),
        TensorType::BF16 => |b, y| y[0] = bf16::from_le_bytes([b[0], b[1]]).to_f32(),
        TensorType::F64 => |b, y| y[0] = f64_at(b) as f32,
        TensorType::Q4_0 => q4_0,
        TensorType::Q4_1 => q4_1,
        TensorType::Q5_0 => q5_0,
        TensorType::Q5_1 => q5_1,
        TensorType::Q8_0 => q8_0,
        TensorType::IQ4_NL => iq4_nl,
        TensorType::Q2_K => k_quants::q2_k,
        TensorType::Q3_K => k_quants::q3_k,
        TensorType::Q4_K => k_quants::q4_k,
        TensorType::Q5_K => k_quants::q5_k,
        TensorType::Q6_K => k_quants::q6_k,
        TensorType::Q8_K => k_quants::q8_k,
        TensorType::IQ4_XS => k_quants::iq4_xs,
    }
}

pub(super) fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

pub(super) fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn f64_at(bytes: &[u8]) -> f64 {
    f64::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

/// Scale, 16 bytes of codes: w = d (q − 8).
fn q4_0(bytes: &[u8], y: &mut [f32]) {
    let d = f16_at(bytes, 0);
    for (j, q) in bytes[2..].iter().enumerate() {
        y[j] = d * (f32::from(q & 0xF) - 8.0);
        y[j + 16] = d * (f32::from(q >> 4) - 8.0);
    }
}

/// Scale, minimum, 16 bytes of codes: w = d q + m.
fn q4_1(bytes: &[u8], y: &mut [f32]) {
    let (d, m) = (f16_at(bytes, 0), f16_at(bytes, 2));
    for (j, q) in bytes[4..].iter().enumerate() {
        y[j] = d * f32::from(q & 0xF) + m;
        y[j + 16] = d * f32::from(q >> 4) + m;
    }
}

/// The codes of five-bit blocks: fifth bits in four bytes, then four bits each. Calls `put` with index and code.
fn five_bit_codes(bytes: &[u8], mut put: impl FnMut(usize, u8)) {
    let fifth = u32::from_le_bytes(std::array::from_fn(|i| bytes[i]));
    let bit = |j: usize| ((fifth >> j & 1) << 4) as u8;
    for (j, q) in bytes[4..].iter().enumerate() {
        put(j, q & 0xF | bit(j));
        put(j + 16, q >> 4 | bit(j + 16));
    }
}

/// Scale and five-bit codes: w = d (q − 16).
fn q5_0(bytes: &[u8], y: &mut [f32]) {
    let d = f16_at(bytes, 0);
    five_bit_codes(&bytes[2..], |j, q| y[j] = d * (f32::from(q) - 16.0));
}

/// Scale, minimum and five-bit codes: w = d q + m.
fn q5_1(bytes: &[u8], y: &mut [f32]) {
    let (d, m) = (f16_at(bytes, 0), f16_at(bytes, 2));
    five_bit_codes(&bytes[4..], |j, q| y[j] = d * f32::from(q) + m);
}

/// Scale and 32 signed bytes: w = d q.
fn q8_0(bytes: &[u8], y: &mut [f32]) {
    let d = f16_at(bytes, 0);
    for (y, q) in y.iter_mut().zip(&bytes[2..]) {
        *y = d * f32::from(*q as i8);
    }
}

/// Scale and 16 bytes of indices into the codebook: w = d codebook[q].
fn iq4_nl(bytes: &[u8], y: &mut [f32]) {
    codebook_block(f16_at(bytes, 0), &bytes[2..], y);
}

/// 32 weights from 16 bytes of indices into the codebook.
pub(super) fn codebook_block(d: f32, bytes: &[u8], y: &mut [f32]) {
    let value = |q: u8| d * f32::from(IQ4_CODEBOOK[usize::from(q)]);
    for (j, q) in bytes.iter().enumerate() {
        y[j] = value(q & 0xF);
        y[j + 16] = value(q >> 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reads_and_writes_exactly_its_block() {
        for tensor_type in TensorType::all() {
            // Three blocks of all ones; a wrong index would panic.
            let bytes = vec![0xFF; 3 * tensor_type.block_bytes()];
            let values = dequantize(tensor_type, &bytes);
            assert_eq!(values.len(), 3 * tensor_type.block_len());
        }
    }

    #[test]
    fn q4_1_by_hand() {
        let mut block = vec![];
        block.extend(f16::from_f32(0.5).to_le_bytes());
        block.extend(f16::from_f32(-2.0).to_le_bytes());
        block.extend([0x31; 16]);
        let mut y = [0.0; 32];
        q4_1(&block, &mut y);
        assert_eq!((y[0], y[15], y[16], y[31]), (-1.5, -1.5, -0.5, -0.5));
    }
}
