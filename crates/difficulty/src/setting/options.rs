//! More options, and none at all.

use super::question::level_name;
use super::{BaseTask, Level, Question, SettingError, form, sorted};

/// A level for each number of options; then the free answer, if it is asked for.
pub(super) fn levels(task: &BaseTask, options: &[usize], free: bool, seed: u64) -> Result<Vec<Level>, SettingError> {
    let counts = sorted(task, "options", options)?;
    counts.iter().try_for_each(|&count| task.check_options(count))?;
    let forms = counts.into_iter().map(Some).chain(free.then_some(None));
    let level = |options: Option<usize>| {
        let ask = |question: &Question| {
            let passage = question.passage.as_ref().map(|passage| format!("{passage}\n\n")).unwrap_or_default();
            question.ask(&passage, options, seed)
        };
        let count = options.unwrap_or(0);
        Level {
            name: level_name(form(options), count),
            difficulty: count as f64,
            items: task.questions.iter().map(ask).collect(),
        }
    };
    Ok(forms.map(level).collect())
}
