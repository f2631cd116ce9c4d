#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod allocation;
mod block_shape;
mod error;
mod gradients;
mod mask;
mod n_of_m;
mod pruner;
mod scope;
mod score;
mod select;
mod sparsity;
mod target;
mod ties;

pub use allocation::{Allocation, Grouping, Owl};
pub use block_shape::{BlockShape, Extent};
pub use error::PruneError;
pub use gradients::{Gradients, MovementSum};
pub use mask::{KeepMask, LayerMask, LayerSummary, Mask};
pub use n_of_m::NofM;
pub use pruner::Pruner;
pub use scope::Scope;
pub use score::{Largest, Magnitude, Movement, Random, Score, Taylor, WeightRef};
pub use sparsity::Sparsity;
pub use target::Target;
pub use ties::Ties;
