//! Errors of the command line.

use junkdna_experiment::ExperimentError;

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    #[error("{0}")]
    Request(String),
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

impl CliError {
    /// Whether the request was wrong, rather than the work failed.
    pub fn is_request(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Output(_) => false,
            Self::Experiment(error) => error.is_request(),
        }
    }

    /// Whether whoever read standard output has seen enough: `junkdna list methods | head -1`.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// Errors of the libraries come through the one that the experiments use.
macro_rules! through_experiment {
    ($($error:ty),*) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::Experiment(error.into())
            }
        })*
    };
}

through_experiment!(
    junkdna_backend::DeviceError,
    junkdna_model::ModelError,
    junkdna_eval::EvalError,
    junkdna_finetune::FinetuneError,
    junkdna_prune::PruneError,
    junkdna_quant::QuantError,
    junkdna_difficulty::suite::SuiteError
);
