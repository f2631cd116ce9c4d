//! What can go wrong.

use std::path::{Path, PathBuf};

/// Why a module was not prepared or trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinetuneError {
    /// Nothing says which weights are pruned.
    #[error("no masks were given; without one there is nothing to keep")]
    NoMasks,
    /// A mask for a weight that is not there.
    #[error("{path}: the module has no float parameter of this path")]
    UnknownPath {
        /// Parameter path of the mask.
        path: String,
    },
    /// A mask of another shape than its weight.
    #[error("{path}: the mask is {mask:?}, the weight {weight:?}")]
    Shape {
        /// Parameter path of the mask.
        path: String,
        /// Shape of the mask, `[d_in, d_out]`.
        mask: [usize; 2],
        /// Shape of the weight.
        weight: Vec<usize>,
    },
    /// A mask says yes or no.
    #[error("{path}: the mask holds values other than 0 and 1")]
    NotBinary {
        /// Parameter path of the mask.
        path: String,
    },
    /// Reparameterizations do not nest.
    #[error("{path}: the weight is computed from others already (a mask, LoRA); finish that training first")]
    Reparameterized {
        /// Parameter path of the mask.
        path: String,
    },
    /// The device failed to say what a mask holds.
    #[error("{path}: the mask cannot be read: {reason}")]
    Unreadable {
        /// Parameter path of the mask.
        path: String,
        /// What the device says.
        reason: String,
    },
    /// A recipe that makes no sense.
    #[error("recipe: {field} must be {expected}")]
    Recipe {
        /// The field.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// Nothing to train on.
    #[error("there are no training examples")]
    NoExamples,
    /// Training diverged, or started from weights that hold no numbers.
    #[error(
        "the loss is {value} at step {step}, epoch {epoch}, batch {batch}; the checkpoint before it is kept. Try a lower \
         learning rate or a longer warm-up"
    )]
    NotFinite {
        /// The loss.
        value: f64,
        /// The step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in its epoch, from 1.
        batch: usize,
    },
    /// The loss is a number, what moves the weights is not.
    #[error(
        "the gradient's norm is {norm} at step {step}, epoch {epoch}; the checkpoint before it is kept. Try a lower learning rate or a \
         longer warm-up"
    )]
    GradientNotFinite {
        /// The norm.
        norm: f64,
        /// The step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
    },
    /// Training diverged: the loss on the validation examples is no number.
    #[error(
        "the loss on the validation examples is {value} after step {step}; the checkpoint before it is kept. Try a lower learning \
         rate or a longer warm-up"
    )]
    ValidationNotFinite {
        /// The loss.
        value: f64,
        /// The step, from 1.
        step: usize,
    },
    /// The metric that decides is not one of those there are.
    #[error("there is no metric `{metric}`; there are {there}")]
    NoMetric {
        /// The metric asked for.
        metric: String,
        /// The metrics of the task.
        there: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file that is no checkpoint, or a damaged one.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A checkpoint that a run cannot go on from, because something decisive was changed.
    #[error("{}: is a checkpoint of another run: {difference}; use another folder, or remove it", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// A checkpoint whose parameters are not those of the module.
    #[error("{}: is a checkpoint of another model: {problem}", path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The first parameter that differs.
        problem: String,
    },
    /// A pattern that is no regular expression.
    #[error("adapter targets: {problem}")]
    Pattern {
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing to put an adapter on, or no adapter there.
    #[error("there is no matrix with an adapter among those that match {patterns}")]
    NoTargets {
        /// The patterns.
        patterns: String,
    },
    /// A quantized matrix that is not one of the module's.
    #[error("{path}: the quantized base is {base:?}, the module has {}", there(weight.as_deref()))]
    Base {
        /// Parameter path of the matrix.
        path: String,
        /// Its shape, `[d_in, d_out]`.
        base: [usize; 2],
        /// Shape of the module's parameter, if it has one of this path.
        weight: Option<Vec<usize>>,
    },
    /// A label without an output.
    #[error("{task}: {split} example {example}: class {class} has no output, the head has {outputs}")]
    LabelOutside {
        /// The data set.
        task: String,
        /// The split.
        split: &'static str,
        /// The example in its split, from 0.
        example: usize,
        /// The class, from 0.
        class: usize,
        /// Outputs of the head.
        outputs: usize,
    },
    /// A target that leaves no room for its prompt.
    #[error(
        "{task}: a target of {tokens} tokens does not fit the {length} tokens of --max-length with a token before it"
    )]
    TooLong {
        /// The task.
        task: String,
        /// Tokens of the target.
        tokens: usize,
        /// Tokens of an example, at most.
        length: usize,
    },
    /// Pruning while training went wrong.
    #[error("pruning: {0}")]
    Pruning(Box<dyn std::error::Error + Send + Sync>),
    /// A schedule of pruning that is longer than the run.
    #[error("pruning: is not done after the {steps} steps of the run; end it earlier, or train longer")]
    NeverFinal {
        /// Steps of the run.
        steps: usize,
    },
    /// Whoever watches the run could not go on.
    #[error("{0}")]
    Observer(std::io::Error),
    /// Examples that cannot be read or used.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The line or field, and what would be right.
        problem: String,
    },
}

fn there(shape: Option<&[usize]>) -> String {
    shape.map_or("no float parameter of this path".into(), |shape| format!("{shape:?}"))
}

impl FinetuneError {
    /// Wraps an operating system error with the path that it concerns.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
