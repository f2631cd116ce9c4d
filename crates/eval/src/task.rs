//! Task files.

use crate::{Document, EvalError};
use minijinja::{Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A multiple-choice task as a TOML file describes it; the keys are those of lm-evaluation-harness.
///
/// ```toml
/// task = "capitals"
/// doc_to_text = "Question: What is the capital of {{country}}?\nAnswer:"
/// doc_to_choice = "{{cities}}"          # a list in each document, or a list of texts here
/// doc_to_target = "gold"                # a field with the index of the right choice, or its text
/// data = "capitals.jsonl"               # beside this file; or [[docs]] tables in it
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name.
    pub task: String,
    /// Text before everything, once.
    #[serde(default)]
    pub description: String,
    /// Template of the context.
    pub doc_to_text: String,
    /// Template of a JSON list, or a list of templates.
    pub doc_to_choice: Choices,
    /// Template of the index or the text of the right choice.
    pub doc_to_target: String,
    /// Between context and choice.
    #[serde(default = "space")]
    pub target_delimiter: String,
    /// Between examples.
    #[serde(default = "blank_line")]
    pub fewshot_delimiter: String,
    /// Examples before each question, the first of the data; none is its own example.
    #[serde(default)]
    pub num_fewshot: usize,
    /// JSON lines, one document each, relative to the task file.
    data: Option<PathBuf>,
    /// Documents in the task file itself.
    #[serde(default)]
    docs: Vec<toml::Table>,
}

/// The choices of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Choices {
    /// A template that gives a JSON list or names a list field.
    Template(String),
    /// One template a choice.
    List(Vec<String>),
}

fn space() -> String {
    " ".into()
}

fn blank_line() -> String {
    "\n\n".into()
}

/// One document with its templates filled in.
struct Rendered {
    text: String,
    choices: Vec<String>,
    gold: usize,
}

impl Task {
    /// Reads a task file and its data; `shots` replaces the file's `num_fewshot`.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown or wrong key, a template that fails, a task without documents.
    pub fn read(path: &Path, shots: Option<usize>) -> Result<(Self, Vec<Document>), EvalError> {
        let text = std::fs::read_to_string(path).map_err(|source| EvalError::Io { path: path.to_owned(), source })?;
        let wrong = |problem: String| EvalError::Task { path: path.to_owned(), problem };
        let mut task: Self = toml::from_str(&text).map_err(|e| wrong(one_line(&e.to_string())))?;
        task.num_fewshot = shots.unwrap_or(task.num_fewshot);
        let docs = task.load_docs(path)?;
        if docs.len() <= task.num_fewshot {
            let problem =
                format!("has {} document(s), more than num_fewshot = {} are needed", docs.len(), task.num_fewshot);
            return Err(wrong(problem));
        }
        let documents = task.render(&docs)?;
        Ok((task, documents))
    }

    fn load_docs(&self, path: &Path) -> Result<Vec<serde_json::Value>, EvalError> {
        let wrong = |problem: String| EvalError::Task { path: path.to_owned(), problem };
        match (&self.data, self.docs.is_empty()) {
            (Some(_), false) => Err(wrong("has both `data` and `docs`; give one".into())),
            (None, true) => Err(wrong("has no documents; give `data = \"FILE.jsonl\"` or [[docs]] tables".into())),
            (None, false) => {
                self.docs.iter().map(|doc| serde_json::to_value(doc).map_err(|e| wrong(e.to_string()))).collect()
            }
            (Some(data), true) => read_lines(&path.parent().unwrap_or(Path::new("")).join(data)),
        }
    }

    fn render(&self, docs: &[serde_json::Value]) -> Result<Vec<Document>, EvalError> {
        let rendered: Vec<Rendered> =
            docs.iter().enumerate().map(|(i, doc)| self.render_one(i, doc)).collect::<Result<_, _>>()?;
        let documents = rendered.iter().enumerate().map(|(index, doc)| {
            let others = rendered.iter().enumerate().filter(|&(i, _)| i != index);
            let shots: String = others.take(self.num_fewshot).map(|(_, shot)| self.example(shot)).collect();
            let document = Document {
                task: self.task.clone(),
                doc: index,
                context: format!("{}{shots}{}", self.description, doc.text),
                continuations: doc.choices.iter().map(|c| format!("{}{c}", self.target_delimiter)).collect(),
                gold: doc.gold,
            };
            document.check().map_err(|problem| self.wrong_document(index, problem))?;
            Ok(document)
        });
        documents.collect()
    }

    fn example(&self, shot: &Rendered) -> String {
        format!("{}{}{}{}", shot.text, self.target_delimiter, shot.choices[shot.gold], self.fewshot_delimiter)
    }

    fn render_one(&self, index: usize, doc: &serde_json::Value) -> Result<Rendered, EvalError> {
        let environment = environment()?;
        let fill = |template: &str| {
            environment
                .render_str(template, Value::from(Serde(doc)))
                .map_err(|e| self.wrong_document(index, format!("template `{template}`: {}", one_line(&e.to_string()))))
        };
        let choices = match &self.doc_to_choice {
            Choices::List(templates) => templates.iter().map(|t| fill(t)).collect::<Result<Vec<_>, _>>()?,
            Choices::Template(template) => self.choice_list(index, doc, template)?,
        };
        if choices.len() < 2 {
            return Err(self.wrong_document(index, format!("doc_to_choice gives {choices:?}, at least two are needed")));
        }
        let target = field_or(doc, &self.doc_to_target, fill)?;
        let gold = match target.parse::<usize>() {
            Ok(gold) => Some(gold),
            Err(_) => choices.iter().position(|choice| *choice == target),
        };
        let gold = gold.filter(|&gold| gold < choices.len()).ok_or_else(|| {
            self.wrong_document(index, format!("doc_to_target gives `{target}`, which is no choice of {choices:?}"))
        })?;
        Ok(Rendered { text: field_or(doc, &self.doc_to_text, fill)?, choices, gold })
    }

    fn choice_list(&self, index: usize, doc: &serde_json::Value, template: &str) -> Result<Vec<String>, EvalError> {
        let wrong = |problem: String| self.wrong_document(index, format!("doc_to_choice: {problem}"));
        let name = template.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
        let value = environment()?
            .compile_expression(name)
            .and_then(|expression| expression.eval(Value::from(Serde(doc))))
            .map_err(|e| wrong(one_line(&e.to_string())))?;
        let items = value.try_iter().map_err(|_| wrong(format!("`{template}` is not a list")))?;
        Ok(items.map(|item| item.to_string()).collect())
    }

    fn wrong_document(&self, doc: usize, problem: String) -> EvalError {
        EvalError::Document { task: self.task.clone(), doc, problem }
    }
}

/// Templates as lm-evaluation-harness has them: an undefined field is an error, newlines stay. Fuel bounds what a task
/// file can make a template compute.
fn environment() -> Result<Environment<'static>, EvalError> {
    const FUEL: u64 = 1_000_000;
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    let mut environment = Environment::new();
    environment.set_syntax(syntax.map_err(|error| EvalError::Tokenizer(error.to_string()))?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    Ok(environment)
}

/// A template that is the name of a field stands for the field.
fn field_or(
    doc: &serde_json::Value,
    template: &str,
    fill: impl Fn(&str) -> Result<String, EvalError>,
) -> Result<String, EvalError> {
    match doc.get(template) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(value.to_string()),
        None => fill(template),
    }
}

fn read_lines(path: &Path) -> Result<Vec<serde_json::Value>, EvalError> {
    let text = std::fs::read_to_string(path).map_err(|source| EvalError::Io { path: path.to_owned(), source })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|e| EvalError::Line {
                path: path.to_owned(),
                line: index + 1,
                problem: e.to_string(),
            })
        })
        .collect()
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}
