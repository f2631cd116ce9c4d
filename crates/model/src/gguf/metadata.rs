//! Typed access to the metadata of a GGUF file, with errors that name the key.

use super::Gguf;
use crate::error::ModelError;

/// A value of the metadata; the widths of integers are not kept apart.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// A single-precision number.
    F32(f32),
    /// A double-precision number.
    F64(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list, all of one type.
    Array(Vec<Value>),
}

impl Value {
    /// A whole number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(*number),
            Self::Signed(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Any number. A single-precision one becomes the double with the same decimal digits, so that 1e-5 stays 1e-5.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Unsigned(number) => Some(*number as f64),
            Self::Signed(number) => Some(*number as f64),
            Self::F32(number) => number.to_string().parse().ok(),
            Self::F64(number) => Some(*number),
            _ => None,
        }
    }

    /// A truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }
}

impl Gguf {
    fn wrong(&self, key: &str, right: &str) -> ModelError {
        ModelError::config(self.path(), key, format!("must be {right}"))
    }

    fn optional<'a, T>(
        &'a self,
        key: &str,
        right: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        match self.metadata().get(key) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(converted) => Ok(Some(converted)),
                None => Err(self.wrong(key, right)),
            },
        }
    }

    /// The error for a key that must be there.
    pub(crate) fn missing(&self, key: &str) -> ModelError {
        ModelError::config(self.path(), key, "is missing from the metadata")
    }

    /// A text that may be absent.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        self.optional(key, "a text", Value::as_str)
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Result<&str, ModelError> {
        self.optional_text(key)?.ok_or_else(|| self.missing(key))
    }

    /// A truth value that may be absent.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.optional(key, "true or false", Value::as_bool)
    }

    /// A size that may be absent.
    pub(crate) fn optional_count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        self.optional(key, "a whole number from 0 to 2147483648", |value| {
            let count = value.as_u64().filter(|n| *n <= 1 << 31)?;
            usize::try_from(count).ok()
        })
    }

    /// A size.
    pub(crate) fn count(&self, key: &str) -> Result<usize, ModelError> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key))
    }

    /// A token id that may be absent.
    pub(crate) fn token(&self, key: &str) -> Result<Option<u32>, ModelError> {
        self.optional(key, "a token id", |value| u32::try_from(value.as_u64()?).ok())
    }

    /// A positive, finite number that may be absent.
    pub(crate) fn positive(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.optional(key, "a positive number", |value| value.as_f64().filter(|x| x.is_finite() && *x > 0.0))
    }

    /// A list of texts that may be absent.
    pub(crate) fn optional_texts(&self, key: &str) -> Result<Option<Vec<&str>>, ModelError> {
        self.optional(key, "a list of texts", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// A list of texts.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        self.optional_texts(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list of numbers that may be absent.
    pub(crate) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, ModelError> {
        self.optional(key, "a list of numbers", |value| value.as_array()?.iter().map(Value::as_f64).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn a_single_precision_number_keeps_its_decimal_digits() {
        assert_eq!(Value::F32(1e-5).as_f64(), Some(1e-5));
        assert_eq!(Value::F32(100_000.0).as_f64(), Some(100_000.0));
        assert!(Value::F32(f32::NAN).as_f64().is_some_and(f64::is_nan));
    }

    #[test]
    fn a_negative_number_is_not_a_count() {
        assert_eq!(Value::Signed(-1).as_u64(), None);
        assert_eq!(Value::Signed(3).as_u64(), Some(3));
    }
}
