#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod data;
mod document;
mod encode;
mod engine;
mod error;
mod generate;
mod metric;
mod outcome;
mod prefix_tree;
mod task;

pub use document::Document;
pub use encode::{Encoded, encode};
pub use engine::{Engine, LogLikelihood, Progress};
pub use error::EvalError;
pub use generate::greedy;
pub use metric::{Estimate, accuracy, normalized_accuracy};
pub use outcome::Outcome;
pub use task::Task;
