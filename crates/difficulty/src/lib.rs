#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub mod irt;
pub mod measure;
pub mod power;
pub mod setting;
pub mod stats;
pub mod suite;

mod error;
mod linear;
mod outcomes;
mod quadrature;
mod study;
mod verdict;

pub use error::StatsError;
pub use outcomes::{ItemOutcome, Outcomes};
pub use study::{Baseline, Compression, FamilyLevels, Repair, Series, SizeMatch, Study};
pub use verdict::{Claim, Decision, FamilyEstimate, JudgeConfig, Verdict, judge};
