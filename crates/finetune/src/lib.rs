#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod adamw;
pub mod adapters;
pub mod checkpoint;
pub mod data;
mod dense_frozen;
mod error;
mod files;
mod journal;
pub mod language;
pub mod metrics;
mod mode;
mod objective;
mod observer;
mod order;
mod place;
mod pruned;
mod pruning;
mod recipe;
mod schedule;
mod sparse;
mod sparse_to_dense;
mod train;
mod transfer;

pub use adamw::{AdamW, AdamWConfig, Moments, gradient_norm};
pub use checkpoint::{Checkpoint, Checkpoints};
pub use dense_frozen::FrozenWeights;
pub use error::FinetuneError;
pub use journal::Journal;
pub use mode::Mode;
pub use objective::{Metrics, Objective};
pub use observer::{Evaluation, Observer, StepReport};
pub use order::batches;
pub use pruning::{Matrices, Pruning};
pub use recipe::Recipe;
pub use schedule::{Decay, Schedule};
pub use sparse::PrunedWeights;
pub use train::{Trained, train, train_with_pruning};
pub use transfer::{finish, prepare};
