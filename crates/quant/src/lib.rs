#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "calibration")]
mod awq;
mod burn_tensor;
#[cfg(feature = "calibration")]
mod calibrated;
mod codebook;
pub mod compressed_tensors;
mod error;
mod finite;
mod gguf;
#[cfg(feature = "calibration")]
mod gptq;
mod grid;
mod grids;
#[cfg(feature = "calibration")]
mod inputs;
mod module;
mod outliers;
mod packed;
mod parts;
mod quantized;
mod range;
mod round_to_nearest;
#[cfg(feature = "calibration")]
mod scaled;
mod scheme;
mod size;
#[cfg(feature = "calibration")]
mod smoothquant;
mod summary;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "calibration")]
pub use awq::Awq;
pub use error::QuantError;
#[cfg(feature = "calibration")]
pub use gptq::Gptq;
pub use grid::Grid;
pub use grids::Grids;
#[cfg(feature = "calibration")]
pub use inputs::Inputs;
pub use module::QuantizedModule;
pub use packed::Packed;
pub use parts::Parts;
pub use quantized::{Outlier, Quantized};
pub use range::{Hqq, LeastError, MinMax, Range};
pub use round_to_nearest::RoundToNearest;
pub use scheme::{Codes, Granularity, Scheme, ZeroPoint};
pub use size::{CodeFormat, SizeMatch, SparseFormat};
#[cfg(feature = "calibration")]
pub use smoothquant::{SmoothQuant, quantize_activations};
pub use summary::{Distortion, LayerSummary, Summary};

pub use burn::tensor::quantization::ScaleDtype;
