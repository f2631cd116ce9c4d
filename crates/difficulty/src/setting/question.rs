use rand_chacha::ChaCha8Rng;

use super::{BaseTask, SettingError};
use crate::suite::draw::{shuffled, stream};
use crate::suite::{Form, Item};

/// A question before any knob is turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Unique in its task.
    pub id: String,
    /// The text that holds the answer, where there is one.
    pub passage: Option<String>,
    /// What is asked, up to the answer.
    pub prompt: String,
    /// The right answers; the first is the option of a multiple choice.
    pub answers: Vec<String>,
    /// Wrong options.
    pub wrong: Vec<String>,
    /// What stands between prompt and answer, a space as a rule.
    pub delimiter: String,
}

impl Question {
    /// Options a multiple choice can have.
    #[must_use]
    pub fn options(&self) -> usize {
        1 + self.distractors().len()
    }

    /// Wrong options that are not right, without repetitions, in their order.
    fn distractors(&self) -> Vec<&str> {
        let mut kept: Vec<&str> = Vec::new();
        for wrong in &self.wrong {
            let same = |other: &str| other.trim().eq_ignore_ascii_case(wrong.trim());
            if !self.answers.iter().any(|answer| same(answer)) && !kept.iter().any(|other| same(other)) {
                kept.push(wrong);
            }
        }
        kept
    }

    /// The first right answer.
    pub(super) fn gold(&self) -> &str {
        self.answers.first().map_or("", String::as_str)
    }

    /// Asks for one of `options` (the distractors of fewer options are among those of more), or for a free answer, after
    /// `before`.
    pub(super) fn ask(&self, before: &str, options: Option<usize>, seed: u64) -> Item {
        let form = super::form(options);
        let (choices, gold) = match options {
            Some(options) => self.choices(options, &mut stream(seed, &self.id)),
            None => (self.answers.clone(), 0),
        };
        let choices = choices.iter().map(|choice| format!("{}{choice}", self.delimiter)).collect();
        Item { id: self.id.clone(), context: format!("{before}{}", self.prompt), choices, gold, form }
    }

    /// The gold at a random place among the first distractors.
    fn choices(&self, options: usize, rng: &mut ChaCha8Rng) -> (Vec<String>, usize) {
        use rand::RngExt;
        let place: f64 = rng.random();
        let mut choices = shuffled(self.distractors(), rng);
        choices.truncate(options - 1);
        let gold = ((place * options as f64) as usize).min(choices.len());
        choices.insert(gold, self.gold());
        (choices.into_iter().map(str::to_owned).collect(), gold)
    }

    /// The question with its answer, as an example.
    pub(super) fn shown(&self) -> String {
        let passage = self.passage.as_ref().map(|passage| format!("{passage}\n\n")).unwrap_or_default();
        format!("{passage}{}{}{}\n\n", self.prompt, self.delimiter, self.gold())
    }
}

impl BaseTask {
    /// Every question can have so many options.
    pub(super) fn check_options(&self, asked: usize) -> Result<(), SettingError> {
        if asked < 2 {
            let (task, knob) = (self.name.clone(), "options");
            return Err(SettingError::Level { task, knob, level: asked, range: "2 or more" });
        }
        let enough = |question: &Question| question.options() >= asked;
        match self.questions.iter().find(|question| !enough(question)) {
            None => Ok(()),
            Some(question) => Err(SettingError::TooFewOptions {
                task: self.name.clone(),
                id: question.id.clone(),
                options: question.options(),
                asked,
                enough: self.questions.iter().chain(&self.pool).filter(|question| enough(question)).count(),
                all: self.questions.len() + self.pool.len(),
            }),
        }
    }

    /// Every question with `options` options.
    ///
    /// # Errors
    /// A question that has fewer.
    pub fn ask_all(&self, options: usize, seed: u64) -> Result<Vec<Item>, SettingError> {
        self.check()?;
        self.check_options(options)?;
        Ok(self.questions.iter().map(|question| question.ask("", Some(options), seed)).collect())
    }

    /// Every question with all the options it has.
    ///
    /// # Errors
    /// A question that has fewer than two.
    pub fn ask_whole(&self, seed: u64) -> Result<Vec<Item>, SettingError> {
        self.check()?;
        self.check_options(2)?;
        Ok(self.questions.iter().map(|question| question.ask("", Some(question.options()), seed)).collect())
    }
}

/// The name of a level by its form.
pub(super) fn level_name(form: Form, options: usize) -> String {
    match form {
        Form::Choice => format!("options={options}"),
        Form::Free => "free".to_owned(),
    }
}
