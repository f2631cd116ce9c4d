//! What quantization cost and saved, layer by layer.

use crate::Quantized;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::iter::Sum;

/// How far weights moved: sums over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Distortion {
    /// Sum of the squared differences.
    pub squared_error: f64,
    /// Sum of the squared original weights.
    pub squared_weight: f64,
}

impl Distortion {
    /// ‖W − Ŵ‖ / ‖W‖ in the Frobenius norm; 0 for weights that are all zero.
    pub fn relative_error(&self) -> f64 {
        if self.squared_weight == 0.0 { 0.0 } else { (self.squared_error / self.squared_weight).sqrt() }
    }

    /// How far `weights` moved to become `rounded`, both in rows of `d_in`; row by row and then in order, so that the sum is
    /// the same on any number of threads.
    pub(crate) fn of_rows(weights: &[f32], rounded: &[f32], d_in: usize) -> Self {
        let rows = weights.par_chunks(d_in.max(1)).zip(rounded.par_chunks(d_in.max(1)));
        rows.map(|(weights, rounded)| Self::between(weights, rounded)).collect::<Vec<_>>().into_iter().sum()
    }

    /// How far `weights` moved to become `rounded`.
    fn between(weights: &[f32], rounded: &[f32]) -> Self {
        // Independent sums per lane, so that the loop becomes vector code.
        const LANES: usize = 8;
        let (mut error, mut weight) = ([0.0; LANES], [0.0; LANES]);
        let mut add = |lane: usize, w: f32, r: f32| {
            let (w, r) = (f64::from(w), f64::from(r));
            error[lane] += (w - r) * (w - r);
            weight[lane] += w * w;
        };
        let (weights, last_weights) = weights.as_chunks::<LANES>();
        let (rounded, last_rounded) = rounded.as_chunks::<LANES>();
        for (weights, rounded) in weights.iter().zip(rounded) {
            (0..LANES).for_each(|lane| add(lane, weights[lane], rounded[lane]));
        }
        last_weights.iter().zip(last_rounded).enumerate().for_each(|(lane, (&w, &r))| add(lane, w, r));
        Self { squared_error: error.iter().sum(), squared_weight: weight.iter().sum() }
    }
}

impl Sum for Distortion {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |a, b| Self {
            squared_error: a.squared_error + b.squared_error,
            squared_weight: a.squared_weight + b.squared_weight,
        })
    }
}

/// What quantization did to one weight matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// Parameter path.
    pub path: String,
    /// Number of weights.
    pub weights: usize,
    /// Bits of a code.
    pub bits: u8,
    /// Bits per weight, scales, zero points, factors of inputs and outliers counted.
    pub effective_bits: f64,
    /// Bytes when packed.
    pub bytes: usize,
    /// Mean of the squared original weights.
    pub mean_square: f64,
    /// Mean of the squared differences.
    pub mean_squared_error: f64,
    /// ‖W − Ŵ‖ / ‖W‖ in the Frobenius norm.
    pub relative_error: f64,
    /// ‖X (W − Ŵ)ᵀ‖ / ‖X Wᵀ‖: how far the layer's outputs moved on the calibration samples, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_error: Option<f64>,
}

impl LayerSummary {
    /// Of a weight that moved by `distortion` when it became `quantized`.
    pub fn new(path: &str, quantized: &Quantized, distortion: Distortion) -> Self {
        let weights = quantized.codes().len();
        let mean = |sum: f64| sum / weights.max(1) as f64;
        Self {
            path: path.into(),
            weights,
            bits: quantized.scheme().bits(),
            effective_bits: quantized.effective_bits(),
            bytes: quantized.bytes(),
            mean_square: mean(distortion.squared_weight),
            mean_squared_error: mean(distortion.squared_error),
            relative_error: distortion.relative_error(),
            output_error: None,
        }
    }

    /// With the error of the layer's outputs on the calibration samples.
    pub fn with_output_error(self, output_error: f64) -> Self {
        Self { output_error: Some(output_error), ..self }
    }

    fn distortion(&self) -> Distortion {
        let weights = self.weights as f64;
        Distortion { squared_error: self.mean_squared_error * weights, squared_weight: self.mean_square * weights }
    }
}

/// What quantization did to a module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// One entry per quantized weight, in the module's order.
    pub layers: Vec<LayerSummary>,
}

impl Summary {
    /// Number of quantized weights.
    pub fn weights(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights).sum()
    }

    /// Bytes of the quantized weights when packed.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.bytes).sum()
    }

    /// Bits per quantized weight, all that is stored counted.
    pub fn effective_bits(&self) -> f64 {
        let bits: f64 = self.layers.iter().map(|layer| layer.effective_bits * layer.weights as f64).sum();
        bits / self.weights().max(1) as f64
    }

    /// Mean of the squared differences over all quantized weights.
    pub fn mean_squared_error(&self) -> f64 {
        self.distortion().squared_error / self.weights().max(1) as f64
    }

    /// ‖W − Ŵ‖ / ‖W‖ in the Frobenius norm over all quantized weights.
    pub fn relative_error(&self) -> f64 {
        self.distortion().relative_error()
    }

    fn distortion(&self) -> Distortion {
        self.layers.iter().map(LayerSummary::distortion).sum()
    }
}
