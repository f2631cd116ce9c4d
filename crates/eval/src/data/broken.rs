//! What becomes of broken rows.

use crate::EvalError;
use serde_json::Value;

/// Broken rows of data files: errors, or left out and counted.
#[derive(Debug, Default)]
pub(crate) struct BrokenRows(Option<Vec<String>>);

impl BrokenRows {
    /// Leaves them out, or not.
    pub fn new(leave_out: bool) -> Self {
        Self(leave_out.then(Vec::new))
    }

    /// Whether they are left out.
    pub fn left_out(&self) -> bool {
        self.0.is_some()
    }

    /// A record; `None` for a broken one that is left out.
    ///
    /// # Errors
    /// A broken one otherwise, and a file that cannot be read in any case.
    pub fn check(&mut self, record: Result<Value, EvalError>) -> Result<Option<Value>, EvalError> {
        match (record, &mut self.0) {
            (Ok(record), _) => Ok(Some(record)),
            (Err(error @ EvalError::Io { .. }), _) | (Err(error), None) => Err(error),
            (Err(error), Some(messages)) => {
                messages.push(error.to_string());
                Ok(None)
            }
        }
    }

    /// What is wrong with each that was left out.
    pub fn messages(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }
}
