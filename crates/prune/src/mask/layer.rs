use super::share;
use crate::select::{Bits, all_kept, tail};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use rayon::prelude::*;
use std::fmt;

/// Weights a thread handles at a time; whole words.
const STEP: usize = 1 << 16;

/// Which weights of one matrix stay: `[d_out, d_in]`, row-major, one bit each, lowest bit first.
#[derive(Clone, PartialEq, Eq)]
pub struct LayerMask {
    d_out: usize,
    d_in: usize,
    bits: Bits,
}

impl LayerMask {
    /// Everything stays.
    pub fn all_kept(d_out: usize, d_in: usize) -> Self {
        Self::from_bits(d_out, d_in, all_kept(d_out * d_in, 1).swap_remove(0))
    }

    /// The weights of which `keep(output, input)` is true stay.
    pub fn from_fn(d_out: usize, d_in: usize, keep: impl Fn(usize, usize) -> bool) -> Self {
        let mut bits = vec![0; (d_out * d_in).div_ceil(64)];
        for index in (0..d_out * d_in).filter(|i| keep(i / d_in, i % d_in)) {
            bits[index / 64] |= 1 << (index % 64);
        }
        Self::from_bits(d_out, d_in, bits)
    }

    /// The weights that are not zero stay; `values` holds `d_out * d_in`.
    pub(crate) fn of_zeros(d_out: usize, d_in: usize, values: &[f32]) -> Self {
        Self::of(d_out, d_in, values, |value| value != 0.0)
    }

    /// The weights stay of which `entries`, `d_out * d_in` of them, say so. In parallel.
    pub(crate) fn of<T: Copy + Sync>(
        d_out: usize,
        d_in: usize,
        entries: &[T],
        stays: impl Fn(T) -> bool + Sync,
    ) -> Self {
        let word =
            |entries: &[T]| entries.iter().enumerate().fold(0, |word, (i, &entry)| word | u64::from(stays(entry)) << i);
        Self::from_bits(d_out, d_in, entries.par_chunks(64).with_min_len(STEP / 64).map(word).collect())
    }

    /// `bits` holds as many words as the weights need, unused bits 0.
    pub(crate) fn from_bits(d_out: usize, d_in: usize, bits: Bits) -> Self {
        debug_assert_eq!(bits.len(), (d_out * d_in).div_ceil(64));
        debug_assert!(bits.last().is_none_or(|last| last & !tail(d_out * d_in) == 0));
        Self { d_out, d_in, bits }
    }

    /// Outputs.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Inputs.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Outputs and inputs.
    pub fn shape(&self) -> [usize; 2] {
        [self.d_out, self.d_in]
    }

    /// The bits, 64 to a word; 1 stays; those beyond the last weight are 0.
    pub fn words(&self) -> &[u64] {
        &self.bits
    }

    /// Whether a weight stays.
    ///
    /// # Panics
    /// If there is no such weight.
    pub fn keeps(&self, output: usize, input: usize) -> bool {
        assert!(output < self.d_out && input < self.d_in, "[{output}, {input}] of {:?}", self.shape());
        self.bit(output * self.d_in + input)
    }

    /// All weights.
    pub fn weights(&self) -> usize {
        self.d_out * self.d_in
    }

    /// Weights that stay.
    pub fn kept(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Weights that go.
    pub fn removed(&self) -> usize {
        self.weights() - self.kept()
    }

    /// The share of weights that go; 0 of none.
    pub fn sparsity(&self) -> f64 {
        share(self.removed(), self.weights())
    }

    /// Word by word with another mask of the same shape, both as bits that stay.
    pub(super) fn combine(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        let mut bits: Bits = self.bits.iter().zip(&other.bits).map(|(&a, &b)| f(a, b)).collect();
        if let Some(last) = bits.last_mut() {
            *last &= tail(self.weights());
        }
        Self::from_bits(self.d_out, self.d_in, bits)
    }

    /// The values with zeros where weights go; those that stay keep their bits. In parallel.
    pub(crate) fn zeroed(&self, values: &[f32]) -> Vec<f32> {
        let mut zeroed = vec![0.0; values.len()];
        let steps = zeroed.par_chunks_mut(STEP).zip(values.par_chunks(STEP)).zip(self.bits.par_chunks(STEP / 64));
        steps.for_each(|((zeroed, values), words)| {
            for ((zeroed, values), &word) in zeroed.chunks_mut(64).zip(values.chunks(64)).zip(words) {
                keep(word, values, zeroed);
            }
        });
        zeroed
    }

    /// The first weight that goes and is not zero, as a flat index.
    pub(super) fn first_not_zero(&self, values: &[f32]) -> Option<usize> {
        let at = |(chunk, values): (usize, &[f32])| {
            let gone = |i: &usize| self.bits[chunk] >> i & 1 == 0;
            (0..values.len()).filter(gone).find(|&i| values[i] != 0.0).map(|i| chunk * 64 + i)
        };
        values.par_chunks(64).with_min_len(STEP / 64).enumerate().find_map_first(at)
    }

    /// True where weights go, `[d_out, d_in]`.
    pub(super) fn removed_tensor(&self, device: &Device) -> Tensor<2, Bool> {
        let removed: Vec<bool> = (0..self.weights()).map(|index| !self.bit(index)).collect();
        Tensor::from_data(TensorData::new(removed, self.shape()), device)
    }

    fn bit(&self, index: usize) -> bool {
        self.bits[index / 64] >> (index % 64) & 1 == 1
    }
}

impl fmt::Debug for LayerMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerMask({} of {}x{} removed)", self.removed(), self.d_out, self.d_in)
    }
}

/// Copies up to 64 values whose bits are 1 and leaves the rest. Eight at a time: compilers make vectors of it.
#[inline]
fn keep(word: u64, values: &[f32], kept: &mut [f32]) {
    for (byte, (values, kept)) in values.chunks(8).zip(kept.chunks_mut(8)).enumerate() {
        let byte = (word >> (8 * byte)) as u32 & 0xff;
        for (i, (value, kept)) in values.iter().zip(kept).enumerate() {
            let all_or_none = if byte & (1 << i) != 0 { u32::MAX } else { 0 };
            *kept = f32::from_bits(value.to_bits() & all_or_none);
        }
    }
}
