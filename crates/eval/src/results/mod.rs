//! Results of tasks and groups.

mod json;
mod samples;
mod table;

use crate::metrics::{Score, aggregate};
use crate::{Group, GroupMetric, Measured, Task};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What came out of one task.
#[derive(Debug, Clone)]
pub struct TaskScores {
    /// Its name.
    pub name: String,
    /// What the table calls it instead.
    pub alias: Option<String>,
    /// Its version; `None` is written as lm-evaluation-harness writes it, `Yaml`.
    pub version: Option<Value>,
    /// Examples before each question.
    pub shots: usize,
    /// How many documents were asked.
    pub documents: usize,
    /// How many there are.
    pub total: usize,
    /// Its numbers.
    pub measured: Vec<Measured>,
}

impl TaskScores {
    /// The scores of a task that has `total` documents.
    pub fn new(task: &Task, documents: usize, total: usize, measured: Vec<Measured>) -> Self {
        let (name, alias, version) = (task.task.clone(), task.alias.clone(), task.version.clone());
        Self { name, alias, version, shots: task.num_fewshot, documents, total, measured }
    }

    fn score(&self, metric: &str, filter: &str) -> Option<Score> {
        let found = self.measured.iter().find(|line| line.metric == metric && line.filter == filter);
        found.map(|line| line.score)
    }
}

/// A number over the tasks of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// The metric's name.
    pub metric: String,
    /// The name of the filters before it.
    pub filter: String,
    /// The mean over tasks.
    pub score: Score,
    /// Documents behind it.
    pub documents: usize,
}

/// The results of an evaluation: of each task, and of the groups over them.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// Each task once.
    pub tasks: Vec<TaskScores>,
    /// Each group before the groups within it.
    pub groups: Vec<Group>,
}

impl Results {
    /// The names of all tasks in a group, at any depth, each once.
    fn leaves<'a>(&'a self, group: &'a Group) -> Vec<&'a str> {
        let mut names = Vec::new();
        for child in &group.children {
            match self.groups.iter().find(|other| other.name == *child) {
                Some(inner) => names.extend(self.leaves(inner)),
                None => names.push(child.as_str()),
            }
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }

    /// The numbers of a group: the mean over the tasks that have the metric, after each filter.
    pub fn aggregates(&self, group: &Group) -> Vec<Aggregate> {
        let leaves = self.leaves(group);
        let tasks: Vec<&TaskScores> =
            leaves.iter().filter_map(|name| self.tasks.iter().find(|task| task.name == *name)).collect();
        let numbers = |wanted: &GroupMetric| {
            let filters = wanted.filters.clone().unwrap_or_else(|| filters(&tasks, &wanted.metric));
            let number = |filter: String| {
                let with_size = |task: &&TaskScores| Some((task.score(&wanted.metric, &filter)?, task.documents));
                let scores: Vec<(Score, usize)> = tasks.iter().filter_map(with_size).collect();
                let documents = scores.iter().map(|(_, size)| size).sum();
                let score = aggregate(&scores, wanted.weighting)?;
                Some(Aggregate { metric: wanted.metric.clone(), filter, score, documents })
            };
            filters.into_iter().filter_map(number).collect::<Vec<_>>()
        };
        group.metrics.iter().flat_map(numbers).collect()
    }

    /// Tasks of a group that lack one of its metrics, after all filters: they do not count there.
    pub fn without(&self, group: &Group) -> Vec<(String, Vec<String>)> {
        let leaves = self.leaves(group);
        let missing = |wanted: &GroupMetric| {
            let lacks = |name: &&&str| {
                let task = self.tasks.iter().find(|task| task.name == ***name);
                task.is_none_or(|task| task.measured.iter().all(|line| line.metric != wanted.metric))
            };
            let names: Vec<String> = leaves.iter().filter(lacks).map(|name| (*name).to_owned()).collect();
            (wanted.metric.clone(), names)
        };
        group.metrics.iter().map(missing).filter(|(_, names)| !names.is_empty()).collect()
    }

    /// Which metrics are better when higher, by task and group; `None` where the tasks of a group do not agree. A group is
    /// given what its own tasks say, and what groups before it in the list say.
    fn directions(&self) -> BTreeMap<&str, BTreeMap<&str, Option<bool>>> {
        let mut directions: BTreeMap<&str, BTreeMap<&str, Option<bool>>> = BTreeMap::new();
        for task in &self.tasks {
            let own = task.measured.iter().map(|line| (line.metric.as_str(), Some(line.higher_is_better)));
            directions.insert(&task.name, own.collect());
        }
        for group in &self.groups {
            let mut joined: BTreeMap<&str, Option<bool>> = BTreeMap::new();
            for (metric, direction) in
                group.children.iter().filter_map(|child| directions.get(child.as_str())).flatten()
            {
                let known = joined.entry(metric).or_insert(*direction);
                *known = known.filter(|known| Some(*known) == *direction);
            }
            if !joined.is_empty() {
                directions.insert(&group.name, joined);
            }
        }
        directions
    }

    /// Examples before each question, by task, and by group where its members agree.
    fn shots(&self) -> BTreeMap<&str, usize> {
        let mut shots: BTreeMap<&str, usize> = self.tasks.iter().map(|task| (task.name.as_str(), task.shots)).collect();
        for group in &self.groups {
            let own: BTreeSet<usize> =
                group.children.iter().filter_map(|child| shots.get(child.as_str()).copied()).collect();
            if let (1, Some(&n)) = (own.len(), own.first()) {
                shots.insert(&group.name, n);
            }
        }
        shots
    }
}

/// The filters after which some task has a metric.
fn filters(tasks: &[&TaskScores], metric: &str) -> Vec<String> {
    let lines = tasks.iter().flat_map(|task| &task.measured).filter(|line| line.metric == metric);
    let names: BTreeSet<&str> = lines.map(|line| line.filter.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}
