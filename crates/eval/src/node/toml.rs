//! Task files in TOML.

use super::Node;
use crate::EvalError;
use crate::template::one_line;
use std::path::Path;

pub fn parse(path: &Path, text: &str) -> Result<Vec<(String, Node)>, EvalError> {
    let table: toml::Table =
        toml::from_str(text).map_err(|error| EvalError::task(path, one_line(&error.to_string())))?;
    Ok(table.into_iter().map(|(key, value)| (key, node(value))).collect())
}

fn node(value: toml::Value) -> Node {
    match value {
        toml::Value::Boolean(value) => Node::Bool(value),
        toml::Value::Integer(value) => Node::Int(value),
        toml::Value::Float(value) => Node::Float(value),
        toml::Value::String(text) => Node::Text(text),
        toml::Value::Datetime(date) => Node::Text(date.to_string()),
        toml::Value::Array(items) => Node::List(items.into_iter().map(node).collect()),
        toml::Value::Table(table) => Node::Map(table.into_iter().map(|(key, value)| (key, node(value))).collect()),
    }
}
