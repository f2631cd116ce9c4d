/// Why a setting cannot be applied to a task.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// Fewer questions than asked for.
    #[error("task {task}: {available} questions, {asked} are asked for")]
    TooFewQuestions {
        /// The task.
        task: String,
        /// How many are asked for.
        asked: usize,
        /// How many there are.
        available: usize,
    },
    /// A question that cannot be asked.
    #[error("task {task}, question {id}: {problem}")]
    Question {
        /// The task.
        task: String,
        /// The question.
        id: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// More options than a question has: the levels would not hold the same questions.
    #[error(
        "task {task}, question {id}: has {options} options, {asked} are asked for; {enough} of {all} questions have \
         enough: ask only those with min_options = {asked}"
    )]
    TooFewOptions {
        /// The task.
        task: String,
        /// The question.
        id: String,
        /// Options it has.
        options: usize,
        /// Options asked for.
        asked: usize,
        /// Questions of the task that have as many.
        enough: usize,
        /// Questions of the task.
        all: usize,
    },
    /// A level that no question can have.
    #[error("task {task}: {knob} = {level}; {range} is possible")]
    Level {
        /// The task.
        task: String,
        /// What levels count.
        knob: &'static str,
        /// The level.
        level: usize,
        /// What is possible, in words.
        range: &'static str,
    },
    /// A level that is listed twice.
    #[error("task {task} lists {knob} = {level} twice")]
    RepeatedLevel {
        /// The task.
        task: String,
        /// What levels count.
        knob: &'static str,
        /// The level.
        level: usize,
    },
    /// A single level cannot be compared with another.
    #[error("task {task} has one level of {knob}; at least 2 are needed")]
    OneLevel {
        /// The task.
        task: String,
        /// What levels count.
        knob: &'static str,
    },
    /// A budget that does not hold the passage with the answer.
    #[error(
        "task {task}, question {id}: the passage with the answer has {tokens} tokens, the text may have {budget}; \
         ask only questions whose passage fits with max_passage_tokens = {budget}"
    )]
    BudgetBelowPassage {
        /// The task.
        task: String,
        /// The question.
        id: String,
        /// Tokens of the passage.
        tokens: usize,
        /// Tokens allowed.
        budget: usize,
    },
    /// Not enough other passages to fill a budget.
    #[error("task {task}, question {id}: other passages fill {tokens} tokens of {budget}")]
    TooLittleText {
        /// The task.
        task: String,
        /// The question.
        id: String,
        /// Tokens that there are.
        tokens: usize,
        /// Tokens asked for.
        budget: usize,
    },
    /// More examples than there are questions that are not asked.
    #[error("task {task}: {asked} examples are asked for, {available} questions are left that are not asked")]
    TooFewExamples {
        /// The task.
        task: String,
        /// Examples asked for.
        asked: usize,
        /// Examples there are.
        available: usize,
    },
    /// A human score that is no share.
    #[error("task {task}: the human score is {score}; above 0 and at most 1 is possible")]
    HumanScore {
        /// The task.
        task: String,
        /// The score.
        score: f64,
    },
    /// Fewer tasks than levels.
    #[error("{found} tasks with a human score cannot make {levels} levels")]
    TooFewTasks {
        /// Tasks found.
        found: usize,
        /// Levels asked for.
        levels: usize,
    },
}
