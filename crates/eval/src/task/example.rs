//! What a model is asked about one document.

use serde::Serialize;

/// One thing to ask a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// ln p(continuation | context).
    LogLikelihood {
        /// What the model reads first; may be empty.
        context: String,
        /// What is scored.
        continuation: String,
    },
    /// ln p(text), in windows.
    Rolling {
        /// What is scored.
        text: String,
    },
    /// The class, or the number, of a text or a pair of texts.
    Classify {
        /// The text.
        first: String,
        /// The second text of a pair.
        second: Option<String>,
    },
    /// What the model writes.
    Generate {
        /// What it goes on from.
        context: String,
    },
}

/// What is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Gold {
    /// One of the choices, from 0.
    Choice(usize),
    /// Any of several choices.
    Choices(Vec<usize>),
    /// A text.
    Text(String),
    /// Any of several texts.
    Texts(Vec<String>),
}

/// One document of a task, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its number within the task.
    pub doc: usize,
    /// The document itself; null where documents are dropped.
    pub document: serde_json::Value,
    /// What is asked: of a multiple choice, one request a choice, and one more each without context if the task's metrics
    /// need them.
    pub requests: Vec<Request>,
    /// What is offered; empty where nothing is.
    pub choices: Vec<String>,
    /// What is right.
    pub gold: Gold,
}
