//! JSON lines, JSON arrays, lists inside of a JSON object, and lines of text.

use super::Records;
use super::array::Elements;
use super::compressed::{Bytes, bytes};
use crate::EvalError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

/// JSON lines, or an array: its first character tells.
pub fn open(path: &Path) -> Result<Records, EvalError> {
    let io = |source| EvalError::Io { path: path.to_owned(), source };
    let mut reader = bytes(path)?;
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
pub fn under(path: &Path, field: &str) -> Result<Elements<Bytes>, EvalError> {
    Elements::under(field, bytes(path)?, path)
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

fn lines(path: &Path) -> Result<Lines, EvalError> {
    Ok(Lines { bytes: bytes(path)?, path: path.to_owned(), line: 0, ended: false })
}

/// The lines of a file with their numbers. One that is no text is an error, after which others follow; what cannot be read, or
/// decompressed, ends them.
struct Lines {
    bytes: Bytes,
    path: PathBuf,
    line: usize,
    ended: bool,
}

impl Iterator for Lines {
    type Item = Result<(usize, String), EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        if self.ended {
            return None;
        }
        self.line += 1;
        match self.bytes.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(self.text(line)),
            Err(source) => {
                self.ended = true;
                Some(Err(EvalError::Io { path: self.path.clone(), source }))
            }
        }
    }
}

impl Lines {
    fn text(&self, mut line: Vec<u8>) -> Result<(usize, String), EvalError> {
        if line.pop_if(|last| *last == b'\n').is_some() {
            line.pop_if(|last| *last == b'\r');
        }
        let wrong = |error: FromUtf8Error| EvalError::Line {
            path: self.path.clone(),
            line: self.line,
            problem: error.to_string(),
        };
        Ok((self.line, String::from_utf8(line).map_err(wrong)?))
    }
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
