use super::score::requests;
use super::{causal, load};
use crate::arguments::Eval;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_difficulty::suite::{SuiteConfig, generate};
use junkdna_eval::metrics::Score;
use junkdna_eval::{Document, Engine, Estimate, Example, FEWSHOT_SEED, Measured, Outcome, Task};
use junkdna_eval::{accuracy, normalized_accuracy};
use junkdna_experiment::write_whole;
use junkdna_model::{Llama, Loaded};
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// Resamples behind the standard errors of metrics that are no means: as many as lm-evaluation-harness takes.
const BOOTSTRAP_ITERATIONS: usize = 100_000;

/// One line of the table.
#[derive(Serialize)]
struct Line {
    task: String,
    shots: usize,
    documents: usize,
    filter: String,
    metric: String,
    value: f64,
    stderr: Option<f64>,
}

/// What is asked of the model.
enum Work {
    /// A task file and its documents.
    Task(Box<Task>, Vec<Example>),
    /// Questions of the built-in suite.
    Builtin(String, Vec<Document>),
}

/// The lines of one task, and one JSON object a document.
type Answered = (Vec<Line>, Vec<serde_json::Value>);

pub fn run(arguments: &Eval) -> Result<(), CliError> {
    let work = work(arguments)?;
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load(&arguments.source)?;
    let model = causal(&loaded, "evaluation")?;
    let (mut lines, mut samples) = (Vec::new(), Vec::new());
    for work in &work {
        let (new_lines, new_samples) = work.run(model, &loaded, &mut progress)?;
        lines.extend(new_lines);
        samples.extend(new_samples);
    }
    progress.finish();
    if let Some(file) = &arguments.json {
        let json = json!({ "model": loaded.source, "precision": loaded.precision, "results": lines });
        write_whole(file, format!("{json:#}\n").as_bytes())?;
    }
    if let Some(file) = &arguments.samples {
        write_samples(file, &samples)?;
    }
    print(&lines)
}

fn work(arguments: &Eval) -> Result<Vec<Work>, CliError> {
    let mut all = Vec::new();
    for file in &arguments.task {
        if file.as_os_str() == "builtin" {
            all.extend(builtin(arguments.limit)?);
        } else {
            let mut task = Task::load(file)?;
            task.set_shots(arguments.shots);
            arguments.data.iter().for_each(|folder| task.set_folder(folder));
            let examples = task.examples(FEWSHOT_SEED, arguments.limit)?;
            all.push(Work::Task(Box::new(task), examples));
        }
    }
    match arguments.limit {
        Some(0) => Err(CliError::Request("--limit 0 leaves no documents".into())),
        _ => Ok(all),
    }
}

fn builtin(limit: Option<usize>) -> Result<Vec<Work>, CliError> {
    let variants = generate(&SuiteConfig::default())?;
    let variants = variants.into_iter().map(|variant| {
        let items = variant.items.iter().enumerate().take(limit.unwrap_or(usize::MAX));
        let documents = items.map(|(doc, item)| Document {
            task: variant.name.clone(),
            doc,
            context: item.context.clone(),
            continuations: item.choices.clone(),
            gold: item.gold,
        });
        Work::Builtin(variant.name.clone(), documents.collect())
    });
    Ok(variants.collect())
}

impl Work {
    fn run(&self, model: &Llama, loaded: &Loaded, progress: &mut Progress) -> Result<Answered, CliError> {
        match self {
            Self::Task(task, examples) => {
                progress.label(&task.task);
                let share = |done: junkdna_eval::Progress| progress.share(share(done));
                let responses = Engine::default().respond(model, &loaded.tokenizer, task, examples, share)?;
                let measured = task.measure(examples, &responses, BOOTSTRAP_ITERATIONS)?;
                let line = |measured: &Measured| {
                    let Measured { metric, filter, score, .. } = measured;
                    Line::new(&task.task, task.num_fewshot, examples.len(), filter, metric, *score)
                };
                let sample = |(index, example): (usize, &Example)| {
                    let value = |measured: &Measured| (measured.metric.clone(), json!(measured.values[index]));
                    let values: serde_json::Map<_, _> = measured.iter().map(value).collect();
                    json!({ "task": task.task, "example": example, "responses": responses[index], "values": values })
                };
                Ok((measured.iter().map(line).collect(), examples.iter().enumerate().map(sample).collect()))
            }
            Self::Builtin(name, documents) => {
                progress.label(name);
                let requests = requests(documents, &loaded.tokenizer, model)?;
                let scores = Engine::default().score(model, &requests, |done| progress.share(share(done)))?;
                let mut scores = scores.as_slice();
                let outcome = |document: &Document| {
                    let (own, rest) = scores.split_at(document.continuations.len());
                    scores = rest;
                    Outcome::new(document, own)
                };
                let outcomes: Vec<Outcome> = documents.iter().map(outcome).collect();
                let line = |(metric, Estimate { value, stderr }): (&str, Estimate)| {
                    let score = Score { value, stderr: Some(stderr) };
                    Line::new(name, 0, documents.len(), "none", metric, score)
                };
                let estimates = [("acc", accuracy(&outcomes)), ("acc_norm", normalized_accuracy(&outcomes))];
                Ok((estimates.map(line).into(), outcomes.iter().map(|outcome| json!(outcome)).collect()))
            }
        }
    }
}

fn share(progress: junkdna_eval::Progress) -> f64 {
    progress.done as f64 / progress.total.max(1) as f64
}

impl Line {
    fn new(task: &str, shots: usize, documents: usize, filter: &str, metric: &str, score: Score) -> Self {
        let Score { value, stderr } = score;
        Self { task: task.into(), shots, documents, filter: filter.into(), metric: metric.into(), value, stderr }
    }
}

fn print(lines: &[Line]) -> Result<(), CliError> {
    let row = |line: &Line| {
        vec![
            line.task.clone(),
            line.filter.clone(),
            line.shots.to_string(),
            line.metric.clone(),
            format!("{:.4}", line.value),
            line.stderr.map_or_else(|| "-".to_owned(), |stderr| format!("± {stderr:.4}")),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    output::table(&["task", "filter", "n-shot", "metric", "value", "stderr"], &rows)
}

fn write_samples(file: &Path, samples: &[serde_json::Value]) -> Result<(), CliError> {
    let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
    Ok(write_whole(file, lines.as_bytes())?)
}
