//! Results as lm-evaluation-harness writes them.

use super::Results;
use crate::metrics::Score;
use serde_json::{Map, Value, json};

impl Results {
    /// The object with the keys of lm-evaluation-harness's results file: `results`, `groups`, `group_subtasks`, `versions`,
    /// `n-shot`, `higher_is_better` and `n-samples`. Within a task the number of a metric after filters is
    /// `METRIC,FILTER`, its standard error `METRIC_stderr,FILTER`, the text `N/A` where there is none. A number that is not
    /// finite is a text, since JSON has none.
    pub fn to_json(&self) -> Value {
        let mut results = Map::new();
        for task in &self.tasks {
            let mut entry = entry(&task.name, task.alias.as_deref(), task.documents);
            task.measured.iter().for_each(|line| put(&mut entry, &line.metric, &line.filter, line.score));
            results.insert(task.name.clone(), entry.into());
        }
        let mut groups = Map::new();
        for group in &self.groups {
            let documents = self.tasks.iter().filter(|task| self.leaves(group).contains(&task.name.as_str()));
            let mut entry = entry(&group.name, group.alias.as_deref(), documents.map(|task| task.documents).sum());
            let mut counts = Map::new();
            for line in self.aggregates(group) {
                put(&mut entry, &line.metric, &line.filter, line.score);
                counts.insert(format!("{},{}", line.metric, line.filter), line.documents.into());
            }
            match group.metrics.is_empty() {
                true => drop(entry.remove("sample_len")),
                false => {
                    entry.insert("sample_count".into(), counts.into());
                    groups.insert(group.name.clone(), entry.clone().into());
                }
            }
            results.insert(group.name.clone(), entry.into());
        }
        let mut whole = Map::new();
        whole.insert("results".into(), results.into());
        if !groups.is_empty() {
            whole.insert("groups".into(), groups.into());
        }
        whole
            .insert("group_subtasks".into(), self.groups.iter().map(|g| (g.name.clone(), json!(g.children))).collect());
        whole.insert("versions".into(), self.versions().into());
        whole.insert("n-shot".into(), json!(self.shots()));
        whole.insert("higher_is_better".into(), json!(self.directions()));
        let sizes =
            self.tasks.iter().map(|t| (t.name.clone(), json!({ "original": t.total, "effective": t.documents })));
        whole.insert("n-samples".into(), sizes.collect());
        whole.into()
    }

    /// Versions by task and group.
    pub(super) fn versions(&self) -> Map<String, Value> {
        let tasks = self.tasks.iter().map(|task| (task.name.clone(), task.version.clone().unwrap_or("Yaml".into())));
        let groups = self.groups.iter().map(|group| {
            let version = group.version.as_ref().map_or("N/A".to_owned(), crate::task::text);
            (group.name.clone(), Value::from(version))
        });
        tasks.chain(groups).collect()
    }
}

fn entry(name: &str, alias: Option<&str>, documents: usize) -> Map<String, Value> {
    let fields = [
        ("name".to_owned(), Value::from(name)),
        ("alias".to_owned(), alias.unwrap_or(name).into()),
        ("sample_len".to_owned(), documents.into()),
    ];
    fields.into_iter().collect()
}

fn put(entry: &mut Map<String, Value>, metric: &str, filter: &str, score: Score) {
    entry.insert(format!("{metric},{filter}"), number(score.value));
    entry.insert(format!("{metric}_stderr,{filter}"), score.stderr.map_or("N/A".into(), number));
}

fn number(number: f64) -> Value {
    match number.is_finite() {
        true => number.into(),
        false => number.to_string().into(),
    }
}
