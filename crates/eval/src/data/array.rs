//! The elements of a JSON array, one at a time.

use super::json::record;
use crate::EvalError;
use serde_json::Value;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Cuts an array into the texts of its elements by brackets and quotes alone, so that no more than one element is in
/// memory.
pub struct Elements<R> {
    reader: R,
    path: PathBuf,
    line: usize,
    depth: usize,
    ended: bool,
}

/// What stands after an element.
enum End {
    Comma,
    Array,
}

impl<R: BufRead> Elements<R> {
    pub fn new(reader: R, path: &Path) -> Self {
        Self { reader, path: path.to_owned(), line: 1, depth: 0, ended: false }
    }

    fn byte(&mut self) -> Result<u8, EvalError> {
        let buffer = self.reader.fill_buf().map_err(|source| EvalError::Io { path: self.path.clone(), source })?;
        let Some(&byte) = buffer.first() else {
            let problem = "the array does not end".to_owned();
            return Err(EvalError::Line { path: self.path.clone(), line: self.line, problem });
        };
        self.reader.consume(1);
        self.line += usize::from(byte == b'\n');
        Ok(byte)
    }

    /// The text of the next element, the line it begins in, and what follows.
    fn element(&mut self) -> Result<(Vec<u8>, usize, End), EvalError> {
        let (mut text, mut first_line, mut quoted, mut escaped) = (Vec::new(), self.line, false, false);
        loop {
            let byte = self.byte()?;
            if text.is_empty() {
                first_line = self.line;
            }
            if quoted {
                quoted = byte != b'"' || escaped;
                escaped = byte == b'\\' && !escaped;
                text.push(byte);
                continue;
            }
            match byte {
                b'"' => quoted = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' if self.depth > 0 => self.depth -= 1,
                _ => {}
            }
            match (byte, self.depth) {
                (b'[', 1) if text.is_empty() => {}
                (b']', 0) => return Ok((text, first_line, End::Array)),
                (b',', 1) => return Ok((text, first_line, End::Comma)),
                _ if text.is_empty() && byte.is_ascii_whitespace() => {}
                _ => text.push(byte),
            }
        }
    }
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Result<Value, EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let (text, line, end) = match self.element() {
            Ok(found) => found,
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        self.ended = matches!(end, End::Array);
        if self.ended && text.is_empty() {
            return None;
        }
        Some(record(&self.path, line, &String::from_utf8_lossy(&text)))
    }
}
