//! The knobs of the paper (Junk DNA Hypothesis, arXiv 2310.02277, section 3) as values that turn a base task into graded
//! variants.
//!
//! A base task is a list of [`Question`]s. A [`Setting`] asks every question at each of its levels: with more options,
//! more text to search, fewer examples, or without options at all. Levels are nested (a harder level adds to an easier
//! one, or takes from it) and drawn with a seed, and all hold the same questions, so that they are paired by [`Item::id`].
//! What cannot be made is an error that names the question, before any model is asked.
//!
//! [`HumanGap`] is different: its levels are groups of tasks, and which task is hard follows from the dense model.

mod context;
mod error;
mod human_gap;
mod options;
mod question;
mod shots;

pub use context::GoldPosition;
pub use error::SettingError;
pub use human_gap::{GapTask, HumanGap};
pub use question::Question;

use serde::{Deserialize, Serialize};

use crate::suite::{Form, Item, Variant};

/// A base task.
#[derive(Debug, Clone, PartialEq)]
pub struct BaseTask {
    /// Its name, and that of its family of variants.
    pub name: String,
    /// The questions that are asked.
    pub questions: Vec<Question>,
    /// Others, that are examples and whose passages distract; none of them is asked.
    pub pool: Vec<Question>,
}

/// A knob and its levels, in any order; variants come easiest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "knob", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Setting {
    /// More options are harder: the right answer stays, distractors are added.
    Options {
        /// Numbers of options, each at least 2.
        options: Vec<usize>,
    },
    /// More text around the passage with the answer is harder.
    Context {
        /// Tokens of the whole text; the passage alone is a level of its own, the easiest.
        tokens: Vec<usize>,
        /// Where the passage stands.
        #[serde(default)]
        gold: GoldPosition,
        /// Whether the hardest level has no text at all.
        #[serde(default)]
        closed_book: bool,
        /// Options of every question; a free answer where absent.
        #[serde(default)]
        options: Option<usize>,
    },
    /// Fewer examples are harder.
    Shots {
        /// Numbers of examples.
        shots: Vec<usize>,
        /// Options of every question; all it has where absent.
        #[serde(default)]
        options: Option<usize>,
    },
    /// A free answer is harder than a choice among options.
    Form {
        /// Numbers of options, each at least 2; the free answer is one more level, the hardest.
        options: Vec<usize>,
    },
}

impl Setting {
    /// What the levels count.
    #[must_use]
    pub const fn knob(&self) -> &'static str {
        match self {
            Self::Options { .. } | Self::Form { .. } => "options",
            Self::Context { .. } => "tokens",
            Self::Shots { .. } => "shots",
        }
    }

    /// The variants, easiest first. `count` tells how many tokens a text has.
    ///
    /// # Errors
    /// [`SettingError`] names the task, the question and the number that cannot be served.
    pub fn variants(
        &self,
        task: &BaseTask,
        seed: u64,
        count: impl Fn(&str) -> usize,
    ) -> Result<Vec<Variant>, SettingError> {
        task.check()?;
        let levels = match self {
            Self::Options { options } => options::levels(task, options, false, seed)?,
            Self::Form { options } => options::levels(task, options, true, seed)?,
            Self::Context { tokens, gold, closed_book, options } => {
                context::levels(task, tokens, *gold, *closed_book, *options, seed, &count)?
            }
            Self::Shots { shots, options } => shots::levels(task, shots, *options, seed)?,
        };
        if levels.len() < 2 {
            return Err(SettingError::OneLevel { task: task.name.clone(), knob: self.knob() });
        }
        Ok(levels.into_iter().enumerate().map(|(level, made)| made.variant(task, level, self.knob())).collect())
    }
}

/// The items of one level.
struct Level {
    /// What comes after the family in the variant's name.
    name: String,
    difficulty: f64,
    items: Vec<Item>,
}

impl Level {
    fn variant(self, task: &BaseTask, level: usize, knob: &str) -> Variant {
        Variant {
            family: task.name.clone(),
            name: format!("{}/{}", task.name, self.name),
            level,
            difficulty: self.difficulty,
            knob: knob.to_owned(),
            items: self.items,
        }
    }
}

impl BaseTask {
    /// The first `asked` questions are asked, the others are the pool.
    ///
    /// # Errors
    /// Fewer questions than asked for; a question that is there twice, has an empty answer or no right one.
    pub fn new(name: &str, mut questions: Vec<Question>, asked: usize) -> Result<Self, SettingError> {
        if asked > questions.len() || asked == 0 {
            let (task, available) = (name.to_owned(), questions.len());
            return Err(SettingError::TooFewQuestions { task, asked, available });
        }
        let pool = questions.split_off(asked);
        let task = Self { name: name.to_owned(), questions, pool };
        task.check()?;
        Ok(task)
    }

    fn check(&self) -> Result<(), SettingError> {
        let mut seen = std::collections::HashSet::new();
        for question in &self.questions {
            let wrong = |problem: &'static str| SettingError::Question {
                task: self.name.clone(),
                id: question.id.clone(),
                problem,
            };
            if !seen.insert(question.id.as_str()) {
                return Err(wrong("is there twice"));
            }
            if question.answers.iter().chain(&question.wrong).any(|text| text.trim().is_empty()) {
                return Err(wrong("has an empty answer"));
            }
            if question.answers.is_empty() {
                return Err(wrong("has no right answer"));
            }
        }
        Ok(())
    }
}

/// Distinct levels, sorted.
fn sorted(task: &BaseTask, knob: &'static str, levels: &[usize]) -> Result<Vec<usize>, SettingError> {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(SettingError::RepeatedLevel { task: task.name.clone(), knob, level: pair[0] }),
        None => Ok(sorted),
    }
}

/// The form of a question that may have options.
fn form(options: Option<usize>) -> Form {
    if options.is_some() { Form::Choice } else { Form::Free }
}

#[cfg(test)]
mod tests;
