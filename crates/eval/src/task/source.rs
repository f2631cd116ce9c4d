//! Where a task's documents come from.

use super::Task;
use crate::EvalError;
use crate::data::{BrokenRows, Delimited, Format, Header, Table, uncompressed};
use crate::hub::HubSet;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The files of a data set, by split.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// Documents in the task file itself.
    Own(Vec<Value>),
    /// Files with their format.
    Files { splits: Vec<(String, Vec<PathBuf>)>, format: Format },
    /// A folder with files that are named after their splits, as data sets come from the hub: `train.jsonl`,
    /// `validation-00000-of-00001.parquet`.
    Folder(PathBuf),
    /// A data set of the hub.
    Hub(HubSet),
}

/// A split, and the key of the task file that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    pub key: &'static str,
    pub name: &'a str,
}

impl Task {
    /// The split whose documents are asked: the test split, or else the validation split.
    pub(crate) fn asked(&self) -> Split<'_> {
        match (&self.splits.test, &self.splits.validation) {
            (Some(name), _) => Split { key: "test_split", name },
            (None, Some(name)) => Split { key: "validation_split", name },
            (None, None) => Split { key: "test_split", name: "test" },
        }
    }

    /// The split to train on, if the task names one.
    pub(crate) fn training(&self) -> Option<Split<'_>> {
        self.splits.training.as_deref().map(|name| Split { key: "training_split", name })
    }

    /// The split to choose by while training: the validation split, or else what is asked.
    pub(crate) fn validated(&self) -> Split<'_> {
        let split = |name| Split { key: "validation_split", name };
        self.splits.validation.as_deref().map_or_else(|| self.asked(), split)
    }

    /// The documents of a split.
    pub(crate) fn table(&self, split: Split, broken: &mut BrokenRows) -> Result<Table<'_>, EvalError> {
        let wrong =
            |problem: String| EvalError::task(&self.path, format!("task `{}`, {}: {problem}", self.task, split.key));
        let files = match &self.source {
            Source::Own(documents) => return Ok(Table::Given(documents)),
            Source::Files { splits, format } => {
                let Some((_, files)) = splits.iter().find(|(name, _)| name == split.name) else {
                    let names: Vec<&str> = splits.iter().map(|(name, _)| name.as_str()).collect();
                    let (split, known) = (split.name, "dataset_kwargs.data_files has");
                    return Err(wrong(format!("there is no split `{split}`; {known} {names:?}")));
                };
                files.iter().map(|file| (located(&self.path, file), format.clone())).collect()
            }
            Source::Folder(folder) => in_folder(folder, split.name)?.ok_or_else(|| {
                let (folder, split) = (folder.display(), split.name);
                wrong(format!("{folder} holds no file of the split `{split}`, such as {split}.jsonl"))
            })?,
            Source::Hub(set) => set.files(split.name).map_err(wrong)?,
        };
        Table::of_files(files, broken)
    }
}

/// A file beside the task file, or else where the program runs.
pub(crate) fn located(task: &Path, file: &Path) -> PathBuf {
    let beside = task.parent().unwrap_or(Path::new("")).join(file);
    if !beside.exists() && file.exists() { file.to_owned() } else { beside }
}

/// The files of a split, if there are any.
fn in_folder(folder: &Path, split: &str) -> Result<Option<Vec<(PathBuf, Format)>>, EvalError> {
    let entries = std::fs::read_dir(folder).map_err(|source| EvalError::Io { path: folder.to_owned(), source })?;
    let mut files: Vec<(PathBuf, Format)> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let rest =
                uncompressed(path).file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_prefix(split));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
        .filter_map(|path| Format::of(&path).map(|format| (path, format)))
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Some(files).filter(|files| !files.is_empty()))
}

/// The format that `dataset_path` names, with the options that `dataset_kwargs` gives it.
pub(crate) fn format(name: &str, options: &[(String, Value)]) -> Result<Option<Format>, String> {
    let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let format = match name {
        "json" => Format::Json { field: option("field").and_then(Value::as_str).map(str::to_owned) },
        "csv" => Format::Delimited(delimited(option)?),
        "parquet" => Format::Parquet,
        "text" => Format::Text,
        "squad" => Format::Squad,
        "bigbench" => Format::BigBench,
        _ => return Ok(None),
    };
    let known: &[&str] = match name {
        "json" => &["field"],
        "csv" => &["sep", "delimiter", "quoting", "names", "column_names", "header"],
        _ => &[],
    };
    match options.iter().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(format!("`{key}` is no option of `{name}`, which has {known:?}")),
        None => Ok(Some(format)),
    }
}

fn delimited<'a>(option: impl Fn(&str) -> Option<&'a Value>) -> Result<Delimited, String> {
    let mut format = Delimited::csv();
    if let Some(separator) = option("sep").or_else(|| option("delimiter")) {
        match separator.as_str().map(str::as_bytes) {
            Some(&[byte]) => format.delimiter = byte,
            _ => return Err(format!("sep is {separator}, one character is expected")),
        }
    }
    // 3 is `csv.QUOTE_NONE`.
    format.quoting = option("quoting").is_none_or(|quoting| quoting.as_i64() != Some(3));
    let names = option("names").or_else(|| option("column_names")).and_then(Value::as_array);
    if let Some(names) = names {
        let names = names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect();
        let replaced = option("header").is_some_and(|header| header.as_i64() == Some(0));
        format.header = if replaced { Header::Replaced(names) } else { Header::Names(names) };
    }
    Ok(format)
}
