//! Tasks as a plan names them.

use junkdna_difficulty::setting::{HumanGap, Setting};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A base task with a knob that is turned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskPlan {
    /// The name of the family of variants.
    pub name: String,
    /// Where the questions come from.
    pub source: SourcePlan,
    /// The knob.
    pub setting: Setting,
    /// Questions that are asked at every level.
    pub items: usize,
    /// Of everything that is drawn.
    #[serde(default)]
    pub seed: u64,
    /// Only questions with at least so many options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_options: Option<usize>,
    /// Only questions whose passage has at most so many tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_passage_tokens: Option<usize>,
}

/// Where questions come from; files are relative to the plan's data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SourcePlan {
    /// The facts of the built-in suite.
    Facts,
    /// A `task.json` of BIG-bench. Where it has no options, answers of similar questions are the distractors.
    Bigbench {
        /// The file.
        file: PathBuf,
        /// What the model reads, `{}` stands for the input.
        #[serde(default = "SourcePlan::question")]
        prompt: String,
    },
    /// SQuAD. Other answers of the same article are the distractors; questions without an answer are left out.
    Squad {
        /// The file.
        file: PathBuf,
        /// What the model reads after the passage, `{}` stands for the question.
        #[serde(default = "SourcePlan::question")]
        prompt: String,
    },
    /// A multiple-choice task file, TOML or lm-evaluation-harness's YAML.
    Task {
        /// The file.
        file: PathBuf,
    },
}

impl SourcePlan {
    fn question() -> String {
        "Question: {}\nAnswer:".to_owned()
    }
}

/// A family whose levels are task files or data files of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradedPlan {
    /// The name of the family.
    pub name: String,
    /// What the levels count.
    pub knob: String,
    /// Easiest first.
    pub levels: Vec<LevelPlan>,
    /// Questions of each level.
    pub items: usize,
    /// Whether question i of each level is the same question made harder.
    #[serde(default)]
    pub paired: bool,
    /// Of the choice of questions.
    #[serde(default)]
    pub seed: u64,
}

/// One level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelPlan {
    /// The knob's number.
    pub difficulty: f64,
    /// Where the questions come from.
    pub source: SourcePlan,
}

/// Tasks that people have done, graded by how much better they are than the dense model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapPlan {
    /// The name of the family.
    pub name: String,
    /// Folder of JSON lines, a file a task, each line a pair of sentences as in BLiMP (Warstadt et al. 2020).
    pub folder: PathBuf,
    /// CSV file with a line a task.
    pub human: PathBuf,
    /// The column with the task's name, which is that of its file.
    #[serde(default = "GapPlan::task_column")]
    pub task_column: String,
    /// The column with the accuracy of people, 0 to 1.
    #[serde(default = "GapPlan::score_column")]
    pub score_column: String,
    /// Groups of tasks from small to large gap.
    pub levels: usize,
    /// Pairs of each task that measure the loss.
    pub items: usize,
    /// Pairs of each task, others, that measure the gap; of the dense model alone.
    pub grading_items: usize,
    /// Of the choice of pairs.
    #[serde(default)]
    pub seed: u64,
}

impl GapPlan {
    fn task_column() -> String {
        "task".to_owned()
    }

    fn score_column() -> String {
        "human".to_owned()
    }

    pub(crate) fn knob(&self) -> HumanGap {
        HumanGap { levels: self.levels }
    }
}
