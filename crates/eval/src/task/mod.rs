//! Task files.

mod build;
mod example;
mod keys;
mod prompt;
mod retrieved;
mod shots;
mod source;
mod turn;

pub use build::{Prompting, Rendered};
pub use example::{Example, Gold, Request};
pub use shots::Sampler;

use crate::filter::Pipeline;
use crate::metrics::Measure;
use crate::node::Node;
use crate::retrieval::Retrieval;
use crate::{Document, EvalError, Sampling};
pub(crate) use prompt::text;

use prompt::Prompt;
use serde_json::Value;
use source::Source;
use std::path::{Path, PathBuf};

/// The seed of the shots, where the user gives no other: that of lm-evaluation-harness.
pub const FEWSHOT_SEED: u64 = 1234;

/// A task: what is asked about the documents of a data set, and how the answers are measured.
///
/// A file in YAML is one of lm-evaluation-harness, read unchanged; `!function` and unknown keys are errors that name the key.
/// A file in TOML has the same keys, and may bring its documents with it. Then the examples are the first documents, none its
/// own, and `output_type` is `multiple_choice` where there is `doc_to_choice`:
///
/// ```toml
/// task = "capitals"
/// doc_to_text = "Question: What is the capital of {{country}}?\nAnswer:"
/// doc_to_choice = "{{cities}}"          # a list in each document, or a list of texts here
/// doc_to_target = "gold"                # a field with the index of the right choice, or its text
/// data = "capitals.jsonl"               # beside this file; or [[docs]] tables in it
/// ```
///
/// A task of labelled texts for an encoder with a head has `output_type = "classification"`: `doc_to_text` is the text,
/// `doc_to_text_pair` the second of a pair, `doc_to_target` the class by its number or by its name in `doc_to_choice`, or,
/// where the metric is `pearson` or `spearman`, a number.
///
/// `dataset_path` is `json`, `csv`, `parquet`, `text`, and beyond lm-evaluation-harness `squad` or `bigbench`, with
/// `dataset_kwargs.data_files` beside the task file; or a folder with a file a split; or a data set of the Hugging Face hub
/// (feature `hub`), `dataset_name` its configuration and `dataset_kwargs.revision` a branch, tag or commit. What is fetched is
/// kept in the hub's own cache (`HF_HOME`); `HF_ENDPOINT` names a mirror, and with `HF_HUB_OFFLINE=1` only the cache is read.
/// The files of a split are those that the data set's card names, or whose names tell it: JSON, JSON lines, CSV, TSV, Parquet
/// or text.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name.
    pub task: String,
    /// What the table of results calls it instead.
    pub alias: Option<String>,
    /// The version in its `metadata`.
    pub version: Option<Value>,
    /// Examples before each question.
    pub num_fewshot: usize,
    /// Text before everything, once: a template.
    pub description: String,
    /// What is asked of the model.
    pub output: OutputType,
    /// How answers are generated.
    pub generation: Generation,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// What is done with generated answers before they are measured; each pipeline gives numbers of its own.
    pub filters: Vec<Pipeline>,
    path: PathBuf,
    source: Source,
    splits: Splits,
    prompt: Prompt,
    fewshot: FewShot,
    /// Between an instruction and the description.
    fewshot_delimiter: String,
    /// The file says `num_fewshot: 0`, which then cannot be changed.
    never_shots: bool,
    /// What is wrong with each row that was left out when contexts were built.
    left_out: Vec<String>,
    /// Contexts are yet to be built.
    pub(crate) retrieval: Option<Retrieval>,
}

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// Which of several continuations it finds likeliest.
    MultipleChoice,
    /// How likely it finds a continuation.
    LogLikelihood,
    /// How likely it finds a whole text.
    LogLikelihoodRolling,
    /// How it goes on.
    GenerateUntil,
    /// Which class, or number, the head of an encoder finds for a text or a pair: beyond lm-evaluation-harness.
    Classification,
}

/// How an answer is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The answer ends before the first of these.
    pub until: Vec<String>,
    /// Tokens, at most.
    pub max_tokens: usize,
    /// How tokens are drawn; `None` for the likeliest each time.
    pub sampling: Option<Sampling>,
}

#[derive(Debug, Clone)]
struct Splits {
    training: Option<String>,
    validation: Option<String>,
    test: Option<String>,
    fewshot: Option<String>,
}

/// The examples before a question.
#[derive(Debug, Clone)]
struct FewShot {
    sampler: Sampler,
    samples: Option<Vec<Value>>,
    split: Option<String>,
    delimiter: String,
    prompt: Prompt,
}

impl Task {
    /// Reads a multiple-choice task and its data; `shots` replaces the file's `num_fewshot`.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown or wrong key, a template that fails, a task without documents, or of another
    /// output type: [`Self::load`] and [`Self::examples`] take all.
    pub fn read(path: &Path, shots: Option<usize>) -> Result<(Self, Vec<Document>), EvalError> {
        let mut task = Self::load(path)?;
        task.set_shots(shots);
        if task.output != OutputType::MultipleChoice {
            return Err(EvalError::task(path, "output_type: a multiple_choice task is expected here"));
        }
        let examples = task.examples(FEWSHOT_SEED, None)?;
        let documents = examples.into_iter().map(|example| task.document(example)).collect::<Result<_, _>>()?;
        Ok((task, documents))
    }

    /// Reads a task file, not its data. [`crate::Suite::load`] reads groups of tasks too.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown or wrong key, a Python function.
    pub fn load(path: &Path) -> Result<Self, EvalError> {
        Self::from_keys(path, Node::read(path)?)
    }

    /// A task from the keys of a TOML file, its documents among them.
    ///
    /// # Errors
    /// What is no object, an unknown or wrong key; `name` says where.
    pub fn from_json(name: &str, keys: &Value) -> Result<Self, EvalError> {
        let path = Path::new(name).with_extension("toml");
        match Node::from_json(keys) {
            Node::Map(keys) => Self::from_keys(&path, keys),
            other => Err(EvalError::task(&path, format!("is {}, a map of keys is expected", other.kind()))),
        }
    }

    /// The task of choosing among continuations in documents that are rendered already.
    ///
    /// # Errors
    /// No documents.
    pub fn of_documents(name: &str, documents: &[Document]) -> Result<Self, EvalError> {
        // As elsewhere the space before a choice is no part of it, where all have one.
        let spaced = documents.iter().flat_map(|document| &document.continuations).all(|text| text.starts_with(' '));
        let delimiter = if spaced { " " } else { "" };
        let document = |document: &Document| {
            let choices = document.continuations.iter().map(|text| Node::Text(text[delimiter.len()..].to_owned()));
            Node::Map(vec![
                ("context".into(), Node::Text(document.context.clone())),
                ("choices".into(), Node::List(choices.collect())),
                ("gold".into(), Node::Int(document.gold as i64)),
            ])
        };
        let text = |key: &str, value: &str| (key.to_owned(), Node::Text(value.to_owned()));
        let keys = vec![
            text("task", name),
            text("doc_to_text", "context"),
            text("doc_to_choice", "choices"),
            text("doc_to_target", "gold"),
            text("target_delimiter", delimiter),
            ("docs".to_owned(), Node::List(documents.iter().map(document).collect())),
        ];
        Self::from_keys(&Path::new(name).with_extension("toml"), keys)
    }

    /// Replaces `num_fewshot`, except where a YAML file says 0, which lm-evaluation-harness takes as final.
    pub fn set_shots(&mut self, shots: Option<usize>) {
        if let Some(shots) = shots.filter(|_| !self.never_shots) {
            self.num_fewshot = shots;
        }
    }

    /// Reads the data from this folder, which holds a file a split such as `train.jsonl` or
    /// `validation-00000-of-00001.parquet`: the task's data set as it comes from the hub.
    pub fn set_folder(&mut self, folder: &Path) {
        self.source = Source::Folder(folder.to_owned());
    }

    /// An example as a document of one context and its continuations.
    fn document(&self, example: Example) -> Result<Document, EvalError> {
        let doc = example.doc;
        let wrong = |problem: &str| EvalError::Document { task: self.task.clone(), doc, problem: problem.into() };
        let Gold::Choice(gold) = example.gold else {
            return Err(wrong("has several right choices, which only `Task::examples` takes"));
        };
        let pairs = example.requests.into_iter().take(example.choices.len()).filter_map(|request| match request {
            Request::LogLikelihood { context, continuation } => Some((context, continuation)),
            _ => None,
        });
        let (contexts, continuations): (Vec<_>, Vec<_>) = pairs.unzip();
        let context = contexts.first().cloned().unwrap_or_default();
        if contexts.iter().any(|other| *other != context) {
            return Err(wrong("has a context for each choice, which only `Task::examples` takes"));
        }
        let document = Document { task: self.task.clone(), doc, context, continuations, gold };
        match document.check() {
            Ok(()) => Ok(document),
            Err(problem) => Err(wrong(&problem)),
        }
    }
}
