//! What a task file says, whichever language it is written in.

mod toml;
mod yaml;

use crate::EvalError;
use std::path::Path;

/// A value of a task file. Keys keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A Python function, by its name.
    Function(String),
}

impl Node {
    /// Reads a task file: TOML by its extension, YAML otherwise, with what it includes.
    pub fn read(path: &Path) -> Result<Vec<(String, Self)>, EvalError> {
        let text = std::fs::read_to_string(path).map_err(|source| EvalError::Io { path: path.to_owned(), source })?;
        if path.extension().is_some_and(|extension| extension == "toml") {
            return toml::parse(path, &text);
        }
        yaml::read(path, &mut Vec::new())
    }

    /// Reads a text in YAML; `path` says where it stands.
    #[cfg(feature = "hub")]
    pub fn yaml(path: &Path, text: &str) -> Result<Self, EvalError> {
        yaml::parse(path, text)
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Function(_) => "a Python function",
        }
    }

    /// From a document's value.
    pub fn from_json(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Value::Object(entries) => {
                Self::Map(entries.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect())
            }
        }
    }

    /// As a document's value.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Float(value) => Value::from(*value),
            Self::Text(text) | Self::Function(text) => Value::from(text.as_str()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }

    /// The Python function in this value, if there is one, with the key that holds it.
    pub fn function<'a>(&'a self, key: &str) -> Option<(String, &'a str)> {
        match self {
            Self::Function(name) => Some((key.to_owned(), name)),
            Self::List(items) => items.iter().find_map(|item| item.function(key)),
            Self::Map(entries) => entries.iter().find_map(|(name, value)| value.function(&format!("{key}.{name}"))),
            _ => None,
        }
    }
}
