//! A matrix of codes.

use crate::scheme::scale_bits;
use crate::{Distortion, Grid, QuantError, Scheme};
use junkdna_backend::HostMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Bits of the place of an outlier: its index in the matrix.
const PLACE_BITS: usize = 32;

/// A weight that is kept as it is, beside the codes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    /// Its place in the matrix, `output · d_in + input`.
    pub index: u32,
    /// Its value, as it is stored: in the type of the scales, or 16 bits if that has fewer.
    pub value: f32,
}

/// A quantized weight matrix `[d_out, d_in]`: one code per weight, one scale and zero point per group; where the method has
/// them, a factor for each input and outliers.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    pub(crate) d_out: usize,
    pub(crate) d_in: usize,
    pub(crate) scheme: Scheme,
    /// Weights per group, at least 1.
    pub(crate) group_len: usize,
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) zeros: Vec<f32>,
    pub(crate) input_scales: Option<Vec<f32>>,
    pub(crate) outliers: Vec<Outlier>,
}

impl Quantized {
    /// From what a file holds: one code per weight, row-major, one scale and one zero point per group.
    ///
    /// # Errors
    /// [`QuantError::Contents`] if there are not as many as the shape and the scheme have, a code is too large, or a scale is
    /// not positive and finite; a group size that does not divide `d_in`.
    pub fn from_parts(
        scheme: Scheme,
        [d_out, d_in]: [usize; 2],
        codes: Vec<u8>,
        scales: Vec<f32>,
        zeros: Vec<f32>,
    ) -> Result<Self, QuantError> {
        let wrong = |problem: String| Err(QuantError::Contents { problem });
        let weights = d_out.checked_mul(d_in).ok_or(QuantError::Contents { problem: "it is too large".into() })?;
        let group_len = scheme.group_len(d_out, d_in)?.max(1);
        let groups = weights / group_len;
        for (what, found, expected) in
            [("codes", codes.len(), weights), ("scales", scales.len(), groups), ("zero points", zeros.len(), groups)]
        {
            if found != expected {
                return wrong(format!("{found} {what}; a {d_out}x{d_in} matrix, {scheme}, has {expected}"));
            }
        }
        if let Some(code) = codes.iter().find(|&&code| code > scheme.max_code()) {
            return wrong(format!("a code is {code}; the largest of {scheme} is {}", scheme.max_code()));
        }
        if let Some(scale) = scales.iter().find(|&&scale| !(scale > 0.0 && scale.is_finite())) {
            return wrong(format!("a scale is {scale}; scales are positive and finite"));
        }
        if let Some(zero) = zeros.iter().find(|zero| !zero.is_finite()) {
            return wrong(format!("a zero point is {zero}"));
        }
        Ok(Self { d_out, d_in, scheme, group_len, codes, scales, zeros, input_scales: None, outliers: Vec::new() })
    }

    /// The same weights, each input's multiplied by a factor before they became codes: [`dequantize`](Self::dequantize)
    /// divides by it.
    ///
    /// # Errors
    /// [`QuantError::Contents`] if there is not one positive factor for each input.
    pub fn with_input_scales(self, input_scales: Vec<f32>) -> Result<Self, QuantError> {
        let positive = input_scales.iter().all(|scale| *scale > 0.0 && scale.is_finite());
        if input_scales.len() != self.d_in || !positive {
            let problem = format!("{} factors of inputs; {} positive ones are needed", input_scales.len(), self.d_in);
            return Err(QuantError::Contents { problem });
        }
        Ok(Self { input_scales: Some(input_scales), ..self })
    }

    /// With these weights kept beside the codes.
    ///
    /// # Errors
    /// [`QuantError::Contents`] if one lies outside of the matrix or is not finite.
    pub fn with_outliers(self, outliers: Vec<Outlier>) -> Result<Self, QuantError> {
        match outliers.iter().find(|o| o.index as usize >= self.codes.len() || !o.value.is_finite()) {
            None => Ok(Self { outliers, ..self }),
            Some(Outlier { index, value }) => {
                let problem = format!("outlier {value} at {index}; the matrix has {} weights", self.codes.len());
                Err(QuantError::Contents { problem })
            }
        }
    }

    /// Outputs: the number of rows.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Inputs: the length of a row.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// What the codes mean.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Weights per group, at least 1.
    pub fn group_len(&self) -> usize {
        self.group_len
    }

    /// One code per weight, `[d_out, d_in]`, row-major, one to a byte.
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// One scale per group, in the order of the groups in the rows.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// One zero point per group, in codes: what stands for 0. Whole numbers, but for
    /// [`ZeroPoint::Real`](crate::ZeroPoint::Real).
    pub fn zeros(&self) -> &[f32] {
        &self.zeros
    }

    /// What each input's weights were multiplied by before they became codes, `[d_in]`.
    pub fn input_scales(&self) -> Option<&[f32]> {
        self.input_scales.as_deref()
    }

    /// Weights kept beside the codes.
    pub fn outliers(&self) -> &[Outlier] {
        &self.outliers
    }

    /// The grid of one group.
    ///
    /// # Panics
    /// If there are not so many groups.
    pub fn grid(&self, group: usize) -> Grid {
        Grid::stored(self.scales[group], self.zeros[group], &self.scheme)
    }

    /// The weights that the codes stand for, `[d_out, d_in]`.
    pub fn dequantize(&self) -> HostMatrix {
        let mut weights = vec![0.0; self.codes.len()];
        let d_in = self.d_in.max(1);
        // A row holds whole groups, or lies in the one group of the matrix.
        let run = self.group_len.min(d_in);
        let rows = weights.par_chunks_mut(d_in).zip(self.codes.par_chunks(d_in)).enumerate();
        rows.for_each(|(output, (weights, codes))| {
            for (i, (weights, codes)) in weights.chunks_mut(run).zip(codes.chunks(run)).enumerate() {
                self.grid((output * d_in + i * run) / self.group_len).decode(codes, weights);
            }
            if let Some(scales) = &self.input_scales {
                weights.iter_mut().zip(scales).for_each(|(weight, scale)| *weight /= scale);
            }
        });
        self.outliers.iter().for_each(|outlier| weights[outlier.index as usize] = outlier.value);
        HostMatrix::new(weights, self.d_out, self.d_in)
    }

    /// Bytes when packed: codes without gaps, scales, zero points, factors of inputs, outliers with their places.
    pub fn bytes(&self) -> usize {
        self.stored_bits().iter().map(|bits| bits.div_ceil(8)).sum()
    }

    /// Bits per weight, all of [`bytes`](Self::bytes) counted.
    pub fn effective_bits(&self) -> f64 {
        self.stored_bits().iter().sum::<usize>() as f64 / self.codes.len().max(1) as f64
    }

    fn stored_bits(&self) -> [usize; 5] {
        let of_scale = scale_bits(self.scheme.scales());
        // A group size that does not divide was refused when this was made.
        let [codes, scales, zeros] = self.scheme.stored_bits(self.d_out, self.d_in).unwrap_or_default();
        let inputs = self.input_scales.as_ref().map_or(0, Vec::len) * of_scale;
        [codes, scales, zeros, inputs, self.outliers.len() * (PLACE_BITS + of_scale.max(16))]
    }

    /// How far the weights are from those that they came from.
    pub fn distortion(&self, weights: &HostMatrix) -> Distortion {
        Distortion::of_rows(weights.as_slice(), self.dequantize().as_slice(), self.d_in)
    }
}
