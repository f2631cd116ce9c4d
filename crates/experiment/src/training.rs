//! Fine-tuning of the models we have on the tasks we have.

mod cells;
mod classification;
mod lessons;
mod masks;
mod mode;

pub(crate) use cells::{Trainer, models, wants};
pub use classification::Classification;
pub(crate) use classification::logits;
pub(crate) use lessons::{Lesson, Lessons};
pub use masks::{mask_tensors, zeros_as_mask};
pub use mode::TrainingMode;
