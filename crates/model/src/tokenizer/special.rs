//! Which token plays which role.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The roles, by their names in Hugging Face's files.
pub(super) const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"];

/// Tokens by role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SpecialTokens(BTreeMap<&'static str, String>);

impl SpecialTokens {
    pub(super) fn get(&self, role: &str) -> Option<&str> {
        self.0.get(role).map(String::as_str)
    }

    pub(super) fn set(&mut self, role: &'static str, token: String) {
        self.0.insert(role, token);
    }

    /// Roles that these lack are taken from a JSON object of `tokenizer_config.json` or `special_tokens_map.json`.
    pub(super) fn fill_from(&mut self, object: &Map<String, Value>) {
        for role in ROLES {
            if let Some(token) = object.get(role).and_then(content) {
                self.0.entry(role).or_insert_with(|| token.to_owned());
            }
        }
    }

    /// The contents of `special_tokens_map.json`.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let entries = self.0.iter();
        entries.map(|(role, token)| ((*role).to_owned(), token.as_str().into())).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(role, token)| (*role, token.as_str()))
    }
}

/// A token is written as a text, or as an object with the text in `content`.
fn content(value: &Value) -> Option<&str> {
    match value {
        Value::Object(object) => object.get("content")?.as_str(),
        value => value.as_str(),
    }
}
