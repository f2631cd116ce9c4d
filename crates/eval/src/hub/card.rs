//! Which files of a data set's repository make up a split: as its card says, or else by their names, with the rules of the
//! Python package `datasets`.

use super::{Splits, Wanted};
use crate::data::{Format, uncompressed};
use crate::node::Node;
use glob::{MatchOptions, Pattern};
use std::collections::BTreeMap;
use std::path::Path;

/// The card.
pub const FILE: &str = "README.md";

/// The words that name the usual splits.
const WORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// Files that hold no documents, whatever they are called like.
const OTHER: [&str; 5] = [FILE, "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"];

/// The files of a split that can be read, in order. Without patterns in the task they are those of the configuration in the
/// card; of a card without configurations, those below a folder of that name, or all.
///
/// # Errors
/// A configuration or a split that is not there: a sentence with those that are.
pub fn files(names: &[String], card: Option<&str>, wanted: &Wanted) -> Result<Vec<String>, String> {
    let configs = card.map(configs).transpose()?.unwrap_or_default();
    let below = below(wanted.folder);
    let found = match (&wanted.files, wanted.config) {
        (Some(splits), _) => matching(names, &below, "dataset_kwargs.data_files", splits, wanted.split)?,
        (None, _) if !below.is_empty() => by_name(names, &below, wanted.split),
        (None, config) if !configs.is_empty() => chosen(&configs, config)?.files(names, wanted.split)?,
        (None, None | Some("default")) => by_name(names, "", wanted.split),
        (None, Some(config)) => {
            let below = self::below(config);
            if !names.iter().any(|name| name.starts_with(&below)) {
                return Err(format!("there is no configuration `{config}` (dataset_name), and no folder of that name"));
            }
            by_name(names, &below, wanted.split)
        }
    };
    let readable = of_one_kind(&found);
    match readable.is_empty() {
        false => Ok(readable),
        true => Err(nothing(names, &found, wanted.split)),
    }
}

fn nothing(names: &[String], found: &[String], split: &str) -> String {
    let shown = |names: &[String]| names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match found.is_empty() {
        true => format!("there is no file of the split `{split}`; there are {}", shown(names)),
        false => {
            format!("the files of the split `{split}` are none of json, csv, tsv, parquet and txt: {}", shown(found))
        }
    }
}

fn below(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{}/", folder.trim_matches('/')) }
}

/// A configuration of a card.
struct Config {
    name: String,
    default: bool,
    folder: String,
    /// Each split with its patterns; none if files tell by their names.
    splits: Splits,
}

impl Config {
    fn files(&self, names: &[String], split: &str) -> Result<Vec<String>, String> {
        match self.splits.is_empty() {
            true => Ok(by_name(names, &self.folder, split)),
            false => matching(names, &self.folder, &format!("the configuration `{}`", self.name), &self.splits, split),
        }
    }
}

/// The configuration of a name, or the default one.
fn chosen<'a>(configs: &'a [Config], name: Option<&str>) -> Result<&'a Config, String> {
    let chosen = match name {
        Some(name) => configs.iter().find(|config| config.name == name),
        None if configs.len() == 1 => configs.first(),
        None => configs.iter().find(|config| config.default || config.name == "default"),
    };
    chosen.ok_or_else(|| {
        let known: Vec<&str> = configs.iter().map(|config| config.name.as_str()).collect();
        match name {
            Some(name) => format!("there is no configuration `{name}`; dataset_name is one of {known:?}"),
            None => format!("a configuration is needed; dataset_name is one of {known:?}"),
        }
    })
}

/// The files that the patterns of a split match, in the order of the patterns.
fn matching(names: &[String], folder: &str, place: &str, splits: &Splits, split: &str) -> Result<Vec<String>, String> {
    let Some((_, patterns)) = splits.iter().find(|(name, _)| name == split) else {
        let known: Vec<&str> = splits.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("there is no split `{split}`; {place} has {known:?}"));
    };
    // `*` stays within a folder, `**` does not.
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    let mut found: Vec<String> = Vec::new();
    for pattern in patterns {
        let whole = format!("{folder}{}", pattern.trim_start_matches("./"));
        let whole =
            Pattern::new(&whole).map_err(|error| format!("the pattern `{pattern}` of {place}: {}", error.msg))?;
        let more: Vec<String> =
            names.iter().filter(|name| whole.matches_with(name, options) && !found.contains(name)).cloned().collect();
        found.extend(more);
    }
    Ok(found)
}

/// The files below a folder that are called like the split, or in whose folders or names a word for it stands. Where no file
/// tells a split, all are the training split.
fn by_name(names: &[String], folder: &str, split: &str) -> Vec<String> {
    let files = names.iter().filter_map(|name| Some((name, name.strip_prefix(folder)?))).filter(|(_, path)| {
        let hidden = path.split('/').any(|part| part.starts_with('.') || part.starts_with("__"));
        !hidden && !OTHER.contains(path) && Format::of(Path::new(path)).is_some()
    });
    let files: Vec<(&String, &str)> = files.collect();
    let those = |holds: &dyn Fn(&str) -> bool| {
        files.iter().filter(|(_, path)| holds(path)).map(|(name, _)| (*name).clone()).collect::<Vec<_>>()
    };
    let called = |path: &str| {
        let stem = path.rsplit('/').next().and_then(|file| file.split('.').next());
        stem.and_then(|stem| stem.strip_prefix(split)).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let exact = those(&called);
    if !exact.is_empty() {
        return exact;
    }
    let of_split = |path: &str, words: &[&str]| {
        path.split(|c: char| c.is_ascii_digit() || "/-._ ".contains(c)).any(|word| words.contains(&word))
    };
    let folders = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folders, _)| folders.to_owned());
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    for part in [&folders as &dyn Fn(&str) -> String, &file] {
        if files.iter().any(|(_, path)| WORDS.iter().any(|(_, words)| of_split(&part(path), words))) {
            let words = WORDS.iter().find(|(name, _)| *name == split).map_or(&[][..], |(_, words)| words);
            return those(&|path| of_split(&part(path), words));
        }
    }
    if split == "train" { those(&|_| true) } else { Vec::new() }
}

/// Those of the format that most have: a data set may come in several. Of equally many Parquet is first.
fn of_one_kind(names: &[String]) -> Vec<String> {
    let kind = |name: &str| match uncompressed(Path::new(name)).extension()?.to_str()? {
        "jsonl" | "ndjson" => Some("json".to_owned()),
        other => Format::of(Path::new(name)).map(|_| other.to_owned()),
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names.iter().filter_map(|name| kind(name)).for_each(|kind| *counts.entry(kind).or_default() += 1);
    let most = counts.into_iter().max_by_key(|(kind, count)| (*count, kind == "parquet")).map(|(kind, _)| kind);
    names.iter().filter(|name| most.is_some() && kind(name) == most).cloned().collect()
}

/// The configurations in the block of YAML with which a card begins.
fn configs(card: &str) -> Result<Vec<Config>, String> {
    let Some((block, _)) = card.strip_prefix("---").and_then(|rest| rest.split_once("\n---")) else {
        return Ok(Vec::new());
    };
    let node = Node::yaml(Path::new(FILE), block).map_err(|error| format!("the card cannot be read: {error}"))?;
    let Some(Node::List(configs)) = entry(&node, "configs") else { return Ok(Vec::new()) };
    Ok(configs.iter().map(config).collect())
}

fn config(node: &Node) -> Config {
    let text = |key| entry(node, key).and_then(text);
    Config {
        name: text("config_name").unwrap_or_else(|| "default".into()),
        default: matches!(entry(node, "default"), Some(Node::Bool(true))),
        folder: text("data_dir").map(|folder| below(&folder)).unwrap_or_default(),
        splits: entry(node, "data_files").map(splits).unwrap_or_default(),
    }
}

/// `data_files`: a pattern or patterns of the training split, or splits with theirs.
fn splits(node: &Node) -> Splits {
    match node {
        Node::List(items) if items.iter().any(|item| matches!(item, Node::Map(_))) => {
            let split = |item: &Node| {
                Some((entry(item, "split").and_then(text)?, entry(item, "path").map(texts).unwrap_or_default()))
            };
            items.iter().filter_map(split).collect()
        }
        Node::Map(entries) => entries.iter().map(|(split, node)| (split.clone(), texts(node))).collect(),
        other => vec![("train".into(), texts(other))],
    }
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Node::Map(entries) = node else { return None };
    entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
}

fn text(node: &Node) -> Option<String> {
    match node {
        Node::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn texts(node: &Node) -> Vec<String> {
    match node {
        Node::List(items) => items.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "---\nlicense: mit\nconfigs:\n- config_name: sst2\n  data_files:\n  - split: train\n    \
                        path: sst2/train-*\n  - split: validation\n    path: ['**/dev[0-9].csv', more/**]\n\
                        - config_name: all\n  default: true\n  data_dir: whole\n- config_name: one\n  \
                        data_files: one.json\n---\n# Words\n";

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn repository() -> Vec<String> {
        names(&[
            "README.md",
            "more/a/b.csv",
            "more/c.csv",
            "one.json",
            "sst2/dev1.csv",
            "sst2/train-0.parquet",
            "sst2/train-1.parquet",
            "whole/data/test-00000-of-00001.parquet",
            "whole/valid.csv",
        ])
    }

    fn wanted<'a>(config: Option<&'a str>, split: &'a str) -> Wanted<'a> {
        Wanted { config, split, ..Wanted::default() }
    }

    #[test]
    fn the_card_says_which_files_are_a_split() {
        let of = |config, split| files(&repository(), Some(CARD), &wanted(config, split));
        assert_eq!(of(Some("sst2"), "train").unwrap(), ["sst2/train-0.parquet", "sst2/train-1.parquet"]);
        assert_eq!(of(Some("sst2"), "validation").unwrap(), ["sst2/dev1.csv", "more/a/b.csv", "more/c.csv"]);
        assert_eq!(of(None, "test").unwrap(), ["whole/data/test-00000-of-00001.parquet"]);
        assert_eq!(of(Some("all"), "validation").unwrap(), ["whole/valid.csv"]);
        assert_eq!(of(Some("one"), "train").unwrap(), ["one.json"]);
        assert!(of(Some("sst2"), "test").unwrap_err().contains("[\"train\", \"validation\"]"));
        assert!(of(Some("cola"), "test").unwrap_err().contains("[\"sst2\", \"all\", \"one\"]"));
        let several = CARD.replace("default: true\n  ", "");
        assert!(files(&repository(), Some(&several), &wanted(None, "test")).unwrap_err().contains("is needed"));
    }

    #[test]
    fn the_task_file_comes_before_the_card() {
        let patterns = vec![("test".to_owned(), vec!["*.csv".to_owned()])];
        let task = Wanted { folder: "more", files: Some(patterns), ..wanted(Some("sst2"), "test") };
        assert_eq!(files(&repository(), Some(CARD), &task).unwrap(), ["more/c.csv"]);
        let folder = Wanted { folder: "whole", ..wanted(None, "validation") };
        assert_eq!(files(&repository(), Some(CARD), &folder).unwrap(), ["whole/valid.csv"]);
    }

    #[test]
    fn without_a_card_names_tell() {
        let of = |config, split| files(&repository(), Some("# No block"), &wanted(config, split));
        assert_eq!(of(Some("sst2"), "validation").unwrap(), ["sst2/dev1.csv"]);
        assert_eq!(of(None, "test").unwrap(), ["whole/data/test-00000-of-00001.parquet"]);
        assert!(of(Some("cola"), "train").unwrap_err().contains("cola"));
        assert!(of(None, "other").unwrap_err().contains("`other`"));
        // A folder's word counts before a file's.
        let folders = names(&["test/train_old.json", "training/a.json", "x.json"]);
        assert_eq!(files(&folders, None, &wanted(None, "train")).unwrap(), ["training/a.json"]);
        let plain = names(&["LICENSE.txt", "a.json", "b.jsonl", "dataset_infos.json"]);
        assert_eq!(files(&plain, None, &wanted(None, "train")).unwrap(), ["a.json", "b.jsonl"]);
        assert!(files(&plain, None, &wanted(None, "test")).unwrap_err().contains("`a.json`"));
        let matched = names(&["validation_matched.jsonl", "validation_mismatched.jsonl", "test.parquet", "test.csv"]);
        assert_eq!(files(&matched, None, &wanted(None, "validation_matched")).unwrap(), ["validation_matched.jsonl"]);
        assert_eq!(files(&matched, None, &wanted(None, "test")).unwrap(), ["test.parquet"]);
        assert!(files(&names(&["train.arrow"]), None, &wanted(None, "train")).is_err());
    }
}
