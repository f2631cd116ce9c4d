//! The templates of a task, filled in with a document.

use crate::python;
use crate::template::Templates;
use minijinja::value::Serde;
use serde_json::Value;

/// What of a document is asked, answered and offered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prompt {
    pub text: Value,
    pub target: Value,
    pub choices: Option<Choices>,
    pub gen_prefix: Option<String>,
    /// The second text of a pair.
    pub pair: Option<String>,
    pub target_delimiter: String,
}

/// Where the choices of a question come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Choices {
    /// A field with a list, or a template that gives one.
    Template(String),
    /// The same for every document.
    Fixed(Vec<String>),
}

/// What a document's `doc_to_text` gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    Text(String),
    /// The choices are contexts, and this is the right one.
    Choice(i64),
}

/// A document with what is needed to fill in templates.
#[derive(Clone, Copy)]
pub(crate) struct Filling<'a> {
    pub templates: &'a Templates,
    pub document: &'a Value,
    /// A document of the split that is evaluated: names of its fields stand for the fields.
    pub fields: &'a Value,
    /// Whether the task has choices: a text of digits is a number then.
    pub has_choices: bool,
}

impl Filling<'_> {
    fn field(&self, name: &str) -> Result<Option<&Value>, String> {
        match (self.fields.get(name), self.document.get(name)) {
            (None, _) => Ok(None),
            (Some(_), Some(value)) => Ok(Some(value)),
            (Some(_), None) => Err(format!("has no field `{name}`")),
        }
    }

    /// The value of a key of the task: a field, or a template's text.
    fn fill(&self, key: &Value) -> Result<Value, String> {
        let Value::String(template) = key else { return Ok(key.clone()) };
        match self.field(template)? {
            Some(Value::Bool(truth)) => Ok(Value::from(i64::from(*truth))),
            Some(value) => Ok(value.clone()),
            None => {
                let text = self.templates.render(template, self.document)?;
                let number = if self.has_choices && python::is_digits(&text) { text.parse::<i64>().ok() } else { None };
                Ok(number.map_or(Value::String(text), Value::from))
            }
        }
    }

    /// A key that is text, filled in: the field of that name if this document has one, else the template.
    pub fn resolve(&self, template: &str) -> Result<String, String> {
        match self.document.get(template) {
            Some(value) => Ok(text(value)),
            None => self.templates.render(template, self.document),
        }
    }
}

impl Prompt {
    pub fn question(&self, filling: Filling) -> Result<Question, String> {
        let wrong = |problem: String| format!("doc_to_text: {problem}");
        match filling.fill(&self.text).map_err(wrong)? {
            Value::String(text) => Ok(Question::Text(text)),
            Value::Number(number) if number.is_i64() => Ok(Question::Choice(number.as_i64().unwrap_or_default())),
            other => Err(wrong(format!("gives {other}, a text or the number of a choice is expected"))),
        }
    }

    /// A text, the number of a choice, or a list of right answers.
    pub fn answer(&self, filling: Filling) -> Result<Value, String> {
        let wrong = |problem: String| format!("doc_to_target: {problem}");
        match filling.fill(&self.target).map_err(wrong)? {
            Value::String(text) if text.len() >= 2 && text.starts_with('[') && text.ends_with(']') => {
                // Only of a template's text, never of a field's.
                let template = self.target.as_str().is_none_or(|name| filling.fields.get(name).is_none());
                let list = if template { python::literal(&text) } else { None };
                Ok(list.unwrap_or(Value::String(text)))
            }
            value => Ok(value),
        }
    }

    pub fn choices(&self, filling: Filling) -> Result<Option<Vec<String>>, String> {
        let wrong = |problem: String| format!("doc_to_choice: {problem}");
        let template = match &self.choices {
            None => return Ok(None),
            Some(Choices::Fixed(choices)) => return Ok(Some(choices.clone())),
            Some(Choices::Template(template)) => template,
        };
        let list = match filling.field(template).map_err(wrong)? {
            Some(value) => Some(value.clone()),
            None => python::literal(&filling.templates.render(template, filling.document).map_err(wrong)?),
        };
        match list {
            Some(Value::Array(items)) => Ok(Some(items.iter().map(text).collect())),
            _ => Err(wrong(format!("`{template}` does not give a list"))),
        }
    }

    pub fn pair(&self, filling: Filling) -> Result<Option<String>, String> {
        let Some(template) = &self.pair else { return Ok(None) };
        let wrong = |problem| format!("doc_to_text_pair: {problem}");
        match filling.fill(&Value::from(template.as_str())).map_err(wrong)? {
            Value::Null => Err(wrong("gives nothing, a text is expected".to_owned())),
            other => Ok(Some(text(&other))),
        }
    }

    pub fn prefix(&self, filling: Filling) -> Result<Option<String>, String> {
        let Some(template) = &self.gen_prefix else { return Ok(None) };
        filling.resolve(template).map(Some).map_err(|problem| format!("gen_prefix: {problem}"))
    }
}

/// `str(value)`.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python::str(&minijinja::Value::from(Serde(other))),
    }
}
