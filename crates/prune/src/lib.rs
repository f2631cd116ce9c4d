#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod allocation;
mod block_shape;
#[cfg(feature = "calibration")]
mod calibrated;
mod error;
mod gradients;
mod mask;
mod n_of_m;
mod pruner;
mod regrow;
mod schedule;
mod scope;
mod score;
mod select;
mod sparsity;
mod target;
#[cfg(feature = "testing")]
pub mod testing;
mod ties;

pub use allocation::{Allocation, Grouping, Owl};
pub use block_shape::{BlockShape, Extent};
#[cfg(feature = "calibration")]
pub use calibrated::{ByNorms, Calibrated, NormScore, PrunedWeight, Round, Rounding, SparseGpt};
pub use error::PruneError;
pub use gradients::{Gradients, MovementSum};
pub use mask::{KeepMask, LayerMask, LayerSummary, Mask};
pub use n_of_m::NofM;
pub use pruner::Pruner;
pub use regrow::{GradientMagnitude, Grow, Regrow, rewire};
pub use schedule::{Nested, Ramp, Schedule, next_mask};
pub use scope::Scope;
pub use score::{Largest, Magnitude, Movement, Random, Ria, RowRun, Score, Taylor, Wanda, WeightRef};
pub use sparsity::Sparsity;
pub use target::Target;
pub use ties::Ties;
