#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod calibration;
mod cell;
mod checksum;
mod classifier;
mod compression;
mod error;
mod estimate;
mod files;
mod format;
mod plan;
pub mod report;
mod run;
mod size;
mod tasks;
pub mod training;

pub use calibration::Calibration;
pub use cell::{Answer, Cell, CellSpec, Cost, TrainingSpec};
pub use classifier::EncoderClassifier;
pub use compression::{
    Allocation, Compressed, Compression, GridRange, GridRounding, PruneMethod, QuantizeOptions, Quantizer, TextLoss,
    Width,
};
pub use error::ExperimentError;
pub use estimate::{Estimate, ModelEstimate, PowerEstimate, default_folder, estimate};
pub use files::{WholeFile, write_whole};
pub use format::Format;
pub use plan::{GapPlan, GradedPlan, Grid, LevelPlan, Models, Plan, SourcePlan, TaskPlan, TrainedTask, TrainingPlan};
pub use report::Report;
pub use run::{Event, Options, Run, run};
pub use size::{SameSize, Size, width_of_size};
