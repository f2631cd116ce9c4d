use serde::{Deserialize, Serialize};

use super::SettingError;

/// Tasks that people do better than the dense model are harder for it: normalized gap (human − model) / human.
///
/// The gap is measured on questions of its own. On the questions that also measure the loss it would be biased: where the
/// dense model was lucky the gap is small *and* the loss is large, without any of it being true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HumanGap {
    /// Groups of tasks from small to large gap.
    pub levels: usize,
}

/// A task that people have done.
#[derive(Debug, Clone, PartialEq)]
pub struct GapTask {
    /// Its name.
    pub name: String,
    /// Accuracy of people, above 0 and at most 1.
    pub human: f64,
    /// Accuracy of the dense model on questions that measure nothing else.
    pub dense: f64,
}

impl GapTask {
    /// (human − model) / human; negative where the model is better.
    #[must_use]
    pub fn gap(&self) -> f64 {
        (self.human - self.dense) / self.human
    }
}

impl HumanGap {
    /// Which tasks make up each level, smallest gap first; groups of about equal size. Equal gaps are ordered by name.
    ///
    /// # Errors
    /// Fewer than 2 levels, fewer tasks than levels, a human score that is not above 0 and at most 1.
    pub fn group(self, tasks: &[GapTask]) -> Result<Vec<Vec<usize>>, SettingError> {
        if self.levels < 2 {
            return Err(SettingError::OneLevel { task: "human gap".to_owned(), knob: "levels" });
        }
        if tasks.len() < self.levels {
            return Err(SettingError::TooFewTasks { found: tasks.len(), levels: self.levels });
        }
        if let Some(task) = tasks.iter().find(|task| !(task.human > 0.0 && task.human <= 1.0)) {
            return Err(SettingError::HumanScore { task: task.name.clone(), score: task.human });
        }
        let mut order: Vec<usize> = (0..tasks.len()).collect();
        order.sort_by(|&a, &b| {
            tasks[a].gap().total_cmp(&tasks[b].gap()).then_with(|| tasks[a].name.cmp(&tasks[b].name))
        });
        let start = |level: usize| level * tasks.len() / self.levels;
        Ok((0..self.levels).map(|level| order[start(level)..start(level + 1)].to_vec()).collect())
    }
}
