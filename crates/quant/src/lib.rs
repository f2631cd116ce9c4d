#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod burn_tensor;
#[cfg(feature = "calibration")]
mod calibrated;
mod codebook;
mod error;
mod finite;
#[cfg(feature = "calibration")]
mod gptq;
mod grid;
mod grids;
mod module;
mod outliers;
mod parts;
mod quantized;
mod range;
mod round_to_nearest;
mod scheme;
mod summary;

pub use error::QuantError;
#[cfg(feature = "calibration")]
pub use gptq::Gptq;
pub use grid::Grid;
pub use grids::Grids;
pub use module::QuantizedModule;
pub use parts::Parts;
pub use quantized::{Outlier, Quantized};
pub use range::{Hqq, LeastError, MinMax, Range};
pub use round_to_nearest::RoundToNearest;
pub use scheme::{Codes, Granularity, Scheme, ZeroPoint};
pub use summary::{Distortion, LayerSummary, Summary};

pub use burn::tensor::quantization::ScaleDtype;
