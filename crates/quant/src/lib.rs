#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod finite;
#[cfg(feature = "calibration")]
mod gptq;
mod grid;
mod module;
mod quantized;
mod range;
mod round_to_nearest;
mod scheme;
mod summary;

pub use error::QuantError;
#[cfg(feature = "calibration")]
pub use gptq::Gptq;
pub use grid::Grid;
pub use quantized::Quantized;
pub use range::{MinMax, Range};
pub use round_to_nearest::RoundToNearest;
pub use scheme::{Granularity, Scheme};
pub use summary::{Distortion, LayerSummary, Summary};
