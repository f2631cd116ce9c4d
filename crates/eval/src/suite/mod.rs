//! What is evaluated: tasks, and the groups over them.

mod catalog;
mod group;

pub use group::{Group, GroupMetric};

use crate::node::Node;
use crate::{EvalError, Task};
use catalog::{Catalog, Entry};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Whether the keys of a file describe a group.
pub(crate) fn is_group(keys: &Keys) -> bool {
    group::name(keys).is_some()
}

/// The keys of a task file.
type Keys = Vec<(String, Node)>;

/// Tasks, each once, and the groups that summarize them: what lm-evaluation-harness makes of the names after `--tasks`.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// In the order in which they were named, members of groups where the group stands.
    pub tasks: Vec<Task>,
    /// Each before the groups within it.
    pub groups: Vec<Group>,
}

impl Suite {
    /// Reads what is asked for: the file of a task or of a group, or the name of a task, a group or a tag in the files below
    /// `folders`. The members of a group are looked for below these and below the group's own folder.
    ///
    /// # Errors
    /// A file that cannot be read or is wrong, a name that no file has, a group within itself, and a task that two of the
    /// requests hold.
    pub fn load(requests: &[PathBuf], folders: &[PathBuf]) -> Result<Self, EvalError> {
        let mut catalog = Catalog::default();
        folders.iter().for_each(|folder| catalog.add(folder));
        let mut suite = Self::default();
        let mut seen: HashSet<String> = HashSet::new();
        for request in requests {
            let own = Self::request(request, &catalog)?;
            for task in own.tasks {
                if !seen.insert(task.task.clone()) {
                    let problem =
                        format!("the task `{}` is asked for twice, the other time in another request", task.task);
                    return Err(EvalError::task(request, problem));
                }
                suite.tasks.push(task);
            }
            suite.groups.extend(own.groups);
        }
        Ok(suite)
    }

    fn request(request: &Path, catalog: &Catalog) -> Result<Self, EvalError> {
        let mut builder = Builder { suite: Self::default(), above: Vec::new(), catalog };
        if request.is_file() || !catalog.knows(request) {
            if !request.exists() && request.extension().is_none() {
                let problem = "is no file, and no task, group or tag that is known has this name";
                return Err(EvalError::task(request, problem));
            }
            let entries = Node::read(request)?;
            let Some(group) = group::name(&entries) else {
                builder.task(request, entries)?;
                return Ok(builder.suite);
            };
            let mut nearby = catalog.clone();
            nearby.add(request.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")));
            Builder { catalog: &nearby, ..builder }.whole(&group, request, entries)
        } else {
            builder.member(&request.to_string_lossy(), request, &Keys::new())?;
            Ok(builder.suite)
        }
    }
}

/// Tasks and groups as they are found.
struct Builder<'a> {
    suite: Suite,
    /// The groups around what is being read.
    above: Vec<String>,
    catalog: &'a Catalog,
}

impl Builder<'_> {
    fn whole(mut self, name: &str, path: &Path, entries: Keys) -> Result<Suite, EvalError> {
        self.group(name, path, entries, &Keys::new())?;
        Ok(self.suite)
    }

    /// The task of a file.
    fn task(&mut self, path: &Path, entries: Keys) -> Result<String, EvalError> {
        let task = Task::from_keys(path, entries)?;
        let name = task.task.clone();
        if self.suite.tasks.iter().all(|other| other.task != name) {
            self.suite.tasks.push(task);
        }
        Ok(name)
    }

    /// A group with all of its members, whose keys are replaced by those of the group and then by `overrides`.
    fn group(&mut self, name: &str, path: &Path, entries: Keys, overrides: &Keys) -> Result<String, EvalError> {
        if self.above.iter().any(|above| above == name) {
            return Err(EvalError::task(path, format!("the group `{name}` is within itself")));
        }
        let place = self.suite.groups.len();
        let (group, members, own) = Group::from_keys(name, path, entries)?;
        self.suite.groups.push(group);
        self.above.push(name.to_owned());
        let overrides = merged(own, overrides);
        let mut children = Vec::new();
        for member in members {
            let found = match member {
                Node::Text(member) => self.member(&member, path, &overrides)?,
                Node::Map(keys) => self.inline(name, path, keys, &overrides)?,
                other => {
                    let problem =
                        format!("task: a member of the group is {}, a name or a map is expected", other.kind());
                    return Err(EvalError::task(path, problem));
                }
            };
            found.into_iter().for_each(|child| {
                if !children.contains(&child) {
                    children.push(child)
                }
            });
        }
        self.above.pop();
        self.suite.groups[place].children = children;
        Ok(name.to_owned())
    }

    /// What has this name: a task, a group, or all tasks of a tag.
    fn member(&mut self, name: &str, path: &Path, overrides: &Keys) -> Result<Vec<String>, EvalError> {
        match self.catalog.get(name) {
            Some(Entry::Task(file, entries)) => Ok(vec![self.task(file, merged(entries.clone(), overrides))?]),
            Some(Entry::Group(file, entries)) => Ok(vec![self.group(name, file, entries.clone(), overrides)?]),
            Some(Entry::Tag(names)) => {
                let each = names.iter().map(|name| self.member(name, path, overrides));
                Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
            }
            None => {
                let problem = format!("task: no file beside or below has a task, group or tag called `{name}`");
                Err(EvalError::task(path, problem))
            }
        }
    }

    /// A member that is written out, or named with keys that replace its own.
    fn inline(&mut self, group: &str, path: &Path, keys: Keys, overrides: &Keys) -> Result<Vec<String>, EvalError> {
        let name = |key: &str| match keys.iter().find(|(name, _)| name == key) {
            Some((_, Node::Text(name))) => Some(name.clone()),
            _ => None,
        };
        match (name("group"), name("task")) {
            (Some(inner), _) if self.catalog.get(&inner).is_some() => {
                let own = keys.into_iter().filter(|(key, _)| key != "group").collect();
                self.member(&inner, path, &merged(overrides.clone(), &own))
            }
            (Some(inner), _) => Ok(vec![self.group(&format!("{group}::{inner}"), path, keys, overrides)?]),
            (None, Some(inner)) if self.catalog.get(&inner).is_some() => {
                let own = keys.into_iter().filter(|(key, _)| key != "task").collect();
                self.member(&inner, path, &merged(overrides.clone(), &own))
            }
            (None, Some(inner)) => {
                let named = vec![("task".to_owned(), Node::Text(format!("{group}::{inner}")))];
                Ok(vec![self.task(path, merged(merged(overrides.clone(), &keys), &named))?])
            }
            (None, None) => {
                Err(EvalError::task(path, format!("task: a member of `{group}` has neither `task` nor `group`")))
            }
        }
    }
}

/// Keys, replaced by others of the same name.
fn merged(mut keys: Keys, by: &Keys) -> Keys {
    for (key, value) in by {
        match keys.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value.clone(),
            None => keys.push((key.clone(), value.clone())),
        }
    }
    keys
}
