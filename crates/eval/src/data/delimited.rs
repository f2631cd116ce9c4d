//! Separated values, typed by column as `pandas.read_csv` types them.

use super::Records;
use super::compressed::{Bytes, bytes};
use crate::EvalError;
use csv::{Position, ReaderBuilder, StringRecord};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Rows of separated values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimited {
    /// What separates them.
    pub delimiter: u8,
    /// Whether `"` encloses values that hold the separator or a line break. In GLUE's files quotes are text.
    pub quoting: bool,
    /// Where the names of the columns come from.
    pub header: Header,
}

/// The names of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The first row.
    First,
    /// There is none in the file; these are they.
    Names(Vec<String>),
    /// The first row is one, these replace it.
    Replaced(Vec<String>),
}

/// The type of a column: the narrowest that holds all its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Missing,
    Bool,
    Integer,
    Float,
    Text,
}

/// What `pandas.read_csv` reads as a missing value.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

impl Delimited {
    /// Commas, quotes and a header.
    pub fn csv() -> Self {
        Self { delimiter: b',', quoting: true, header: Header::First }
    }

    /// Tabs, quotes and a header.
    pub fn tsv() -> Self {
        Self { delimiter: b'\t', ..Self::csv() }
    }

    /// Tabs, no quotes, a header: GLUE's layout (Wang et al. 2018). CoLA has no header and takes [`Header::Names`].
    pub fn glue() -> Self {
        Self { quoting: false, ..Self::tsv() }
    }

    /// Opens a file. It is read twice: once for the types of the columns, then for the records.
    pub(super) fn open(&self, path: &Path) -> Result<Records, EvalError> {
        let mut rows = Rows::new(self, path)?;
        let mut columns = vec![Column::Missing; rows.names.len()];
        for row in rows.by_ref().flatten() {
            columns.iter_mut().zip(&row).for_each(|(column, cell)| *column = join(*column, cell));
        }
        let rows = Rows::new(self, path)?;
        let names = rows.names.clone();
        Ok(Box::new(rows.map(move |row| {
            let cells = row?;
            let values = cells.iter().zip(&columns).map(|(cell, &column)| typed(cell, column));
            Ok(Value::Object(names.iter().cloned().zip(values).collect::<Map<_, _>>()))
        })))
    }
}

/// The rows below the header, all of one length.
struct Rows {
    reader: csv::Reader<Bytes>,
    path: PathBuf,
    names: Vec<String>,
}

impl Rows {
    fn new(format: &Delimited, path: &Path) -> Result<Self, EvalError> {
        let mut reader = ReaderBuilder::new()
            .delimiter(format.delimiter)
            .quoting(format.quoting)
            .has_headers(!matches!(format.header, Header::Names(_)))
            .flexible(true)
            .from_reader(bytes(path)?);
        let names = match &format.header {
            Header::First => {
                let first = reader.headers().map_err(|error| broken(path, error))?;
                first.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect()
            }
            Header::Names(names) | Header::Replaced(names) => names.clone(),
        };
        Ok(Self { reader, path: path.to_owned(), names })
    }
}

impl Iterator for Rows {
    type Item = Result<StringRecord, EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = StringRecord::new();
        match self.reader.read_record(&mut row) {
            Ok(false) => None,
            Err(error) => Some(Err(broken(&self.path, error))),
            Ok(true) if row.len() == self.names.len() => Some(Ok(row)),
            Ok(true) => {
                let line = row.position().map_or(0, Position::line) as usize;
                let problem = format!("has {} values, the columns are {}", row.len(), self.names.len());
                Some(Err(EvalError::Line { path: self.path.clone(), line, problem }))
            }
        }
    }
}

fn broken(path: &Path, error: csv::Error) -> EvalError {
    let (path, line, problem) = (path.to_owned(), error.position().map(Position::line), error.to_string());
    match (error.into_kind(), line) {
        (csv::ErrorKind::Io(source), _) => EvalError::Io { path, source },
        (_, Some(line)) => EvalError::Line { path, line: line as usize, problem },
        (_, None) => EvalError::data(&path, problem),
    }
}

/// The type of a column that also holds this value.
fn join(column: Column, cell: &str) -> Column {
    let own = match cell {
        missing if MISSING.contains(&missing) => return column,
        "True" | "TRUE" | "true" | "False" | "FALSE" | "false" => Column::Bool,
        number if number.trim().parse::<i64>().is_ok() => Column::Integer,
        number if number.trim().parse::<f64>().is_ok_and(f64::is_finite) => Column::Float,
        _ => Column::Text,
    };
    match (column, own) {
        (Column::Missing, own) => own,
        (column, own) if column == own => own,
        (Column::Integer, Column::Float) | (Column::Float, Column::Integer) => Column::Float,
        _ => Column::Text,
    }
}

fn typed(cell: &str, column: Column) -> Value {
    if MISSING.contains(&cell) {
        return Value::Null;
    }
    let number = cell.trim();
    match column {
        Column::Bool => Value::Bool(cell.eq_ignore_ascii_case("true")),
        Column::Integer => number.parse::<i64>().map_or(Value::Null, Value::from),
        Column::Float => number.parse::<f64>().map_or(Value::Null, Value::from),
        Column::Text | Column::Missing => Value::from(cell),
    }
}
