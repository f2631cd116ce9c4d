//! More text around the passage with the answer.

use serde::{Deserialize, Serialize};

use super::{BaseTask, Level, Question, SettingError, sorted};
use crate::suite::draw::{shuffled, stream};

/// Where the passage with the answer stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoldPosition {
    /// Before them.
    #[default]
    Start,
    /// As many before as after it.
    Middle,
    /// After them.
    End,
}

/// Between passages, and before the question.
const BREAK: &str = "\n\n";

/// The passage alone; then for each budget the passage among others; then no text, if that is asked for.
pub(super) fn levels(
    task: &BaseTask,
    budgets: &[usize],
    gold: GoldPosition,
    closed_book: bool,
    options: Option<usize>,
    seed: u64,
    count: &impl Fn(&str) -> usize,
) -> Result<Vec<Level>, SettingError> {
    let budgets = sorted(task, "tokens", budgets)?;
    options.map_or(Ok(()), |options| task.check_options(options))?;
    let texts = task.questions.iter().map(|question| Text::of(task, question, seed, count));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let level = |name: String, difficulty: f64, text: &dyn Fn(&Text) -> Result<String, SettingError>| {
        let asked =
            |(question, around): (&Question, &Text)| Ok::<_, SettingError>(question.ask(&text(around)?, options, seed));
        let items = task.questions.iter().zip(&texts).map(asked).collect::<Result<_, _>>()?;
        Ok(Level { name, difficulty, items })
    };
    let alone = texts.iter().map(|text| text.tokens as f64).sum::<f64>() / texts.len() as f64;
    let mut levels = vec![level("passage".to_owned(), alone.round(), &|text| Ok(text.alone()))?];
    for budget in budgets {
        let among = |text: &Text| text.among(task, budget, gold, count);
        levels.push(level(format!("tokens={budget}"), budget as f64, &among)?);
    }
    if closed_book {
        levels.push(level("closed-book".to_owned(), 0.0, &|_| Ok(String::new()))?);
    }
    Ok(levels)
}

/// What can stand around one question.
struct Text<'a> {
    id: &'a str,
    passage: &'a str,
    tokens: usize,
    /// Passages of other questions that hold none of the answers, in the order in which they are added.
    others: Vec<&'a str>,
}

impl<'a> Text<'a> {
    fn of(
        task: &'a BaseTask,
        question: &'a Question,
        seed: u64,
        count: &impl Fn(&str) -> usize,
    ) -> Result<Self, SettingError> {
        let none = || SettingError::Question {
            task: task.name.clone(),
            id: question.id.clone(),
            problem: "has no passage to put among others",
        };
        let passage = question.passage.as_deref().ok_or_else(none)?;
        let answered = |text: &str| question.answers.iter().any(|answer| text.contains(answer.as_str()));
        let mut others: Vec<&str> = Vec::new();
        for other in task.questions.iter().chain(&task.pool).filter_map(|other| other.passage.as_deref()) {
            if other != passage && !others.contains(&other) && !answered(other) {
                others.push(other);
            }
        }
        let others = shuffled(others, &mut stream(seed, &format!("{}/context", question.id)));
        Ok(Self { id: &question.id, passage, tokens: count(passage), others })
    }

    fn alone(&self) -> String {
        format!("{}{BREAK}", self.passage)
    }

    /// The passage and as many others as fit, the last of them cut at a word. The others of a smaller budget are the
    /// first of a larger one.
    fn among(
        &self,
        task: &BaseTask,
        budget: usize,
        gold: GoldPosition,
        count: &impl Fn(&str) -> usize,
    ) -> Result<String, SettingError> {
        let (task, id) = (task.name.clone(), self.id.to_owned());
        if self.tokens > budget {
            return Err(SettingError::BudgetBelowPassage { task, id, tokens: self.tokens, budget });
        }
        let mut left = budget - self.tokens;
        let mut kept: Vec<String> = Vec::new();
        for other in &self.others {
            let whole = format!("{BREAK}{other}");
            let tokens = count(&whole);
            if tokens > left {
                kept.extend(cut(&whole, left, count));
                left = 0;
                break;
            }
            left -= tokens;
            kept.push((*other).to_owned());
        }
        if left > 0 {
            return Err(SettingError::TooLittleText { task, id, tokens: budget - left, budget });
        }
        Ok(self.arrange(kept, gold).join(BREAK) + BREAK)
    }

    fn arrange(&self, others: Vec<String>, gold: GoldPosition) -> Vec<String> {
        let passage = self.passage.to_owned();
        match gold {
            GoldPosition::Start => std::iter::once(passage).chain(others).collect(),
            GoldPosition::End => others.into_iter().rev().chain([passage]).collect(),
            GoldPosition::Middle => {
                let (mut before, mut after) = (Vec::new(), vec![passage]);
                for (at, other) in others.into_iter().enumerate() {
                    if at % 2 == 0 { after.push(other) } else { before.push(other) }
                }
                before.into_iter().rev().chain(after).collect()
            }
        }
    }
}

/// The longest beginning of whole words within `budget` tokens; none where not even one word fits.
fn cut(text: &str, budget: usize, count: &impl Fn(&str) -> usize) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let beginning = |length: usize| words[..length].join(" ");
    let (mut fits, mut too_long) = (0, words.len());
    while too_long - fits > 1 {
        let middle = usize::midpoint(fits, too_long);
        if count(&beginning(middle)) < budget { fits = middle } else { too_long = middle }
    }
    (fits > 0).then(|| beginning(fits))
}
