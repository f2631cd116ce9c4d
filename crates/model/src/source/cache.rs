//! The folder in which fetched models are kept.

use crate::error::ModelError;
use std::path::{Path, PathBuf};

/// The folder in which fetched models are kept; several processes may use one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
    hub: Option<PathBuf>,
    offline: bool,
}

impl Cache {
    /// `JUNKDNA_CACHE`, or `junkdna` in the user's cache folder. Hub repositories stay in the hub's own cache.
    ///
    /// # Errors
    /// Neither `JUNKDNA_CACHE` nor `XDG_CACHE_HOME` nor a home folder is set.
    pub fn from_env() -> Result<Self, ModelError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = match (set("JUNKDNA_CACHE"), set("XDG_CACHE_HOME")) {
            (Some(root), _) => Some(PathBuf::from(root)),
            (None, Some(cache)) => Some(PathBuf::from(cache).join("junkdna")),
            (None, None) => std::env::home_dir().map(|home| home.join(".cache/junkdna")),
        };
        root.map(Self::at).ok_or_else(|| ModelError::Download {
            what: "models".to_owned(),
            problem: "no folder to keep them in: set JUNKDNA_CACHE".to_owned(),
        })
    }

    /// A cache in a given folder, which is made when it is needed.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), hub: None, offline: forbidden() }
    }

    /// The same cache, asking the Hugging Face hub or not, whatever `HF_HUB_OFFLINE` says.
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The same cache, with the Hugging Face hub's files in a given folder in place of `HF_HOME`'s.
    pub fn with_hub(mut self, folder: impl Into<PathBuf>) -> Self {
        self.hub = Some(folder.into());
        self
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn wheels(&self) -> PathBuf {
        self.root.join("wheels")
    }

    pub(super) fn offline(&self) -> bool {
        self.offline
    }

    pub(super) fn hub(&self) -> Option<&Path> {
        self.hub.as_deref()
    }
}

/// Whether the user forbids asking the hub.
fn forbidden() -> bool {
    let value = std::env::var("HF_HUB_OFFLINE").unwrap_or_default();
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
}
