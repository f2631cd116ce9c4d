//! Fields of a JSON object, with errors that name the field.

use crate::error::ModelError;
use serde_json::{Map, Value};
use std::path::Path;

/// Sizes beyond this belong to no model, and keeping below it keeps products of two of them within 64 bits.
pub(super) const MAX_COUNT: u64 = 1 << 31;

/// The fields of one JSON object; `null` counts as absent.
pub(super) struct Fields<'a> {
    path: &'a Path,
    /// Prefix of field names in errors, such as `rope_scaling.`.
    prefix: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Value, path: &'a Path) -> Result<Self, ModelError> {
        Self::nested(value, path, "")
    }

    fn nested(value: &'a Value, path: &'a Path, prefix: &'static str) -> Result<Self, ModelError> {
        let map = value.as_object().ok_or_else(|| {
            let field = match prefix {
                "" => "(whole file)",
                prefix => prefix.trim_end_matches('.'),
            };
            ModelError::config(path, field, "must be a JSON object")
        })?;
        Ok(Self { path, prefix, map })
    }

    /// The fields of an object within this one; `prefix` is its name with a full stop.
    pub(super) fn object(&self, prefix: &'static str) -> Result<Option<Fields<'a>>, ModelError> {
        self.get(prefix.trim_end_matches('.')).map(|value| Fields::nested(value, self.path, prefix)).transpose()
    }

    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn error(&self, name: &str, problem: impl Into<String>) -> ModelError {
        ModelError::config(self.path, format!("{}{name}", self.prefix), problem)
    }

    fn wrong(&self, name: &str, value: &Value, right: &str) -> ModelError {
        self.error(name, format!("is {value}, it must be {right}"))
    }

    /// Converts a field that may be absent.
    fn optional<T>(
        &self,
        name: &str,
        right: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(converted) => Ok(Some(converted)),
                None => Err(self.wrong(name, value, right)),
            },
        }
    }

    /// A size of at least one.
    pub(super) fn count(&self, name: &str) -> Result<usize, ModelError> {
        self.optional_count(name)?.ok_or_else(|| self.error(name, "is missing, it must be a positive whole number"))
    }

    /// A size of at least one that may be absent.
    pub(super) fn optional_count(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.optional(name, "a whole number from 1 to 2147483648", |value| {
            let count = value.as_u64().filter(|n| (1..=MAX_COUNT).contains(n))?;
            usize::try_from(count).ok()
        })
    }

    /// A positive number that may be absent.
    pub(super) fn positive(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.optional(name, "a positive number", |value| value.as_f64().filter(|x| x.is_finite() && *x > 0.0))
    }

    /// A positive number.
    pub(super) fn required_positive(&self, name: &str) -> Result<f64, ModelError> {
        self.positive(name)?.ok_or_else(|| self.error(name, "is missing, it must be a positive number"))
    }

    /// A probability that may be absent.
    pub(super) fn probability(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.optional(name, "a number from 0 to below 1", |value| value.as_f64().filter(|x| (0.0..1.0).contains(x)))
    }

    /// A truth value that may be absent.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ModelError> {
        self.optional(name, "true or false", Value::as_bool)
    }

    /// A text that may be absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, ModelError> {
        self.optional(name, "a text", Value::as_str)
    }

    /// The first of a list of texts, which may be absent or empty.
    pub(super) fn first_text(&self, name: &str) -> Result<Option<&'a str>, ModelError> {
        let first = self.optional(name, "a list of texts", |value| match value.as_array()?.first() {
            None => Some(None),
            Some(first) => first.as_str().map(Some),
        })?;
        Ok(first.flatten())
    }

    /// The number of entries of an object that may be absent.
    pub(super) fn entries(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.optional(name, "a JSON object", |value| value.as_object().map(Map::len))
    }

    /// The texts of an object with the keys 0, 1, 2 and so on, in that order; absent where they are not all there.
    pub(super) fn names(&self, name: &str) -> Result<Option<Vec<String>>, ModelError> {
        let texts = |entries: &Map<String, Value>| {
            let text = |i: usize| Some(entries.get(&i.to_string())?.as_str()?.to_owned());
            (0..entries.len()).map(text).collect::<Option<Vec<_>>>()
        };
        self.optional(name, "a JSON object", |value| value.as_object().map(texts)).map(Option::flatten)
    }

    /// A token id, or a list of them; absent means none. A negative id means none too, as in old configurations.
    pub(super) fn tokens(&self, name: &str) -> Result<Vec<u32>, ModelError> {
        let ids = self.optional(name, "a token id or a list of token ids", |value| match value {
            Value::Array(ids) => ids.iter().map(token).collect::<Option<Vec<_>>>(),
            id => token(id).map(|id| vec![id]),
        })?;
        Ok(ids.unwrap_or_default().into_iter().flatten().collect())
    }
}

/// A token id; the inner `None` for a negative one.
fn token(value: &Value) -> Option<Option<u32>> {
    match value.as_i64()? {
        id if id < 0 => Some(None),
        id => u32::try_from(id).ok().map(Some),
    }
}
