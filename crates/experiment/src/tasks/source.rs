//! Data files as questions to which a setting can be applied.

use crate::ExperimentError;
use crate::plan::SourcePlan;
use junkdna_difficulty::setting::Question;
use junkdna_difficulty::suite::fact_questions;
use junkdna_eval::data::Format;
use rand::seq::SliceRandom;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Distractors that a question without options of its own gets, at most.
const MOST_DISTRACTORS: usize = 15;

/// The questions of a source, shuffled; `name` goes into their ids.
pub(super) fn questions(
    source: &SourcePlan,
    name: &str,
    data: &Path,
    seed: u64,
) -> Result<Vec<Question>, ExperimentError> {
    let mut rng = junkdna_backend::Seed(seed).derive(name).rng();
    let mut questions = match source {
        // Already shuffled, with a balance over kinds that another shuffle would lose.
        SourcePlan::Facts => return Ok(fact_questions(seed)),
        SourcePlan::Bigbench { file, prompt } => bigbench(&data.join(file), prompt, name)?,
        SourcePlan::Squad { file, prompt } => squad(&data.join(file), prompt)?,
        SourcePlan::Task { file } => task_file(&data.join(file), name)?,
    };
    questions.shuffle(&mut rng);
    Ok(questions)
}

fn records(path: &Path, format: &Format) -> Result<Vec<Value>, ExperimentError> {
    Ok(format.open(path)?.collect::<Result<_, _>>()?)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn bigbench(path: &Path, prompt: &str, name: &str) -> Result<Vec<Question>, ExperimentError> {
    let mut questions: Vec<Question> = Vec::new();
    for record in records(path, &Format::BigBench)? {
        let input = record["inputs"].as_str().unwrap_or_default().trim();
        let answers = texts(&record["targets"]);
        let choices = texts(&record["multiple_choice_targets"]);
        if input.is_empty() || answers.iter().all(|answer| answer.trim().is_empty()) {
            continue;
        }
        questions.push(Question {
            id: format!("{name}/{}", record["idx"]),
            passage: None,
            prompt: prompt.replace("{}", input),
            wrong: choices.into_iter().filter(|choice| !answers.contains(choice)).collect(),
            answers,
            delimiter: " ".to_owned(),
        });
    }
    if questions.iter().all(|question| question.wrong.is_empty()) {
        borrow_distractors(&mut questions, beginning);
    }
    nonempty(questions, path)
}

/// The first two words, which tell what is asked for: "The genre of …".
fn beginning(question: &Question) -> String {
    question.prompt.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn squad(path: &Path, prompt: &str) -> Result<Vec<Question>, ExperimentError> {
    let mut questions = Vec::new();
    let mut titles = HashMap::new();
    for record in records(path, &Format::Squad)? {
        let mut answers = texts(&record["answers"]["text"]);
        answers.dedup();
        if answers.is_empty() || record["is_impossible"].as_bool() == Some(true) {
            continue;
        }
        let text = |key: &str| record[key].as_str().unwrap_or_default().trim().to_owned();
        titles.insert(text("id"), text("title"));
        questions.push(Question {
            id: text("id"),
            passage: Some(text("context")),
            prompt: prompt.replace("{}", &text("question")),
            answers,
            wrong: Vec::new(),
            delimiter: " ".to_owned(),
        });
    }
    borrow_distractors(&mut questions, |question| titles.get(&question.id).cloned().unwrap_or_default());
    nonempty(questions, path)
}

/// Gives every question the first answers of others of its kind as distractors: different ones for each question.
fn borrow_distractors(questions: &mut [Question], kind: impl Fn(&Question) -> String) {
    let mut by_kind: HashMap<String, Vec<String>> = HashMap::new();
    for question in questions.iter() {
        let answers = by_kind.entry(kind(question)).or_default();
        if let Some(answer) = question.answers.first().filter(|answer| !answers.contains(answer)) {
            answers.push(answer.clone());
        }
    }
    for question in questions {
        let answers = by_kind.get_mut(&kind(question)).map(Vec::as_mut_slice).unwrap_or_default();
        let mut rng = junkdna_backend::Seed(0).derive(&question.id).rng();
        let (drawn, _) = answers.partial_shuffle(&mut rng, MOST_DISTRACTORS + question.answers.len());
        drawn.sort();
        let right = |answer: &&String| !question.answers.iter().any(|own| own.eq_ignore_ascii_case(answer));
        question.wrong = drawn.iter().filter(right).take(MOST_DISTRACTORS).cloned().collect();
    }
}

fn task_file(path: &Path, name: &str) -> Result<Vec<Question>, ExperimentError> {
    let (_, documents) = junkdna_eval::Task::read(path, Some(0))?;
    let question = |document: junkdna_eval::Document| {
        let mut choices = document.continuations;
        let gold = choices.remove(document.gold);
        let delimiter = if gold.starts_with(' ') { " " } else { "" };
        let plain = |choice: String| choice.strip_prefix(delimiter).unwrap_or(&choice).to_owned();
        Question {
            id: format!("{name}/{}", document.doc),
            passage: None,
            prompt: document.context,
            answers: vec![plain(gold)],
            wrong: choices.into_iter().map(plain).collect(),
            delimiter: delimiter.to_owned(),
        }
    };
    nonempty(documents.into_iter().map(question).collect(), path)
}

fn nonempty(questions: Vec<Question>, path: &Path) -> Result<Vec<Question>, ExperimentError> {
    match questions.is_empty() {
        true => Err(wrong(path, "holds no question with an answer")),
        false => Ok(questions),
    }
}

/// Pairs of an acceptable and an unacceptable sentence, a file a task: name and questions, by name. Pairs of the same sentence
/// twice, of which BLiMP holds a few, ask nothing and are left out.
pub(super) fn sentence_pairs(folder: &Path) -> Result<Vec<(String, Vec<Question>)>, ExperimentError> {
    let io = |source| ExperimentError::Io { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    if files.is_empty() {
        return Err(wrong(folder, "holds no .jsonl files, one a task"));
    }
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let records = records(&file, &Format::Json { field: None })?;
        let pair = |(line, record): (usize, Value)| {
            let sentence = |key: &str| {
                let text = record[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                text.ok_or_else(|| wrong(&file, &format!("line {}: `{key}` is expected to be a sentence", line + 1)))
            };
            Ok(Question {
                id: format!("{name}/{line}"),
                passage: None,
                prompt: String::new(),
                answers: vec![sentence("sentence_good")?],
                wrong: vec![sentence("sentence_bad")?],
                delimiter: String::new(),
            })
        };
        let mut questions: Vec<Question> =
            records.into_iter().enumerate().map(pair).collect::<Result<_, ExperimentError>>()?;
        questions.retain(|question| question.options() > 1);
        Ok((name, questions))
    };
    files.into_iter().map(read).collect()
}

/// The accuracy of people, task by task.
pub(super) fn human_scores(
    path: &Path,
    task_column: &str,
    score_column: &str,
) -> Result<HashMap<String, f64>, ExperimentError> {
    let mut scores = HashMap::new();
    for (row, record) in records(path, &Format::of(path).unwrap_or(Format::Json { field: None }))?.iter().enumerate() {
        let task = record[task_column].as_str();
        match (task, record[score_column].as_f64()) {
            (Some(task), Some(score)) if score > 0.0 && score <= 1.0 => scores.insert(task.to_owned(), score),
            _ => {
                let problem = format!(
                    "row {}: column `{task_column}` with a task and `{score_column}` with an accuracy above 0 and at \
                     most 1 are expected",
                    row + 1
                );
                return Err(wrong(path, &problem));
            }
        };
    }
    Ok(scores)
}

pub(super) fn wrong(path: &Path, problem: &str) -> ExperimentError {
    ExperimentError::Data { path: path.to_owned(), problem: problem.to_owned() }
}
