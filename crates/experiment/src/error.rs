//! What can go wrong in an experiment.

use junkdna_eval::EvalError;
use junkdna_finetune::FinetuneError;
use junkdna_model::ModelError;
use junkdna_prune::PruneError;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why an experiment could not be done; every message is one line that names the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A plan that asks for what is not there.
    #[error("{}: {problem}", path.display())]
    Plan {
        /// The plan's file.
        path: PathBuf,
        /// The key and what would be right.
        problem: String,
    },
    /// A data file that cannot be used.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A text that the model cannot read whole.
    #[error(
        "{variant}: a text fills the model's context of {context} tokens, its beginning would be cut off; ask for less"
    )]
    TooLong {
        /// The task variant.
        variant: String,
        /// Tokens that the model can read.
        context: usize,
    },
    /// Two levels of a family that do not hold the same questions.
    #[error("{left} and {right} are to be paired, but question {id} is in only one of them")]
    Unpaired {
        /// One level.
        left: String,
        /// The other.
        right: String,
        /// The question.
        id: String,
    },
    /// Calibration text that cannot be used, or is missing.
    #[error("{}: calibration: {problem}", path.display())]
    Calibration {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A folder of results that cannot be used.
    #[error("{}: {problem}", path.display())]
    Results {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A device that is not there.
    #[error(transparent)]
    Device(#[from] junkdna_backend::DeviceError),
    /// A model that cannot be loaded.
    #[error(transparent)]
    Model(#[from] junkdna_model::ModelError),
    /// A task that cannot be scored.
    #[error(transparent)]
    Eval(#[from] junkdna_eval::EvalError),
    /// A model that cannot be pruned.
    #[error(transparent)]
    Prune(#[from] junkdna_prune::PruneError),
    /// A model that cannot be quantized.
    #[error(transparent)]
    Quant(#[from] junkdna_quant::QuantError),
    /// A model that cannot be fine-tuned.
    #[error(transparent)]
    Finetune(#[from] junkdna_finetune::FinetuneError),
    /// A suite that cannot be generated.
    #[error(transparent)]
    Suite(#[from] junkdna_difficulty::suite::SuiteError),
    /// A setting that cannot be applied to a task.
    #[error(transparent)]
    Setting(#[from] junkdna_difficulty::setting::SettingError),
    /// Results that cannot be judged.
    #[error(transparent)]
    Statistics(#[from] junkdna_difficulty::StatsError),
    /// A format of files that cannot hold the model.
    #[error("format {format} does not hold {problem}")]
    Format {
        /// The format.
        format: crate::Format,
        /// What it cannot hold, and what would be right.
        problem: String,
    },
    /// An encoder that was not fine-tuned on a task.
    #[error("{model}: has no head that finds classes; `junkdna finetune` gives it one")]
    NoHead {
        /// The model.
        model: String,
    },
    /// A model of another kind than the work needs.
    #[error("{model}: is an encoder; {work} needs a causal language model")]
    NotCausal {
        /// The model.
        model: String,
        /// What was asked for.
        work: &'static str,
    },
    /// A decoder where an encoder is to be trained.
    #[error("{model}: is a decoder; [training] needs an encoder (BERT, RoBERTa)")]
    NotEncoder {
        /// The model.
        model: String,
    },
    /// Gradients of a model that does not predict text.
    #[error("an encoder predicts no text to take gradients of; prune it by another method, such as magnitude or wanda")]
    NoTextLoss,
    /// Training a model whose linears read their inputs in few bits.
    #[error(
        "the model reads inputs in few bits, which no gradient passes; train it before it is quantized with --activations"
    )]
    NoGradient,
    /// A report that cannot be written out.
    #[error("report: {0}")]
    Render(String),
}

impl ExperimentError {
    /// Whether the request was wrong, rather than the work failed.
    pub fn is_request(&self) -> bool {
        match self {
            Self::Io { source, .. }
            | Self::Model(ModelError::Io { source, .. })
            | Self::Prune(PruneError::Io { source, .. })
            | Self::Finetune(FinetuneError::Io { source, .. })
            | Self::Eval(EvalError::Io { source, .. }) => is_request(source),
            Self::Model(ModelError::Download { .. })
            | Self::Eval(EvalError::NotFinite { .. })
            | Self::Finetune(
                FinetuneError::NotFinite { .. }
                | FinetuneError::GradientNotFinite { .. }
                | FinetuneError::ValidationNotFinite { .. }
                | FinetuneError::Observer(_)
                | FinetuneError::Pruning(_),
            )
            | Self::Statistics(_)
            | Self::Render(_) => false,
            _ => true,
        }
    }
}

/// A path that is not there, or in the way, is for whoever named it to change; a full disk is not.
fn is_request(error: &std::io::Error) -> bool {
    use ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), AlreadyExists | IsADirectory | NotADirectory | NotFound | PermissionDenied)
}
