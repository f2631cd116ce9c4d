//! Fine-tuning of the models we have on the tasks we have.

mod cells;
mod check;
mod classification;
mod gradual;
mod language;
mod lessons;
mod masks;
mod mode;
mod quantized_base;
mod task;

pub(crate) use cells::{Trainer, models, wants};
pub use check::check_trains;
pub use classification::Classification;
pub(crate) use classification::logits;
pub use gradual::{GrowBy, PlannedPruning, PruningPlan};
pub use language::language_modeling;
pub(crate) use lessons::{Lesson, Lessons};
pub use masks::{mask_tensors, zeros_as_mask};
pub use mode::TrainingMode;
pub use quantized_base::{BaseCodes, BaseSize, base_size, quantized_base};
pub use task::Training;
