//! Super-blocks of 256 weights: small blocks whose scales are themselves quantized, under one or two common scales.

use super::dequantize::{codebook_block, f16_at, f32_at};

/// 16 blocks of 16, two bits: four-bit scale and minimum each, codes, common scale and common minimum.
/// w = d s q − m t.
pub(super) fn q2_k(bytes: &[u8], y: &mut [f32]) {
    let (scales, codes) = (&bytes[..16], &bytes[16..80]);
    let (d, m) = (f16_at(bytes, 80), f16_at(bytes, 82));
    for (block, y) in y.chunks_exact_mut(16).enumerate() {
        let (scale, min) = (d * f32::from(scales[block] & 0xF), m * f32::from(scales[block] >> 4));
        let (from, shift) = two_bit_place(block);
        for (y, q) in y.iter_mut().zip(&codes[from..]) {
            *y = scale * f32::from(q >> shift & 3) - min;
        }
    }
}

/// Where a block of 16 two-bit codes lies: its first byte, and the shift within each byte.
/// 32 bytes hold 128 codes: the first 32 codes in the lowest two bits, the next 32 in the next two, and so on.
fn two_bit_place(block: usize) -> (usize, usize) {
    let (half, within) = (block / 8, block % 8);
    (32 * half + 16 * (within % 2), 2 * (within / 2))
}

/// 16 blocks of 16, three bits: third bits, codes, six-bit scales, common scale. w = d (s − 32) (q − 4).
pub(super) fn q3_k(bytes: &[u8], y: &mut [f32]) {
    let (third, codes, scales) = (&bytes[..32], &bytes[32..96], &bytes[96..108]);
    let d = f16_at(bytes, 108);
    for (block, y) in y.chunks_exact_mut(16).enumerate() {
        let scale = d * (f32::from(q3_scale(scales, block)) - 32.0);
        let (from, shift) = two_bit_place(block);
        let (third, bit) = (&third[16 * (block % 2)..], block / 2);
        for (j, y) in y.iter_mut().enumerate() {
            let q = codes[from + j] >> shift & 3 | (third[j] >> bit & 1) << 2;
            *y = scale * (f32::from(q) - 4.0);
        }
    }
}

/// One of 16 six-bit scales: eight bytes hold the low four bits, four more the high two.
fn q3_scale(scales: &[u8], block: usize) -> u8 {
    let low = scales[block % 8] >> (4 * (block / 8)) & 0xF;
    let high = scales[8 + block % 4] >> (2 * (block / 4)) & 3;
    low | high << 4
}

/// One of eight pairs of six-bit scale and minimum, as Q4_K and Q5_K pack them into twelve bytes.
fn scale_and_min(packed: &[u8], block: usize) -> (f32, f32) {
    let (scale, min) = if block < 4 {
        (packed[block] & 63, packed[block + 4] & 63)
    } else {
        let low = packed[block + 4];
        (low & 0xF | packed[block - 4] >> 6 << 4, low >> 4 | packed[block] >> 6 << 4)
    };
    (f32::from(scale), f32::from(min))
}

/// A four-bit code of eight blocks of 32: two blocks share 32 bytes, the first in the low halves.
fn nibble(codes: &[u8], block: usize, j: usize) -> u8 {
    codes[32 * (block / 2) + j] >> (4 * (block % 2)) & 0xF
}

/// 8 blocks of 32, four bits: common scale and minimum, scales and minima, codes. w = d s q − m t.
pub(super) fn q4_k(bytes: &[u8], y: &mut [f32]) {
    let (d, m) = (f16_at(bytes, 0), f16_at(bytes, 2));
    let (packed, codes) = (&bytes[4..16], &bytes[16..]);
    for (block, y) in y.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_and_min(packed, block);
        let (scale, min) = (d * scale, m * min);
        for (j, y) in y.iter_mut().enumerate() {
            *y = scale * f32::from(nibble(codes, block, j)) - min;
        }
    }
}

/// 8 blocks of 32, five bits: as [`q4_k`] with 32 bytes of fifth bits before the codes, one bit per block.
pub(super) fn q5_k(bytes: &[u8], y: &mut [f32]) {
    let (d, m) = (f16_at(bytes, 0), f16_at(bytes, 2));
    let (packed, fifth, codes) = (&bytes[4..16], &bytes[16..48], &bytes[48..]);
    for (block, y) in y.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_and_min(packed, block);
        let (scale, min) = (d * scale, m * min);
        for (j, y) in y.iter_mut().enumerate() {
            let q = nibble(codes, block, j) | (fifth[j] >> block & 1) << 4;
            *y = scale * f32::from(q) - min;
        }
    }
}

/// 16 blocks of 16, six bits: low four bits, high two bits, signed byte scales, common scale. w = d s (q − 32).
///
/// Each half of 128 weights is four runs of 32: the low bits of runs 0 and 1 are the low halves of 64 bytes, of runs 2 and
/// 3 the high halves; the high bits of run r are bits 2r and 2r + 1 of 32 bytes.
pub(super) fn q6_k(bytes: &[u8], y: &mut [f32]) {
    let (low, high, scales) = (&bytes[..128], &bytes[128..192], &bytes[192..208]);
    let d = f16_at(bytes, 208);
    for (block, y) in y.chunks_exact_mut(16).enumerate() {
        let scale = d * f32::from(scales[block] as i8);
        let (half, run, from) = (block / 8, block % 8 / 2, 16 * (block % 2));
        let low = &low[64 * half + 32 * (run % 2) + from..];
        let high = &high[32 * half + from..];
        for (j, y) in y.iter_mut().enumerate() {
            let q = low[j] >> (4 * (run / 2)) & 0xF | (high[j] >> (2 * run) & 3) << 4;
            *y = scale * (f32::from(q) - 32.0);
        }
    }
}

/// Single-precision scale and 256 signed bytes (then sums that only dot products need): w = d q.
pub(super) fn q8_k(bytes: &[u8], y: &mut [f32]) {
    let d = f32_at(bytes, 0);
    for (y, q) in y.iter_mut().zip(&bytes[4..260]) {
        *y = d * f32::from(*q as i8);
    }
}

/// 8 blocks of 32 indices into the codebook: common scale, high two bits and low four bits of the scales, indices.
/// w = d (s − 32) codebook[q].
pub(super) fn iq4_xs(bytes: &[u8], y: &mut [f32]) {
    let d = f16_at(bytes, 0);
    let high = u16::from_le_bytes([bytes[2], bytes[3]]);
    let (low, codes) = (&bytes[4..8], &bytes[8..]);
    for (block, y) in y.chunks_exact_mut(32).enumerate() {
        let low = low[block / 2] >> (4 * (block % 2)) & 0xF;
        let scale = low | ((high >> (2 * block) & 3) << 4) as u8;
        let scale = d * (f32::from(scale) - 32.0);
        codebook_block(scale, &codes[16 * block..16 * (block + 1)], y);
    }
}
