//! What retrieval reads of a task, and puts in its place.

use super::Task;
use super::source::{Source, located};
use crate::EvalError;
use crate::data::Format;
use serde_json::Value;
use std::path::Path;

impl Task {
    /// The task's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The documents of the split that is asked.
    pub(crate) fn asked_documents(&self) -> Result<Vec<Value>, EvalError> {
        let split = self.splits.test.as_ref().or(self.splits.validation.as_ref());
        self.source.documents(&self.path, split.map_or("test", String::as_str), None)
    }

    /// The records of a file beside the task file; `.json` is SQuAD's.
    pub(crate) fn records_of(&self, file: &Path) -> Result<Vec<Value>, EvalError> {
        let path = located(&self.path, file);
        let squad = path.extension().is_some_and(|extension| extension == "json");
        let format = if squad { Some(Format::Squad) } else { Format::of(&path) };
        let unknown =
            || EvalError::task(&self.path, format!("retrieval.passages: {} has no known extension", path.display()));
        format.ok_or_else(unknown)?.open(&path)?.collect()
    }

    /// Replaces the data by these documents.
    pub(crate) fn own_documents(&mut self, documents: Vec<Value>) {
        self.source = Source::Own(documents);
    }
}
