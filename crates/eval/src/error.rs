//! What can go wrong in an evaluation.

use std::path::{Path, PathBuf};

/// Why an evaluation could not be done; every message is one line that names the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line of a data file is not what it must be.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A data file is not what it must be.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Where in it, if that is known, and what is wrong.
        problem: String,
    },
    /// A task file is not what it must be.
    #[error("{}: {problem}", path.display())]
    Task {
        /// The file.
        path: PathBuf,
        /// The field and what would be right.
        problem: String,
    },
    /// A document that cannot be scored.
    #[error("task `{task}`, document {doc}: {problem}")]
    Document {
        /// The task's name.
        task: String,
        /// The document's number.
        doc: usize,
        /// What is wrong.
        problem: String,
    },
    /// The tokenizer cannot do what the request needs.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A token that the model has no embedding of: the tokenizer belongs to another model.
    #[error(
        "request {request} holds token {token}; the model knows {vocab_size} tokens, is the tokenizer another model's?"
    )]
    UnknownToken {
        /// The number of the request.
        request: usize,
        /// The token.
        token: u32,
        /// How many tokens the model knows.
        vocab_size: usize,
    },
    /// Something to be scored of which the tokenizer makes no token.
    #[error("`{continuation}` has no tokens, there is nothing to score")]
    NoTokens {
        /// The text.
        continuation: String,
    },
    /// A request longer than the model can read at once.
    #[error("a continuation of {tokens} tokens does not fit the model's context of {context} tokens")]
    TooLong {
        /// Tokens of the continuation.
        tokens: usize,
        /// The model's context length.
        context: usize,
    },
    /// A model that gave logits which are not numbers.
    #[error("the model's log-likelihoods are not finite (first in request {request}): its weights are broken")]
    NotFinite {
        /// The number of the request.
        request: usize,
    },
}

impl EvalError {
    /// What is wrong with a request, at the place of its document.
    pub(crate) fn of_document(self, task: &str, doc: usize) -> Self {
        match self {
            error @ (Self::NoTokens { .. } | Self::TooLong { .. } | Self::Tokenizer(_)) => {
                Self::Document { task: task.to_owned(), doc, problem: error.to_string() }
            }
            other => other,
        }
    }

    pub(crate) fn data(path: &Path, problem: impl Into<String>) -> Self {
        Self::Data { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn task(path: &Path, problem: impl Into<String>) -> Self {
        Self::Task { path: path.to_owned(), problem: problem.into() }
    }
}
