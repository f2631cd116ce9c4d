//! Files that describe groups of tasks.

use super::Keys;
use crate::EvalError;
use crate::metrics::Weighting;
use crate::node::Node;
use serde_json::Value;
use std::path::Path;

/// Tasks and further groups under one name, with the numbers that summarize them.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name; that of a group written out within another has the other's before it, after `::`.
    pub name: String,
    /// What the table of results calls it instead.
    pub alias: Option<String>,
    /// The version in its `metadata`.
    pub version: Option<Value>,
    /// The names of its tasks and groups.
    pub children: Vec<String>,
    /// What is averaged over all tasks in it.
    pub metrics: Vec<GroupMetric>,
}

/// A metric that is averaged over the tasks of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetric {
    /// Its name.
    pub metric: String,
    /// After which filters; after each that the tasks have if none are named.
    pub filters: Option<Vec<String>>,
    /// How much each task counts.
    pub weighting: Weighting,
}

/// The name of the group that a file describes, if it describes one: where `task` is a single name the file is a task's, and
/// `group` means what `tag` means now.
pub fn name(keys: &Keys) -> Option<String> {
    let value = |name: &str| keys.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    match (value("group"), value("task")) {
        (Some(Node::Text(_)), Some(Node::Text(_))) => None,
        (Some(Node::Text(name)), _) => Some(name.clone()),
        _ => None,
    }
}

impl Group {
    /// The group, its members as they are written, and the keys that replace those of its tasks.
    pub(super) fn from_keys(name: &str, path: &Path, keys: Keys) -> Result<(Self, Vec<Node>, Keys), EvalError> {
        let wrong = |problem: String| EvalError::task(path, problem);
        let mut group =
            Self { name: name.to_owned(), alias: None, version: None, children: Vec::new(), metrics: Vec::new() };
        let (mut members, mut others) = (Vec::new(), Keys::new());
        for (key, value) in keys {
            match (key.as_str(), value) {
                ("group", _) | ("task" | "group_alias" | "aggregate_metric_list" | "tag", Node::Null) => {}
                ("group_alias", Node::Text(alias)) => group.alias = Some(alias),
                ("task", Node::List(items)) => members = items,
                ("task", Node::Text(member)) => members = vec![Node::Text(member)],
                ("tag", _) => {}
                ("aggregate_metric_list", Node::List(items)) => {
                    let metrics = items.iter().map(GroupMetric::new).collect::<Result<_, _>>();
                    group.metrics = metrics.map_err(|problem| wrong(format!("aggregate_metric_list: {problem}")))?;
                }
                ("aggregate_metric_list", item @ Node::Map(_)) => {
                    let metric = GroupMetric::new(&item);
                    group.metrics = vec![metric.map_err(|problem| wrong(format!("aggregate_metric_list: {problem}")))?];
                }
                ("metadata", Node::Map(entries)) => {
                    let version = entries.iter().find(|(key, _)| key == "version");
                    group.version = version.map(|(_, version)| version.to_json());
                }
                ("metadata", _) => {}
                ("group_alias" | "task" | "aggregate_metric_list", other) => {
                    return Err(wrong(format!("{key}: is {}, which a group cannot have there", other.kind())));
                }
                (_, value) => others.push((key, value)),
            }
        }
        match members.is_empty() {
            true => Err(wrong(format!("task: the group `{name}` has no tasks"))),
            false => Ok((group, members, others)),
        }
    }
}

impl GroupMetric {
    fn new(item: &Node) -> Result<Self, String> {
        let Node::Map(entries) = item else { return Err(format!("is {}, a map is expected", item.kind())) };
        let (mut metric, mut filters, mut weighting) = (None, None, Weighting::Size);
        for (key, value) in entries {
            match (key.as_str(), value) {
                ("metric", Node::Text(name)) => metric = Some(name.clone()),
                ("filter_list", Node::Null) => {}
                ("filter_list", Node::Text(name)) => filters = Some(vec![name.clone()]),
                ("filter_list", Node::List(items)) => {
                    filters = Some(items.iter().map(|item| crate::task::text(&item.to_json())).collect());
                }
                ("weight_by_size", Node::Bool(true)) => weighting = Weighting::Size,
                ("weight_by_size", Node::Bool(false)) => weighting = Weighting::Equal,
                ("aggregation", Node::Text(name)) if name == "mean" => {}
                ("aggregation", Node::Function(name)) => {
                    return Err(format!("aggregation: `!function {name}` is Python, which is not run"));
                }
                ("aggregation", _) => return Err("aggregation: only `mean` is possible".into()),
                ("metric" | "filter_list" | "weight_by_size", other) => {
                    return Err(format!("{key}: is {}, which it cannot be", other.kind()));
                }
                _ => return Err(format!("`{key}` is no known key")),
            }
        }
        let metric = metric.ok_or("an entry has no `metric`")?;
        Ok(Self { metric, filters, weighting })
    }
}
