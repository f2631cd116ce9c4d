#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod dense_frozen;
mod error;
mod mode;
mod pruned;
mod sparse;
mod sparse_to_dense;
mod transfer;

pub use dense_frozen::FrozenWeights;
pub use error::FinetuneError;
pub use mode::Mode;
pub use sparse::PrunedWeights;
pub use transfer::{finish, prepare};
