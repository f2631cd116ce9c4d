//! Where a task's documents come from.

use crate::EvalError;
use crate::data::{Delimited, Format, Header, align};
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

impl Source {
    /// The documents of a split. Broken rows are errors, or go to `skipped` where it is given.
    pub fn documents(
        &self,
        task: &Path,
        split: &str,
        mut skipped: Option<&mut Vec<String>>,
    ) -> Result<Vec<Value>, EvalError> {
        let files: Vec<(PathBuf, Format)> = match self {
            Self::Own(documents) => return Ok(documents.clone()),
            Self::Files { splits, format } => {
                let Some((_, files)) = splits.iter().find(|(name, _)| name == split) else {
                    let names: Vec<&str> = splits.iter().map(|(name, _)| name.as_str()).collect();
                    let problem = format!("there is no split `{split}`; dataset_kwargs.data_files has {names:?}");
                    return Err(EvalError::task(task, problem));
                };
                files.iter().map(|file| (located(task, file), format.clone())).collect()
            }
            Self::Folder(folder) => in_folder(task, folder, split)?,
            Self::Hub(set) => {
                let wrong = |problem| EvalError::task(task, format!("dataset_path: {problem}"));
                set.files(split).map_err(wrong)?
            }
        };
        let mut documents = Vec::new();
        for (file, format) in files {
            for record in format.open(&file)? {
                match (record, &mut skipped) {
                    (Ok(record), _) => documents.push(record),
                    (Err(error @ EvalError::Io { .. }), _) => return Err(error),
                    (Err(error), Some(skipped)) => skipped.push(error.to_string()),
                    (Err(error), None) => return Err(error),
                }
            }
        }
        align(&mut documents);
        Ok(documents)
    }
}

/// A file beside the task file, or else where the program runs.
pub(crate) fn located(task: &Path, file: &Path) -> PathBuf {
    let beside = task.parent().unwrap_or(Path::new("")).join(file);
    if !beside.exists() && file.exists() { file.to_owned() } else { beside }
}

fn in_folder(task: &Path, folder: &Path, split: &str) -> Result<Vec<(PathBuf, Format)>, EvalError> {
    let entries = std::fs::read_dir(folder).map_err(|source| EvalError::Io { path: folder.to_owned(), source })?;
    let mut files: Vec<(PathBuf, Format)> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let rest = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_prefix(split));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
        .filter_map(|path| Format::of(&path).map(|format| (path, format)))
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    if files.is_empty() {
        let problem = format!("{} holds no file of the split `{split}`, such as {split}.jsonl", folder.display());
        return Err(EvalError::task(task, problem));
    }
    Ok(files)
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
