//! Prompts with what should follow them.

use super::subset;
use crate::FinetuneError;
use junkdna_backend::Seed;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Of a file without a validation split, one pair of so many is validated on.
const HELD_OUT: usize = 10;

/// A prompt and what should follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What a model reads first; may be empty.
    pub prompt: String,
    /// What it is trained to go on with.
    pub target: String,
}

/// What a trained model is validated on: which of several pairs it finds likeliest. With one pair, whether it would write
/// the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// At least one.
    pub options: Vec<Pair>,
    /// The right one, from 0.
    pub gold: usize,
}

/// A task of prompts and targets, for causal language models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    /// Its name.
    pub name: String,
    /// Pairs to train on.
    pub train: Vec<Pair>,
    /// Questions to validate on.
    pub validation: Vec<Question>,
    /// Whether the end-of-text token is part of every target: a model then learns where an answer ends.
    pub ends: bool,
}

/// What a TOML file says of pairs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: Option<String>,
    train: PathBuf,
    validation: Option<PathBuf>,
    prompt: String,
    target: String,
    #[serde(default = "yes")]
    ends: bool,
}

fn yes() -> bool {
    true
}

impl From<Pair> for Question {
    fn from(pair: Pair) -> Self {
        Self { options: vec![pair], gold: 0 }
    }
}

impl Pairs {
    /// JSON lines with the fields `prompt` and `target`, of which every tenth, chosen once and for all, is validated on; or a
    /// TOML file that says where they are:
    ///
    /// ```toml
    /// train = "train.jsonl"           # beside this file
    /// validation = "dev.jsonl"        # else every tenth line of `train`
    /// prompt = "question"             # names of the fields
    /// target = "answer"
    /// # name = "arithmetic"           # else that of this file
    /// # ends = false                  # whether the end-of-text token is part of the targets
    /// ```
    ///
    /// # Errors
    /// [`FinetuneError::Data`] or [`FinetuneError::Io`]: a file that cannot be read, a line that is no such object, a target
    /// without text, a split without pairs.
    pub fn read(path: &Path) -> Result<Self, FinetuneError> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "toml") {
            let all = lines(path, "prompt", "target")?;
            let (train, validation) = held_out(all, path)?;
            return Ok(Self { name: stem, train, validation, ends: true });
        }
        let text = std::fs::read_to_string(path).map_err(FinetuneError::io(path))?;
        let one_line = |error: toml::de::Error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let task: Described = toml::from_str(&text).map_err(|error| data(path, one_line(error)))?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let split = |file: &Path| lines(&folder.join(file), &task.prompt, &task.target);
        let train = split(&task.train)?;
        let (train, validation) = match &task.validation {
            Some(file) => (train, split(file)?.into_iter().map(Question::from).collect()),
            None => held_out(train, &folder.join(&task.train))?,
        };
        Ok(Self { name: task.name.unwrap_or(stem), train, validation, ends: task.ends })
    }
}

/// Pairs to train on, and some to validate on.
fn held_out(all: Vec<Pair>, path: &Path) -> Result<(Vec<Pair>, Vec<Question>), FinetuneError> {
    if all.len() < 2 {
        return Err(data(path, "holds one pair only; one is needed to train on and one to validate on".into()));
    }
    let places: Vec<usize> = (0..all.len()).collect();
    let validated = subset(&places, (all.len() / HELD_OUT).max(1), Seed(0));
    let (validation, train): (Vec<_>, Vec<_>) =
        all.into_iter().enumerate().partition(|(place, _)| validated.binary_search(place).is_ok());
    let pairs = |split: Vec<(usize, Pair)>| split.into_iter().map(|(_, pair)| pair);
    Ok((pairs(train).collect(), pairs(validation).map(Question::from).collect()))
}

fn lines(path: &Path, prompt: &str, target: &str) -> Result<Vec<Pair>, FinetuneError> {
    let text = std::fs::read_to_string(path).map_err(FinetuneError::io(path))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let pair = |(index, line): (usize, &str)| {
        pair(line, prompt, target).map_err(|problem| data(path, format!("line {}: {problem}", index + 1)))
    };
    let pairs: Vec<Pair> = lines.map(pair).collect::<Result<_, _>>()?;
    if pairs.is_empty() { Err(data(path, "holds no pairs".into())) } else { Ok(pairs) }
}

fn pair(line: &str, prompt: &str, target: &str) -> Result<Pair, String> {
    let object: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |field: &str| match object.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("`{field}` must be a text")),
        None => Err(format!("there is no field `{field}`")),
    };
    let pair = Pair { prompt: text(prompt)?, target: text(target)? };
    if pair.target.trim().is_empty() {
        Err(format!("`{target}` is empty, there is nothing to learn"))
    } else {
        Ok(pair)
    }
}

fn data(path: &Path, problem: String) -> FinetuneError {
    FinetuneError::Data { path: path.into(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn numbered(count: usize) -> String {
        (0..count)
            .map(|i| format!("{{\"prompt\": \"{i} + 1 =\", \"target\": \" {}\", \"id\": {i}}}\n", i + 1))
            .collect()
    }

    #[test]
    fn every_tenth_line_is_held_out() {
        let folder = written(&[("sums.jsonl", numbered(40))]);
        let pairs = Pairs::read(&folder.path().join("sums.jsonl")).unwrap();
        assert_eq!((pairs.name.as_str(), pairs.train.len(), pairs.validation.len()), ("sums", 36, 4));
        let trained = |question: &Question| pairs.train.contains(&question.options[0]);
        assert!(!pairs.validation.iter().any(trained));
        assert!(pairs.ends);
    }

    #[test]
    fn a_file_says_where_pairs_are() {
        let text =
            "train = \"a.jsonl\"\nvalidation = \"a.jsonl\"\nprompt = \"prompt\"\ntarget = \"target\"\nends = false\n";
        let folder = written(&[("a.jsonl", numbered(3)), ("task.toml", text.to_owned())]);
        let pairs = Pairs::read(&folder.path().join("task.toml")).unwrap();
        assert_eq!((pairs.name.as_str(), pairs.train.len(), pairs.validation.len()), ("task", 3, 3));
        assert_eq!(pairs.validation[2].options[0], pairs.train[2]);
        assert!(!pairs.ends);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("{\"prompt\": \"a\", \"target\": \"b\"}\n{\"prompt\": \"a\"}\n", "line 2: there is no field `target`"),
            ("{\"prompt\": \"a\", \"target\": 3}\n", "line 1: `target` must be a text"),
            ("{\"prompt\": \"a\", \"target\": \" \"}\n", "line 1: `target` is empty"),
            ("{\"prompt\": \"a\", \"target\": \"b\"}\n", "holds one pair only"),
            ("\nprompt\n", "line 2: expected value"),
            ("", "holds no pairs"),
        ] {
            let folder = written(&[("a.jsonl", text.to_owned())]);
            let message = Pairs::read(&folder.path().join("a.jsonl")).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
