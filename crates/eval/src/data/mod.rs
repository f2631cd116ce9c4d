//! Data files as streams of documents: one JSON value a record.

mod array;
mod bigbench;
mod broken;
mod columns;
mod compressed;
mod delimited;
mod json;
#[cfg(feature = "parquet")]
mod parquet;
mod squad;
mod table;

pub(crate) use broken::BrokenRows;
pub use columns::align;
pub(crate) use compressed::uncompressed;
pub use delimited::{Delimited, Header};
pub(crate) use table::Table;

use crate::EvalError;
use columns::Columns;
use serde_json::Value;
use std::fs::File;
use std::path::Path;

/// The records of a file, read as they are asked for. After a broken record the stream goes on with the next one wherever
/// the format tells where that begins.
pub type Records = Box<dyn Iterator<Item = Result<Value, EvalError>> + Send>;

/// How a file holds its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// JSON lines, a JSON array, or a list under `field` of a JSON object.
    Json {
        /// The name of the list.
        field: Option<String>,
    },
    /// Rows of separated values.
    Delimited(Delimited),
    /// Apache Parquet.
    Parquet,
    /// Each line is a record with the field `text`.
    Text,
    /// SQuAD (Rajpurkar et al. 2016, 2018): a record a question with `id`, `title`, `context`, `question`,
    /// `answers.text`, `answers.answer_start` and `is_impossible`.
    Squad,
    /// BIG-bench `task.json` (Srivastava et al. 2022): `idx`, `inputs`, `targets`, `multiple_choice_targets` and
    /// `multiple_choice_scores` for each example. `inputs` is the example's own text, without the prefixes and shuffled
    /// choices that BIG-bench's runner may add.
    BigBench,
}

impl Format {
    /// The format that a file's extension tells: `json`, `jsonl`, `csv`, `tsv`, `parquet` or `txt`. Behind it `gz` or `zst` may
    /// stand: all but Parquet are decompressed as they are read, whatever they are called.
    pub fn of(path: &Path) -> Option<Self> {
        Some(match uncompressed(path).extension()?.to_str()? {
            "json" | "jsonl" | "ndjson" => Self::Json { field: None },
            "csv" => Self::Delimited(Delimited::csv()),
            "tsv" => Self::Delimited(Delimited::tsv()),
            "parquet" => Self::Parquet,
            "txt" => Self::Text,
            _ => return None,
        })
    }

    /// Opens a file.
    ///
    /// # Errors
    /// A file that cannot be read, or is not of this format as a whole.
    pub fn open(&self, path: &Path) -> Result<Records, EvalError> {
        match self {
            Self::Json { field: None } => json::open(path),
            Self::Json { field: Some(field) } => json::list(path, field),
            Self::Delimited(delimited) => delimited.open(path),
            Self::Parquet => open_parquet(path),
            Self::Text => json::text(path),
            Self::Squad => squad::open(path),
            Self::BigBench => bigbench::open(path),
        }
    }

    /// What can be known of a file's records without reading them.
    #[cfg_attr(not(feature = "parquet"), allow(unused_variables, reason = "only Parquet says"))]
    fn outline(&self, path: &Path) -> Result<Option<Outline>, EvalError> {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet => parquet::outline(path).map(Some),
            _ => Ok(None),
        }
    }
}

/// How many records a file has, and their fields.
struct Outline {
    rows: usize,
    columns: Columns,
}

#[cfg(feature = "parquet")]
fn open_parquet(path: &Path) -> Result<Records, EvalError> {
    parquet::open(path)
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(path: &Path) -> Result<Records, EvalError> {
    Err(EvalError::data(path, "reading Parquet needs the feature `parquet` of junkdna-eval"))
}

fn file(path: &Path) -> Result<File, EvalError> {
    File::open(path).map_err(|source| EvalError::Io { path: path.to_owned(), source })
}
