//! Conversations as text, by the template that comes with a chat model's tokenizer.

use crate::EvalError;
use crate::python;
use crate::template::one_line;
use minijinja::value::{Kwargs, Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, context, syntax::SyntaxConfig};
use minijinja_contrib::pycompat;
use serde::Serialize;
use std::collections::BTreeMap;

/// What one side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: String,
}

/// Prompts as conversations.
#[derive(Debug, Clone)]
pub struct Chat {
    /// How a conversation is written.
    pub template: ChatTemplate,
    /// Whether each example is a question and an answer of its own, or all of them are part of one question.
    pub multiturn: bool,
}

/// A template of `tokenizer_config.json`, rendered as Transformers' `apply_chat_template` renders it. The time of day
/// (`strftime_now`) is not there, so that prompts do not change from day to day.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    tokens: BTreeMap<String, String>,
}

/// What a template may compute: more is taken for an endless loop.
const FUEL: u64 = 10_000_000;
const NAME: &str = "chat_template";
/// Marks where an answer that is to be continued ends: Transformers' own mark, which templates that write a message twice
/// leave in the text.
const END: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

impl ChatTemplate {
    /// From the template's text, and special tokens by role, such as `bos_token`.
    ///
    /// # Errors
    /// A text that is no template.
    pub fn new(template: &str, tokens: BTreeMap<String, String>) -> Result<Self, EvalError> {
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        environment.set_formatter(|out, _, value| match value.is_undefined() {
            true => Ok(()),
            false => out.write_str(&python::str(value)).map_err(Error::from),
        });
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        environment.add_template_owned(NAME, plain_blocks(template)).map_err(|error| wrong(&error))?;
        Ok(Self { environment, tokens })
    }

    /// A conversation as text, up to where the model's answer begins, or goes on if the last message is the beginning of
    /// one (`continues`). A template that refuses instructions gets the conversation without them, as in
    /// lm-evaluation-harness.
    ///
    /// # Errors
    /// A sentence that says why the template fails.
    pub fn render(&self, messages: &[Message], continues: bool) -> Result<String, String> {
        self.once(messages, continues).or_else(|problem| {
            let rest: Vec<Message> = messages.iter().filter(|message| message.role != "system").cloned().collect();
            if rest.len() == messages.len() { Err(problem) } else { self.once(&rest, continues) }
        })
    }

    fn once(&self, messages: &[Message], continues: bool) -> Result<String, String> {
        let mut messages = messages.to_vec();
        if let Some(last) = messages.last_mut().filter(|_| continues) {
            last.content += END;
        }
        let (messages, tokens) = (Value::from(Serde(&messages)), Value::from(Serde(&self.tokens)));
        let surroundings = context! { messages => messages, add_generation_prompt => !continues, ..tokens };
        let template = self.environment.get_template(NAME).map_err(|error| wrong(&error).to_string())?;
        let text = template.render(surroundings).map_err(|error| wrong(&error).to_string())?;
        if !continues {
            return Ok(text);
        }
        let end = text.rfind(END.trim_end()).ok_or("chat template: leaves out the beginning of the answer")?;
        // Where the template trims messages, the text before the mark is trimmed too.
        Ok(match text[end..].starts_with(END) {
            true => text[..end].to_owned(),
            false => text[..end].trim_end().to_owned(),
        })
    }
}

fn wrong(error: &Error) -> EvalError {
    EvalError::Tokenizer(format!("chat template: {}", one_line(&error.to_string())))
}

/// Transformers marks generated text by blocks of its own, which change nothing in the text.
fn plain_blocks(template: &str) -> String {
    let mut template = template.to_owned();
    for (block, plain) in [("generation", "if true"), ("endgeneration", "endif")] {
        for (open, close) in [("{%", "%}"), ("{%-", "%}"), ("{%", "-%}"), ("{%-", "-%}")] {
            template = template.replace(&format!("{open} {block} {close}"), &format!("{open} {plain} {close}"));
        }
    }
    template
}

/// `json.dumps` of Python, on one line unless `indent` is given.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.get::<Option<bool>>("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = String::new();
    write_json(&mut out, value, indent, 0)?;
    Ok(Value::from_safe_string(out))
}

fn write_json(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) -> Result<(), Error> {
    let (open, close, items): (_, _, Vec<(Option<Value>, Value)>) = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => ('[', ']', value.try_iter()?.map(|item| (None, item)).collect()),
        ValueKind::Map => {
            let entry = |key: Value| Ok((Some(key.clone()), value.get_item(&key)?));
            ('{', '}', value.try_iter()?.map(entry).collect::<Result<_, Error>>()?)
        }
        _ => {
            let text =
                serde_json::to_string(value).map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
            *out += &text;
            return Ok(());
        }
    };
    let line = |out: &mut String, depth: usize| {
        if let Some(width) = indent {
            out.push('\n');
            out.push_str(&" ".repeat(width * depth));
        }
    };
    out.push(open);
    for (place, (key, item)) in items.iter().enumerate() {
        if place > 0 {
            *out += if indent.is_some() { "," } else { ", " };
        }
        line(out, depth + 1);
        if let Some(key) = key {
            write_json(out, &Value::from(key.to_string()), indent, depth)?;
            *out += ": ";
        }
        write_json(out, item, indent, depth + 1)?;
    }
    if !items.is_empty() {
        line(out, depth);
    }
    out.push(close);
    Ok(())
}
