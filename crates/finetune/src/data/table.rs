//! One split as a table.

use super::glue::Task;
use super::{Example, Label};
use crate::FinetuneError;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A column, by the name in the header or, counted from 0, by its place; then there is no header.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Column {
    Place(usize),
    Name(String),
    /// For splits that call it differently.
    Names(Vec<String>),
}

/// The texts and labels of one split, as they are written.
pub(super) struct Table {
    pub(super) path: PathBuf,
    regression: bool,
    rows: Vec<Row>,
}

struct Row {
    first: String,
    second: Option<String>,
    label: String,
    line: u64,
}

impl Table {
    pub(super) fn read(path: &Path, task: &Task) -> Result<Self, FinetuneError> {
        let has_header = !matches!(task.first, Column::Place(_));
        let commas = path.extension().is_some_and(|extension| extension == "csv");
        // GLUE's tables quote nothing: a quotation mark is part of the text.
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(if commas { b',' } else { b'\t' }).quoting(commas).flexible(true).has_headers(has_header);
        let mut reader = builder.from_path(path).map_err(|error| csv_error(path, error))?;
        let header = has_header.then(|| reader.headers().cloned()).transpose();
        let header = header.map_err(|error| csv_error(path, error))?;
        let place = |column: &Column| column.place(header.as_ref()).map_err(|problem| data(path, problem));
        let (first, label) = (place(&task.first)?, place(&task.label)?);
        let second = task.second.as_ref().map(place).transpose()?;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| csv_error(path, error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |place: usize| {
                let missing =
                    || data(path, format!("line {line} has {} columns, column {} is missing", record.len(), place + 1));
                record.get(place).map(str::to_owned).ok_or_else(missing)
            };
            rows.push(Row { first: cell(first)?, second: second.map(cell).transpose()?, label: cell(label)?, line });
        }
        if rows.is_empty() {
            return Err(data(path, "holds no examples".into()));
        }
        Ok(Self { path: path.into(), regression: task.regression, rows })
    }

    /// Labels as they are written, and their lines.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, u64)> {
        self.rows.iter().map(|row| (row.label.as_str(), row.line))
    }

    pub(super) fn examples(self, classes: &[String]) -> Result<Vec<Example>, FinetuneError> {
        let example = |row: Row| {
            let label = match self.regression {
                false => classes.iter().position(|class| *class == row.label).map(Label::Class),
                true => row.label.parse().ok().filter(|x: &f32| x.is_finite()).map(Label::Value),
            };
            let none = || data(&self.path, format!("line {}: `{}` is no label", row.line, row.label));
            Ok(Example { label: label.ok_or_else(none)?, first: row.first, second: row.second })
        };
        self.rows.into_iter().map(example).collect()
    }
}

fn data(path: &Path, problem: String) -> FinetuneError {
    FinetuneError::Data { path: path.into(), problem }
}

fn csv_error(path: &Path, error: csv::Error) -> FinetuneError {
    let problem = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => FinetuneError::Io { path: path.into(), source },
        _ => data(path, problem),
    }
}

impl Column {
    fn place(&self, header: Option<&csv::StringRecord>) -> Result<usize, String> {
        let find = |names: &[String]| {
            let header = header.ok_or("the first column is given by its place, so all must be")?;
            let place = header.iter().position(|cell| names.iter().any(|name| name == cell));
            let there = || header.iter().collect::<Vec<_>>().join(", ");
            place.ok_or_else(|| format!("there is no column `{}`; there are {}", names.join("` or `"), there()))
        };
        match self {
            Self::Place(place) => Ok(*place),
            Self::Name(name) => find(std::slice::from_ref(name)),
            Self::Names(names) => find(names),
        }
    }
}
