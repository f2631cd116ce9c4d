//! Questions with the continuations among which a model chooses.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One multiple-choice question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The task it belongs to.
    pub task: String,
    /// Its number within the task.
    pub doc: usize,
    /// What the model reads first; may be empty.
    pub context: String,
    /// What may follow.
    pub continuations: Vec<String>,
    /// Which of them is right, from 0.
    pub gold: usize,
}

impl Document {
    /// Reads documents from JSON lines with the fields `task`, `doc`, `context`, `continuations` and `gold`; further
    /// fields are ignored.
    ///
    /// # Errors
    /// A file that cannot be read or is empty, or a line that is not such a document, by number.
    pub fn read(path: &Path) -> Result<Vec<Self>, EvalError> {
        let text = std::fs::read_to_string(path).map_err(|source| EvalError::Io { path: path.to_owned(), source })?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let documents: Vec<Self> =
            lines.map(|(index, line)| Self::parse(path, index + 1, line)).collect::<Result<_, _>>()?;
        if documents.is_empty() {
            let problem = "holds no documents; one JSON object a line is expected".to_owned();
            return Err(EvalError::Task { path: path.to_owned(), problem });
        }
        Ok(documents)
    }

    fn parse(path: &Path, line: usize, text: &str) -> Result<Self, EvalError> {
        let error = |problem| EvalError::Line { path: path.to_owned(), line, problem };
        let document: Self = serde_json::from_str(text).map_err(|e| error(e.to_string()))?;
        match document.check() {
            Ok(()) => Ok(document),
            Err(problem) => Err(error(problem)),
        }
    }

    /// Whether it can be scored.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.continuations.is_empty() {
            return Err("has no continuations, at least one is needed".into());
        }
        if let Some(index) = self.continuations.iter().position(String::is_empty) {
            return Err(format!("continuation {index} is empty"));
        }
        if self.gold >= self.continuations.len() {
            return Err(format!("gold is {}, there are {} continuations", self.gold, self.continuations.len()));
        }
        Ok(())
    }
}
