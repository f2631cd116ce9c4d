//! Plans as files: includes, overrides, and errors with their place.

use super::Plan;
use crate::ExperimentError;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Files that include one another deeper than this include themselves.
const DEEPEST: usize = 8;

/// Reads a plan with what it includes; `overrides` are `path=value`, such as `suite.items=20` or
/// `compression.0.sparsity=[0.5]`.
pub(super) fn read(path: &Path, overrides: &[String]) -> Result<Plan, ExperimentError> {
    let text = text_of(path)?;
    let wrong = |problem: String| ExperimentError::Plan { path: path.to_owned(), problem };
    let table: Table = toml::from_str(&text).map_err(|error| wrong(place(&text, &error)))?;
    if overrides.is_empty() && !table.contains_key("include") {
        return toml::from_str(&text).map_err(|error| wrong(place(&text, &error)));
    }
    let mut table = included(path, table, DEEPEST)?;
    overrides.iter().try_for_each(|text| set(&mut table, text)).map_err(wrong)?;
    let merged = toml::to_string(&table).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&merged).map_err(|error| {
        let line = error.span().and_then(|span| merged[..span.start.min(merged.len())].lines().last());
        let key = line.map(|line| format!(" near `{}`", line.trim())).unwrap_or_default();
        wrong(format!("with includes and --set{key}: {}", message(&error)))
    })
}

fn text_of(path: &Path) -> Result<String, ExperimentError> {
    std::fs::read_to_string(path).map_err(|source| ExperimentError::Io { path: path.to_owned(), source })
}

/// A table over those that it includes, in their order: later keys replace earlier ones, tables are joined.
fn included(path: &Path, mut table: Table, depth: usize) -> Result<Table, ExperimentError> {
    let wrong = |problem: &str| ExperimentError::Plan { path: path.to_owned(), problem: problem.to_owned() };
    let files = match table.remove("include") {
        None => return Ok(table),
        Some(Value::String(file)) => vec![file],
        Some(Value::Array(files)) => {
            let text = |file: Value| file.as_str().map(str::to_owned);
            files.into_iter().map(text).collect::<Option<_>>().ok_or_else(|| wrong("include: a list of files"))?
        }
        Some(_) => return Err(wrong("include: a file or a list of files is expected")),
    };
    if depth == 0 {
        return Err(wrong("include: files include one another"));
    }
    let mut merged = Table::new();
    for file in files {
        let file = beside(path, &file);
        let text = text_of(&file)?;
        let table: Table = toml::from_str(&text)
            .map_err(|error| ExperimentError::Plan { path: file.clone(), problem: place(&text, &error) })?;
        merge(&mut merged, included(&file, table, depth - 1)?);
    }
    merge(&mut merged, table);
    Ok(merged)
}

/// A path written in a file, relative to its folder.
pub(super) fn beside(path: &Path, file: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(file)
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// `path=value`; numbers in a path count from 0, and what is no TOML value is a text.
fn set(table: &mut Table, text: &str) -> Result<(), String> {
    let (path, value) = text.split_once('=').ok_or_else(|| format!("--set {text}: path=value is expected"))?;
    let value: Value = match toml::from_str::<Table>(&format!("value = {value}")) {
        Ok(mut parsed) => parsed.remove("value").unwrap_or(Value::String(value.to_owned())),
        Err(_) => Value::String(value.to_owned()),
    };
    let keys: Vec<&str> = path.trim().split('.').collect();
    let (last, above) = keys.split_last().filter(|(last, _)| !last.is_empty()).ok_or("--set: a path is expected")?;
    let mut place = above.first().map(|first| table.entry(*first).or_insert(Value::Table(Table::new())));
    for key in above.iter().skip(1) {
        place = place.and_then(|value| step(value, key));
    }
    let nowhere = || format!("--set {text}: there is no such place");
    match (above.is_empty(), place) {
        (true, _) => {
            table.insert((*last).to_owned(), value);
            Ok(())
        }
        (false, Some(Value::Table(inner))) => {
            inner.insert((*last).to_owned(), value);
            Ok(())
        }
        (false, Some(Value::Array(list))) => {
            let at = last.parse::<usize>().ok().and_then(|index| list.get_mut(index));
            *at.ok_or_else(nowhere)? = value;
            Ok(())
        }
        _ => Err(nowhere()),
    }
}

fn step<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match value {
        Value::Table(table) => Some(table.entry(key).or_insert(Value::Table(Table::new()))),
        Value::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get_mut(index)),
        _ => None,
    }
}

/// The message of a TOML error in one line, with the line it is about.
fn place(text: &str, error: &toml::de::Error) -> String {
    match error.span() {
        Some(span) => {
            format!("line {}: {}", text[..span.start.min(text.len())].matches('\n').count() + 1, message(error))
        }
        None => message(error),
    }
}

fn message(error: &toml::de::Error) -> String {
    error.message().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_set_by_path() {
        let mut table: Table = toml::from_str("a = 1\n[b]\nc = 2\n[[d]]\ne = [1, 2]\n").unwrap();
        for text in ["a=2", "b.c=[3]", "b.new.deep=true", "d.0.e.1=5", "name=plain text"] {
            set(&mut table, text).unwrap();
        }
        let expected: Table =
            toml::from_str("a = 2\nname = \"plain text\"\n[b]\nc = [3]\n[b.new]\ndeep = true\n[[d]]\ne = [1, 5]\n")
                .unwrap();
        assert_eq!(table, expected);
        for text in ["a", "d.1.e=2", "a.b=1", "=1", "d.0.e.7=1"] {
            assert!(set(&mut table, text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_includes_wins_over_what_is_included() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "base.toml",
            "model = \"m\"\n[suite]\nitems = 30\nseed = 5\n[[compression]]\nmethod = \"magnitude\"\nsparsity = [0.5]\n",
        );
        write("plan.toml", "name = \"p\"\ninclude = \"base.toml\"\n[suite]\nitems = 40\n");
        let plan = read(&folder.path().join("plan.toml"), &["suite.seed=6".to_owned()]).unwrap();
        let suite = plan.suite.unwrap();
        assert_eq!((suite.items, suite.seed, plan.compression.len()), (40, 6, 1));
        write("loop.toml", "include = [\"loop.toml\"]\n");
        let error = read(&folder.path().join("loop.toml"), &[]).unwrap_err().to_string();
        assert!(error.contains("include one another"), "{error}");
        let error = read(&folder.path().join("plan.toml"), &["suite.colour=1".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("plan.toml") && error.contains("colour"), "{error}");
    }
}
