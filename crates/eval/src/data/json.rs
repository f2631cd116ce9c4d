//! JSON lines, JSON arrays, lists inside of a JSON object, and lines of text.

use super::array::Elements;
use super::{Records, file};
use crate::EvalError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// JSON lines, or an array: its first character tells.
pub fn open(path: &Path) -> Result<Records, EvalError> {
    let io = |source| EvalError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::new(file(path)?);
    let first = loop {
        let buffer = reader.fill_buf().map_err(io)?;
        match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
            _ if buffer.is_empty() => break None,
            Some(place) => break Some(buffer[place]),
            None => {
                let length = buffer.len();
                reader.consume(length);
            }
        }
    };
    let owned = path.to_owned();
    if first == Some(b'[') {
        let elements = Elements::new(reader, path);
        return Ok(Box::new(elements.map(move |element| element.and_then(|(line, text)| record(&owned, line, &text)))));
    }
    Ok(Box::new(lines(path)?.filter_map(move |line| match line {
        Ok((_, text)) if text.trim().is_empty() => None,
        Ok((number, text)) => Some(record(&owned, number, &text)),
        Err(error) => Some(Err(error)),
    })))
}

/// The list under a name in a file of one object.
pub fn list(path: &Path, field: &str) -> Result<Records, EvalError> {
    let owned = path.to_owned();
    let elements = under(path, field)?;
    Ok(Box::new(elements.map(move |element| element.and_then(|(line, text)| record(&owned, line, &text)))))
}

/// The texts in the list under a name, each with its line.
pub fn under(path: &Path, field: &str) -> Result<Elements<BufReader<File>>, EvalError> {
    Elements::under(field, BufReader::new(file(path)?), path)
}

/// What a text holds, which begins in this line of a file.
pub fn parsed<T: DeserializeOwned>(path: &Path, line: usize, text: &str) -> Result<T, EvalError> {
    let wrong = |error: serde_json::Error| {
        // Where the text begins is line 1 for its parser.
        let line = line + error.line().saturating_sub(1);
        EvalError::Line { path: path.to_owned(), line, problem: error.to_string() }
    };
    serde_json::from_str(text).map_err(wrong)
}

/// Each line as `{"text": line}`.
pub fn text(path: &Path) -> Result<Records, EvalError> {
    Ok(Box::new(lines(path)?.map(|line| line.map(|(_, text)| json!({ "text": text })))))
}

fn lines(path: &Path) -> Result<impl Iterator<Item = Result<(usize, String), EvalError>> + Send + use<>, EvalError> {
    let owned: PathBuf = path.to_owned();
    let lines = BufReader::new(file(path)?).lines().enumerate();
    Ok(lines.map(move |(index, line)| match line {
        Ok(text) => Ok((index + 1, text)),
        Err(error) => Err(EvalError::Line { path: owned.clone(), line: index + 1, problem: error.to_string() }),
    }))
}

/// One record of JSON; it must be an object.
pub fn record(path: &Path, line: usize, text: &str) -> Result<Value, EvalError> {
    let problem = match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => return Ok(value),
        Ok(_) => "is no JSON object".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(EvalError::Line { path: path.to_owned(), line, problem })
}
