#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod chat;
mod classify;
pub mod data;
mod document;
mod encode;
mod engine;
mod error;
mod filter;
mod generate;
mod hub;
pub mod metrics;
mod node;
mod outcome;
mod prefix_tree;
mod python;
mod results;
mod retrieval;
mod rolling;
mod run;
mod suite;
mod task;
mod template;

pub use chat::{Chat, ChatTemplate, Message};
pub use classify::{Classified, TextClassifier, classify};
pub use document::Document;
pub use encode::{Encoded, encode};
pub use engine::{Engine, LogLikelihood, Progress};
pub use error::EvalError;
pub use filter::Pipeline;
pub use generate::{Sampling, generate_until, greedy};
pub use metrics::{Estimate, accuracy, normalized_accuracy};
pub use outcome::Outcome;
pub use python::PythonRandom;
pub use results::{Aggregate, Results, TaskScores};
pub use retrieval::{Contexts, GoldPosition, PassageIndex, Retrieved};
pub use rolling::rolling;
pub use run::Measured;
pub use suite::{Group, GroupMetric, Suite};
pub use task::{Example, FEWSHOT_SEED, Generation, Gold, OutputType, Prompting, Rendered, Request, Sampler, Task};
