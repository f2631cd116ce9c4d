//! Labelled texts, and prompts with targets.

mod glue;
mod pairs;
mod subset;
mod table;

pub use pairs::{Pair, Pairs, Question};
pub use subset::subset;

use crate::FinetuneError;
use std::path::Path;

/// A text or a pair of texts with what it should be found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The text.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
    /// The label.
    pub label: Label,
}

/// What an example should be found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Label {
    /// One of the classes.
    Class(usize),
    /// A number.
    Value(f32),
}

/// What a task asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// One of these classes.
    Classes(Vec<String>),
    /// A number.
    Number,
}

/// A task of labelled texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub target: Target,
    /// The metric that it is known by.
    pub metric: String,
    /// Examples to train on.
    pub train: Vec<Example>,
    /// Examples to validate on.
    pub validation: Vec<Example>,
}

impl Dataset {
    /// A folder of GLUE (Wang et al. 2019), which its name tells, with `train.tsv` and `dev.tsv`; or a TOML file that says
    /// where the splits of a task are and which columns to read:
    ///
    /// ```toml
    /// name = "sst2"
    /// train = "train.tsv"            # beside this file
    /// validation = "dev.tsv"
    /// first = "sentence"             # a column's name, or its number where there is no header
    /// # second = "hypothesis"
    /// label = "label"
    /// # regression = true
    /// # metric = "matthews"
    /// ```
    ///
    /// # Errors
    /// [`FinetuneError::Data`] or [`FinetuneError::Io`]: a folder of no known task, a file that cannot be read, a split
    /// without examples, a class of one split that the training split lacks.
    pub fn read(path: &Path) -> Result<Self, FinetuneError> {
        glue::read(path)
    }

    /// The names of the outputs of a head: the classes, or the one number.
    pub fn labels(&self) -> Vec<String> {
        match &self.target {
            Target::Classes(classes) => classes.clone(),
            Target::Number => vec!["score".to_owned()],
        }
    }
}
