//! Training as a plan names it.

use junkdna_finetune::{Mode, Recipe};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// An encoder that is trained on tasks, with more examples and with fewer: dense, and pruned before it is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingPlan {
    /// How pruned models train: `sparse`, `dense-frozen`, `sparse-to-dense`.
    pub modes: Vec<String>,
    /// Tokens of a text; longer ones are cut.
    #[serde(default = "TrainingPlan::max_length")]
    pub max_length: usize,
    /// The budget, the same for every model; its seed is each of the plan's.
    #[serde(default)]
    pub recipe: Recipe,
    /// What is learned.
    #[serde(rename = "task")]
    pub tasks: Vec<TrainedTask>,
}

/// A task that is learned from fewer and fewer examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedTask {
    /// The name of the family of variants.
    pub name: String,
    /// A folder of GLUE or a task file, relative to the plan's data folder.
    pub folder: PathBuf,
    /// Training examples of each level, in any order; fewer are harder, and part of more.
    pub examples: Vec<usize>,
    /// Validation examples that are asked, as many of each class: a model that always says the same only guesses.
    pub items: usize,
    /// Of the choice of validation examples.
    #[serde(default)]
    pub seed: u64,
}

impl TrainingPlan {
    fn max_length() -> usize {
        128
    }

    /// The modes by name.
    pub(crate) fn modes(&self) -> Result<Vec<Mode>, String> {
        let mode = |name: &String| {
            let names = Mode::ALL.map(Mode::name).join(", ");
            let found = Mode::ALL.into_iter().find(|mode| mode.name() == name);
            found.ok_or_else(|| format!("training: there is no mode `{name}` after pruning; there are {names}"))
        };
        self.modes.iter().map(mode).collect()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let modes = self.modes()?;
        if modes.is_empty() || modes.iter().map(|mode| mode.name()).collect::<BTreeSet<_>>().len() < modes.len() {
            return Err("training: modes are to be one or more, each once".into());
        }
        self.recipe.check().map_err(|error| format!("training: {error}"))?;
        if self.tasks.is_empty() {
            return Err("training: no task; give at least one [[training.task]]".into());
        }
        self.tasks.iter().try_for_each(TrainedTask::check)
    }
}

impl TrainedTask {
    fn check(&self) -> Result<(), String> {
        let levels: BTreeSet<usize> = self.examples.iter().copied().collect();
        let name = &self.name;
        if levels.len() < self.examples.len() || levels.contains(&0) {
            return Err(format!("task {name}: numbers of examples are to differ and be above 0"));
        }
        match levels.len() {
            0 | 1 => Err(format!("task {name}: at least 2 different numbers of examples are needed")),
            _ => Ok(()),
        }
    }
}
