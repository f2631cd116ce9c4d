//! Fine-tuning of the models we have on the tasks we have.

mod classification;
mod masks;
mod mode;

pub use classification::Classification;
pub use masks::{mask_tensors, zeros_as_mask};
pub use mode::TrainingMode;
