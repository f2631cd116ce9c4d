//! What can go wrong between a model's name and its weights.

use std::path::{Path, PathBuf};

/// Why a model could not be found, read or written; every message is one line and says what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is not what its format demands: truncated, or its header contradicts itself.
    #[error("{}: {at}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The field, tensor or byte offset.
        at: String,
        /// What is wrong there, and what would be right.
        problem: String,
    },
    /// A tensor that the architecture needs is not in the checkpoint.
    #[error("{}: tensor `{tensor}` is missing", path.display())]
    MissingTensor {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor's Hugging Face name.
        tensor: String,
    },
    /// The checkpoint holds tensors that the architecture has no place for.
    #[error("{}: {} tensor(s) have no place in the model, the first is `{}`", path.display(), tensors.len(),
        tensors.first().map_or("", String::as_str))]
    UnusedTensors {
        /// The checkpoint.
        path: PathBuf,
        /// The tensors' names.
        tensors: Vec<String>,
    },
    /// A tensor's shape is not the one that the configuration asks for.
    #[error("{}: tensor `{tensor}` has shape {found:?}, the configuration asks for {expected:?}", path.display())]
    WrongShape {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The stored shape, outermost first.
        found: Vec<usize>,
        /// The shape that would be right.
        expected: Vec<usize>,
    },
    /// A weight is not a number, or infinite.
    #[error("{}: tensor `{tensor}` holds {value} at element {index}; weights must be finite", path.display())]
    NonFinite {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Row-major index of the first such element.
        index: usize,
        /// NaN, or plus or minus infinity.
        value: f32,
    },
    /// A weight that a sparse layout cannot hold.
    #[error("{tensor}: {problem}")]
    Sparse {
        /// The parameter path.
        tensor: String,
        /// What the layout asks for.
        problem: String,
    },
    /// A tensor is stored in a type that cannot be read.
    #[error("{}: tensor `{tensor}` is stored as {dtype}; supported are {supported}", path.display())]
    UnsupportedType {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The stored type.
        dtype: String,
        /// The types that can be read.
        supported: String,
    },
    /// The model's architecture is not one of those that are implemented.
    #[error("{}: architecture `{found}` is not supported; supported are {supported}", path.display())]
    UnknownArchitecture {
        /// The file that names the architecture.
        path: PathBuf,
        /// The architecture it names.
        found: String,
        /// The architectures that are implemented.
        supported: String,
    },
    /// A field of the configuration is missing or has a value that the model cannot have.
    #[error("{}: field `{field}`: {problem}", path.display())]
    Config {
        /// The file that holds the configuration.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The tokenizer cannot be built, or cannot encode a text.
    #[error("{}: tokenizer: {problem}", path.display())]
    Tokenizer {
        /// The file or folder that the tokenizer came from.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The text after `--model` names no source.
    #[error("model source `{text}`: {problem}")]
    Source {
        /// The text.
        text: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A folder or archive holds no model, or more than one.
    #[error("{}: {problem}", path.display())]
    NoModel {
        /// The folder or archive.
        path: PathBuf,
        /// What was looked for.
        problem: String,
    },
    /// A model could not be fetched.
    #[error("cannot fetch {what}: {problem}")]
    Download {
        /// The source.
        what: String,
        /// Why, as the tool that fetches it says.
        problem: String,
    },
    /// A cached file is no longer the one that was unpacked.
    #[error("{}: {problem}; delete the folder {} to fetch it again", path.display(), folder.display())]
    Checksum {
        /// The changed file.
        path: PathBuf,
        /// The cache folder that holds it.
        folder: PathBuf,
        /// Which size or digest was expected, and which found.
        problem: String,
    },
    /// An archive entry would be written outside the folder that it is unpacked to, or is a link.
    #[error("{}: entry `{entry}` is refused: {problem}", archive.display())]
    UnsafeArchive {
        /// The archive.
        archive: PathBuf,
        /// The entry's name.
        entry: String,
        /// Why it is refused.
        problem: String,
    },
    /// An archive unpacks to more than the limit.
    #[error("{}: unpacks to more than {limit} bytes, the limit for an archive of its size", archive.display())]
    ArchiveTooLarge {
        /// The archive.
        archive: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
}

impl ModelError {
    /// Wraps an operating system error with the path that it concerns.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A file that breaks its format at `at`.
    pub fn format(path: &Path, at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), at: at.into(), problem: problem.into() }
    }

    /// A configuration field that is missing or wrong.
    pub fn config(path: &Path, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { path: path.to_owned(), field: field.into(), problem: problem.into() }
    }

    /// A tokenizer that cannot be built or used.
    pub fn tokenizer(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Tokenizer {
            path: path.to_owned(),
            // Errors of libraries may run over several lines; messages here are one line.
            problem: one_line(&problem.to_string()),
        }
    }
}

/// Joins the lines of a message.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_and_name_the_file() {
        let error = ModelError::tokenizer(Path::new("a/tokenizer.json"), "expected\n  value");
        assert_eq!(error.to_string(), "a/tokenizer.json: tokenizer: expected value");
        let error = ModelError::UnusedTensors { path: "m".into(), tensors: vec!["x".into(), "y".into()] };
        assert_eq!(error.to_string(), "m: 2 tensor(s) have no place in the model, the first is `x`");
    }
}
