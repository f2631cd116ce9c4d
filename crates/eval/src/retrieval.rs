//! Questions with passages that are looked up: retrieval-augmented question answering.

mod contexts;
mod index;

pub use contexts::{Contexts, GoldPosition};
pub use index::PassageIndex;

use crate::data::{BrokenRows, Table};
use crate::{EvalError, Prompting, Task};
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
/// unanswerable = "drop"  # questions without an answer, as SQuAD 2.0 has them: keep (without this key) or drop
/// ```
///
/// Each document has its gold passage in `context`, its question in `question` and its right answers in `answers.text`, as
/// SQuAD has them; `context` is replaced. Passages come from the same field, those of dropped questions too.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retrieval {
    pub contexts: Contexts,
    /// Another collection of passages.
    pub passages: Option<PathBuf>,
    /// Whether questions without an answer are left out.
    pub drop_unanswerable: bool,
}

/// How many questions there are, and how many have an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retrieved {
    /// In the data.
    pub questions: usize,
    /// Those without an answer: `answers.text` is empty, or `is_impossible` is true.
    pub unanswerable: usize,
    /// Whether those are left out; otherwise they are asked as the others are.
    pub dropped: bool,
}

impl Task {
    /// Whether contexts are to be built by [`Self::retrieve`] before prompts are.
    pub fn retrieves(&self) -> bool {
        self.retrieval.is_some()
    }

    /// Builds the contexts of a task that [retrieves](Self::retrieves), measured by what counts tokens: of all its questions,
    /// or the first [`Prompting::limit`]. With [`Prompting::skip_bad_rows`] broken rows of the questions and of the passages
    /// are left out, which [`Self::render`] then says. The collection of passages is held, and the questions.
    ///
    /// # Errors
    /// Data that cannot be read; a document without context or question, by number; a task with examples before its
    /// questions; no question left.
    pub fn retrieve(&mut self, count: impl Fn(&str) -> usize, prompting: &Prompting) -> Result<Retrieved, EvalError> {
        let Some(retrieval) = self.retrieval.take() else { return Ok(Retrieved::default()) };
        if self.num_fewshot > 0 {
            return Err(EvalError::task(self.path(), "num_fewshot: with `retrieval` there are no examples"));
        }
        let mut broken = BrokenRows::new(prompting.skip_bad_rows);
        let questions = self.table(self.asked(), &mut broken)?;
        let index = match &retrieval.passages {
            Some(file) => index(&self.records_of(file, &mut broken)?)?,
            None => index(&questions)?,
        };
        let mut found = Retrieved { dropped: retrieval.drop_unanswerable, ..Retrieved::default() };
        let mut documents = Vec::new();
        for document in questions.documents() {
            let mut document = document?;
            found.questions += 1;
            if is_unanswerable(&document) {
                found.unanswerable += 1;
                if found.dropped {
                    continue;
                }
            }
            let doc = documents.len();
            if doc < prompting.limit.unwrap_or(usize::MAX) {
                let wrong = |problem| EvalError::Document { task: self.task.clone(), doc, problem };
                let context = retrieval.contexts.of(&document, &index, &count).map_err(wrong)?;
                document["context"] = context.into();
            }
            documents.push(document);
        }
        if documents.is_empty() {
            let problem = match found.questions {
                0 => "has no documents".to_owned(),
                all => format!("retrieval: of {all} questions none has an answer"),
            };
            return Err(EvalError::task(self.path(), problem));
        }
        self.own_documents(documents, broken.messages());
        Ok(found)
    }
}

/// The passages of a table's documents.
fn index(table: &Table) -> Result<PassageIndex, EvalError> {
    let mut passages: Vec<String> = Vec::new();
    for document in table.documents() {
        // Questions about one passage follow one another.
        match document?["context"].take() {
            Value::String(passage) if passages.last() != Some(&passage) => passages.push(passage),
            _ => {}
        }
    }
    Ok(PassageIndex::new(passages.iter().map(String::as_str)))
}

fn is_unanswerable(document: &Value) -> bool {
    let none = document["answers"]["text"].as_array().is_some_and(Vec::is_empty);
    none || document["is_impossible"].as_bool() == Some(true)
}

impl Contexts {
    /// The context of a document's question.
    fn of(&self, document: &Value, index: &PassageIndex, count: impl Fn(&str) -> usize) -> Result<String, String> {
        let text = |field: &str| {
            let found = document[field].as_str();
            found.ok_or_else(|| format!("has no text `{field}`, which `retrieval` needs"))
        };
        let answers: Vec<&str> = match &document["answers"]["text"] {
            Value::Array(answers) => answers.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        Ok(self.build(index, text("context")?, text("question")?, &answers, count))
    }
}
