#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod calibration;
mod cell;
mod compression;
mod error;
mod files;
mod format;
mod plan;
pub mod report;
mod run;
mod tasks;
pub mod training;

pub use calibration::Calibration;
pub use cell::{Answer, Cell, CellSpec};
pub use compression::{
    Allocation, Compressed, Compression, GridRange, GridRounding, PruneMethod, QuantizeOptions, Quantizer, TextLoss,
    Width,
};
pub use error::ExperimentError;
pub use files::write_whole;
pub use format::Format;
pub use plan::{Grid, Plan};
pub use report::Report;
pub use run::{Event, Options, Run, run};
