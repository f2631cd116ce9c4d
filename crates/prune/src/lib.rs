#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "calibration")]
mod calibrated;
mod error;
mod mask;
mod n_of_m;
mod pruner;
mod scope;
mod score;
mod select;
mod sparsity;
mod target;
mod ties;

#[cfg(feature = "calibration")]
pub use calibrated::{ByNorms, Calibrated, NormScore, PrunedWeight, Round, Rounding, SparseGpt};
pub use error::PruneError;
pub use mask::{KeepMask, LayerMask, LayerSummary, Mask};
pub use n_of_m::NofM;
pub use pruner::Pruner;
pub use scope::Scope;
pub use score::{Magnitude, Random, Ria, RowRun, Score, Wanda, WeightRef};
pub use sparsity::Sparsity;
pub use target::Target;
pub use ties::Ties;
