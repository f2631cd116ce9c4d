//! Questions with passages that are looked up: retrieval-augmented question answering.

mod contexts;
mod index;

pub use contexts::{Contexts, GoldPosition};
pub use index::PassageIndex;

use crate::{EvalError, Task};
use serde_json::Value;
use std::path::PathBuf;

/// What a task file says under `retrieval`.
///
/// ```toml
/// [retrieval]
/// tokens = 1500          # of the context, in the model's tokens; 0 for closed book
/// gold = "drawn"         # where the gold passage stands: first, middle, last or drawn
/// seed = 41              # of drawn positions
/// passages = "wiki.json" # where distractors come from; without it the task's own documents
/// ```
///
/// Each document has its gold passage in `context`, its question in `question` and its right answers in `answers.text`, as
/// SQuAD has them; `context` is replaced. Passages come from the same field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retrieval {
    pub contexts: Contexts,
    /// Another collection of passages.
    pub passages: Option<PathBuf>,
}

impl Task {
    /// Whether contexts are to be built by [`Self::retrieve`] before prompts are.
    pub fn retrieves(&self) -> bool {
        self.retrieval.is_some()
    }

    /// Builds the contexts of a task that [retrieves](Self::retrieves), measured by what counts tokens.
    ///
    /// # Errors
    /// Data that cannot be read; a document without context or question, by number; a task with examples before its
    /// questions.
    pub fn retrieve(&mut self, count: impl Fn(&str) -> usize) -> Result<(), EvalError> {
        let Some(retrieval) = self.retrieval.take() else { return Ok(()) };
        if self.num_fewshot > 0 {
            return Err(EvalError::task(self.path(), "num_fewshot: with `retrieval` there are no examples"));
        }
        let mut documents = self.asked_documents()?;
        let wrong = |doc, problem| EvalError::Document { task: self.task.clone(), doc, problem };
        let index = match &retrieval.passages {
            Some(file) => {
                let records = self.records_of(file)?;
                PassageIndex::new(records.iter().filter_map(|record| record["context"].as_str()))
            }
            None => PassageIndex::new(documents.iter().filter_map(|document| document["context"].as_str())),
        };
        for (doc, document) in documents.iter_mut().enumerate() {
            let text = |field: &str| {
                let found = document[field].as_str();
                found.ok_or_else(|| wrong(doc, format!("has no text `{field}`, which `retrieval` needs")))
            };
            let (gold, question) = (text("context")?, text("question")?);
            let answers: Vec<&str> = match &document["answers"]["text"] {
                Value::Array(answers) => answers.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            let context = retrieval.contexts.build(&index, gold, question, &answers, &count);
            document["context"] = context.into();
        }
        self.own_documents(documents);
        Ok(())
    }
}
