//! What retrieval reads of a task, and puts in its place.

use super::Task;
use super::source::{Source, located};
use crate::EvalError;
use crate::data::{BrokenRows, Format, Table};
use serde_json::Value;
use std::path::Path;

impl Task {
    /// The task's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The records of a file beside the task file; `.json` is SQuAD's.
    pub(crate) fn records_of(&self, file: &Path, broken: &mut BrokenRows) -> Result<Table<'_>, EvalError> {
        let path = located(&self.path, file);
        let squad = path.extension().is_some_and(|extension| extension == "json");
        let format = if squad { Some(Format::Squad) } else { Format::of(&path) };
        let unknown =
            || EvalError::task(&self.path, format!("retrieval.passages: {} has no known extension", path.display()));
        let format = format.ok_or_else(unknown)?;
        Table::of_files(vec![(path, format)], broken)
    }

    /// Replaces the data by these documents, beside which rows were left out.
    pub(crate) fn own_documents(&mut self, documents: Vec<Value>, left_out: Vec<String>) {
        self.source = Source::Own(documents);
        self.left_out = left_out;
    }
}
