//! The task files of folders, by the names in them.

use super::{Keys, group};
use crate::node::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A task, with its file and the keys in it.
    Task(PathBuf, Keys),
    /// A group.
    Group(PathBuf, Keys),
    /// The names of the tasks that have this tag.
    Tag(BTreeSet<String>),
}

/// All names below some folders.
#[derive(Debug, Clone, Default)]
pub struct Catalog(BTreeMap<String, Entry>);

impl Catalog {
    /// What has this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// Whether a request is the name of something.
    pub fn knows(&self, request: &Path) -> bool {
        request.to_str().is_some_and(|name| self.0.contains_key(name))
    }

    /// Adds what the files below a folder describe; it replaces what has the same name already. As in
    /// lm-evaluation-harness, files that cannot be read are left out: they may be parts that others include.
    pub fn add(&mut self, folder: &Path) {
        let mut files = Vec::new();
        walk(folder, &mut files);
        files.sort();
        let mut own = Self::default();
        for file in files {
            if let Ok(keys) = Node::read(&file) {
                own.enter(file, keys);
            }
        }
        self.0.extend(own.0);
    }

    fn enter(&mut self, file: PathBuf, keys: Keys) {
        if let Some(name) = group::name(&keys) {
            self.0.entry(name).or_insert(Entry::Group(file, keys));
            return;
        }
        let Some((_, Node::Text(name))) = keys.iter().find(|(key, _)| key == "task") else { return };
        if self.0.contains_key(name) {
            return;
        }
        let name = name.clone();
        for tag in tags(&keys) {
            let entry = self.0.entry(tag).or_insert_with(|| Entry::Tag(BTreeSet::new()));
            if let Entry::Tag(names) = entry {
                names.insert(name.clone());
            }
        }
        self.0.insert(name, Entry::Task(file, keys));
    }
}

/// The tags of a task. Files of older versions write `group` for `tag`.
fn tags(keys: &Keys) -> Vec<String> {
    let values = keys.iter().filter(|(key, _)| key == "tag" || key == "group").map(|(_, value)| value);
    let texts = values.flat_map(|value| match value {
        Node::List(items) => items.clone(),
        other => vec![other.clone()],
    });
    texts.filter_map(|value| if let Node::Text(tag) = value { Some(tag) } else { None }).collect()
}

/// The task files below a folder.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let link = path.symlink_metadata().is_ok_and(|data| data.is_symlink());
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            _ if path.is_dir() && !link => walk(&path, files),
            Some("yaml" | "yml" | "toml") => files.push(path),
            _ => {}
        }
    }
}
