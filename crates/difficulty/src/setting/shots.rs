//! Fewer examples.

use super::{BaseTask, Level, Question, SettingError, sorted};
use crate::suite::draw::{shuffled, stream};

/// A level for each number of examples, most first. The examples of fewer are the first of more, the same before every
/// question, and come from questions that are not asked.
pub(super) fn levels(
    task: &BaseTask,
    shots: &[usize],
    options: Option<usize>,
    seed: u64,
) -> Result<Vec<Level>, SettingError> {
    let mut counts = sorted(task, "shots", shots)?;
    counts.reverse();
    let most = counts.first().copied().unwrap_or(0);
    if most > task.pool.len() {
        let (asked, available) = (most, task.pool.len());
        return Err(SettingError::TooFewExamples { task: task.name.clone(), asked, available });
    }
    task.check_options(options.unwrap_or(2))?;
    let pool = shuffled(task.pool.iter().collect(), &mut stream(seed, &format!("{}/shots", task.name)));
    let level = |count: usize| {
        let examples: String = pool[..count].iter().map(|question| question.shown()).collect();
        let ask = |question: &Question| {
            let passage = question.passage.as_ref().map(|passage| format!("{passage}\n\n")).unwrap_or_default();
            let options = options.unwrap_or_else(|| question.options());
            question.ask(&format!("{examples}{passage}"), Some(options), seed)
        };
        Level {
            name: format!("shots={count}"),
            difficulty: count as f64,
            items: task.questions.iter().map(ask).collect(),
        }
    };
    Ok(counts.into_iter().map(level).collect())
}
