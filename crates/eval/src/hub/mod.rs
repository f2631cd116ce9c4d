//! Data sets of the Hugging Face hub.

#[cfg(feature = "hub")]
mod cache;
#[cfg(feature = "hub")]
mod card;

use crate::data::Format;
use serde_json::Value;
use std::path::PathBuf;

/// A data set as a task file names it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HubSet {
    /// `dataset_path`: `organization/name`, or a name alone.
    pub name: String,
    /// `dataset_name`: which of its configurations.
    pub config: Option<String>,
    /// `dataset_kwargs`, read when files are asked for: a folder may take the data set's place before.
    pub kwargs: Vec<(String, Value)>,
}

impl HubSet {
    /// The files of a split, in order, fetched unless they are cached.
    ///
    /// # Errors
    /// A sentence with what is missing and what would help.
    pub fn files(&self, split: &str) -> Result<Vec<(PathBuf, Format)>, String> {
        let plain = |part: &str| {
            part.starts_with(char::is_alphanumeric)
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let parts: Vec<&str> = self.name.split('/').collect();
        if parts.len() > 2 || !parts.into_iter().all(plain) {
            return Err(format!("`{}` is no folder, and no name of a data set of the hub", self.name));
        }
        let files = self.found(&Wanted::new(self, split)?)?;
        Ok(files.into_iter().filter_map(|file| Format::of(&file).map(|format| (file, format))).collect())
    }

    #[cfg(feature = "hub")]
    fn found(&self, wanted: &Wanted) -> Result<Vec<PathBuf>, String> {
        cache::files(&self.name, wanted)
    }

    #[cfg(not(feature = "hub"))]
    fn found(&self, _: &Wanted) -> Result<Vec<PathBuf>, String> {
        Err(format!("`{}` is a data set of the hub, which needs the feature `hub` of junkdna-eval", self.name))
    }
}

/// Which files of a repository are wanted.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "nothing is fetched"))]
struct Wanted<'a> {
    split: &'a str,
    config: Option<&'a str>,
    /// A branch, tag or commit.
    revision: &'a str,
    /// Only what is below this folder; empty for all.
    folder: &'a str,
    /// Patterns of paths by split, in place of those that the repository says.
    files: Option<Splits>,
}

/// Splits with the patterns of their files' paths.
type Splits = Vec<(String, Vec<String>)>;

/// Keys that change how the Python package works, not what it reads.
const INDIFFERENT: [&str; 4] = ["trust_remote_code", "streaming", "verification_mode", "cache_dir"];

impl<'a> Wanted<'a> {
    fn new(set: &'a HubSet, split: &'a str) -> Result<Self, String> {
        let mut wanted = Self { split, config: set.config.as_deref(), revision: "main", ..Self::default() };
        for (key, value) in &set.kwargs {
            let text = || value.as_str().ok_or_else(|| format!("dataset_kwargs.{key} is {value}, a text is expected"));
            match key.as_str() {
                "revision" => wanted.revision = revision(text()?)?,
                "data_dir" => wanted.folder = text()?.trim_matches('/'),
                "data_files" => wanted.files = Some(patterns(value)?),
                key if INDIFFERENT.contains(&key) => {}
                other => {
                    let problem = "is no option of a data set of the hub, which has revision, data_dir and data_files";
                    return Err(format!("dataset_kwargs.{other} {problem}"));
                }
            }
        }
        Ok(wanted)
    }
}

fn revision(text: &str) -> Result<&str, String> {
    let parts = text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    match parts && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) {
        true => Ok(text),
        false => Err(format!("dataset_kwargs.revision: `{text}` is no branch, tag or commit")),
    }
}

/// A pattern or patterns of the training split, or a map of splits with theirs.
fn patterns(value: &Value) -> Result<Splits, String> {
    let texts = |value: &Value| match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        other => Err(format!("dataset_kwargs.data_files: {other} is no file name")),
    };
    match value {
        Value::Object(splits) => splits.iter().map(|(split, value)| Ok((split.clone(), texts(value)?))).collect(),
        other => Ok(vec![("train".to_owned(), texts(other)?)]),
    }
}
