//! The elements of a JSON array, one at a time.

use crate::EvalError;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Cuts an array into the texts of its elements by brackets and quotes alone, so that no more than one element is in
/// memory. Each comes with the line it begins in.
pub struct Elements<R> {
    bytes: Bytes<R>,
    depth: usize,
    ended: bool,
}

/// What stands after an element.
enum End {
    Comma,
    /// A list, or the object around it, ends.
    Whole,
}

impl<R: BufRead> Elements<R> {
    /// Of an array that stands alone.
    pub fn new(reader: R, path: &Path) -> Self {
        Self { bytes: Bytes { reader, path: path.to_owned(), line: 1 }, depth: 0, ended: false }
    }

    /// Of the list under a name in an object. What stands behind it is not read.
    ///
    /// # Errors
    /// What is no object, or has no list of that name.
    pub fn under(field: &str, reader: R, path: &Path) -> Result<Self, EvalError> {
        let mut bytes = Bytes { reader, path: path.to_owned(), line: 1 };
        let none = || EvalError::data(path, format!("has no list `{field}`"));
        if bytes.solid()? != Some(b'{') {
            return Err(none());
        }
        bytes.next()?;
        loop {
            match bytes.solid()? {
                Some(b'"') => {}
                _ => return Err(none()),
            }
            let name = bytes.key()?;
            if bytes.solid()? == Some(b'[') && name == field {
                return Ok(Self { bytes, depth: 0, ended: false });
            }
            if matches!(bytes.text(&mut 1)?.2, End::Whole) {
                return Err(none());
            }
        }
    }
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Result<(usize, String), EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let (text, line, end) = match self.bytes.text(&mut self.depth) {
            Ok(found) => found,
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        self.ended = matches!(end, End::Whole);
        if self.ended && text.is_empty() {
            return None;
        }
        Some(Ok((line, String::from_utf8_lossy(&text).into_owned())))
    }
}

/// The bytes of a file, and the line they are in.
struct Bytes<R> {
    reader: R,
    path: PathBuf,
    line: usize,
}

impl<R: BufRead> Bytes<R> {
    fn peek(&mut self) -> Result<Option<u8>, EvalError> {
        let buffer = self.reader.fill_buf().map_err(|source| EvalError::Io { path: self.path.clone(), source })?;
        Ok(buffer.first().copied())
    }

    fn next(&mut self) -> Result<u8, EvalError> {
        let Some(byte) = self.peek()? else { return Err(self.wrong("the array does not end")) };
        self.reader.consume(1);
        self.line += usize::from(byte == b'\n');
        Ok(byte)
    }

    fn wrong(&self, problem: &str) -> EvalError {
        EvalError::Line { path: self.path.clone(), line: self.line, problem: problem.to_owned() }
    }

    /// The next byte that is no white space, which stays to be read.
    fn solid(&mut self) -> Result<Option<u8>, EvalError> {
        while self.peek()?.is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.next()?;
        }
        self.peek()
    }

    /// A name and the colon behind it.
    fn key(&mut self) -> Result<String, EvalError> {
        let (mut quoted, mut escaped) = (vec![self.next()?], false);
        loop {
            let byte = self.next()?;
            quoted.push(byte);
            if byte == b'"' && !escaped {
                break;
            }
            escaped = byte == b'\\' && !escaped;
        }
        let name = serde_json::from_slice(&quoted).map_err(|error| self.wrong(&error.to_string()))?;
        match self.solid()? {
            Some(b':') => self.next()?,
            _ => return Err(self.wrong("a colon is expected after a name")),
        };
        Ok(name)
    }

    /// The text up to the next comma at depth 1, or to the end of what began at depth 1, with the line it begins in. At depth
    /// 0 the bracket that begins the array is still to come.
    fn text(&mut self, depth: &mut usize) -> Result<(Vec<u8>, usize, End), EvalError> {
        let (mut text, mut first_line, mut quoted, mut escaped) = (Vec::new(), self.line, false, false);
        loop {
            let byte = self.next()?;
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
                b'[' | b'{' => {
                    *depth += 1;
                    if *depth == 1 {
                        continue;
                    }
                }
                b']' | b'}' if *depth > 0 => *depth -= 1,
                _ => {}
            }
            match (byte, *depth) {
                (b']' | b'}', 0) => return Ok((text, first_line, End::Whole)),
                (b',', 1) => return Ok((text, first_line, End::Comma)),
                _ if text.is_empty() && byte.is_ascii_whitespace() => {}
                _ => text.push(byte),
            }
        }
    }
}
