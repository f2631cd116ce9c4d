use super::score::requests;
use super::{causal, load};
use crate::arguments::Eval;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_difficulty::suite::{SuiteConfig, generate};
use junkdna_eval::{Document, Engine, Estimate, Outcome, Task, accuracy, normalized_accuracy};
use junkdna_experiment::write_whole;
use serde::Serialize;
use std::path::Path;

/// One line of the table.
#[derive(Serialize)]
struct Line {
    task: String,
    shots: usize,
    documents: usize,
    acc: Estimate,
    acc_norm: Estimate,
}

/// A task with its documents.
struct Loaded {
    name: String,
    shots: usize,
    documents: Vec<Document>,
}

pub fn run(arguments: &Eval) -> Result<(), CliError> {
    let tasks = tasks(arguments)?;
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load(&arguments.source)?;
    let model = causal(&loaded, "evaluation")?;
    let documents: Vec<Document> = tasks.iter().flat_map(|task| task.documents.iter().cloned()).collect();
    let requests = requests(&documents, &loaded.tokenizer, model)?;
    progress.label("scoring");
    let scores =
        Engine::default().score(model, &requests, |p| progress.share(p.done as f64 / p.total.max(1) as f64))?;
    progress.finish();

    let mut scores = scores.as_slice();
    let mut outcomes = documents.iter().map(|document| {
        let (own, rest) = scores.split_at(document.continuations.len());
        scores = rest;
        Outcome::new(document, own)
    });
    let mut lines = Vec::new();
    let mut samples = Vec::new();
    for task in &tasks {
        let own: Vec<Outcome> = outcomes.by_ref().take(task.documents.len()).collect();
        lines.push(Line {
            task: task.name.clone(),
            shots: task.shots,
            documents: own.len(),
            acc: accuracy(&own),
            acc_norm: normalized_accuracy(&own),
        });
        samples.extend(own);
    }
    print(&lines)?;
    if let Some(file) = &arguments.json {
        let json = serde_json::json!({ "model": loaded.source, "precision": loaded.precision, "results": lines });
        write_whole(file, format!("{json:#}\n").as_bytes())?;
    }
    if let Some(file) = &arguments.samples {
        write_samples(file, &samples)?;
    }
    Ok(())
}

fn tasks(arguments: &Eval) -> Result<Vec<Loaded>, CliError> {
    let mut tasks = Vec::new();
    for file in &arguments.task {
        if file.as_os_str() == "builtin" {
            tasks.extend(builtin()?);
        } else {
            let (task, documents) = Task::read(file, arguments.shots)?;
            tasks.push(Loaded { name: task.task, shots: task.num_fewshot, documents });
        }
    }
    for task in &mut tasks {
        task.documents.truncate(arguments.limit.unwrap_or(usize::MAX));
        if task.documents.is_empty() {
            return Err(CliError::Request(format!("task `{}`: --limit leaves no documents", task.name)));
        }
    }
    Ok(tasks)
}

fn builtin() -> Result<Vec<Loaded>, CliError> {
    let variants = generate(&SuiteConfig::default())?;
    let tasks = variants.into_iter().map(|variant| {
        let documents = variant.items.iter().enumerate().map(|(doc, item)| Document {
            task: variant.name.clone(),
            doc,
            context: item.context.clone(),
            continuations: item.choices.clone(),
            gold: item.gold,
        });
        Loaded { documents: documents.collect(), name: variant.name, shots: 0 }
    });
    Ok(tasks.collect())
}

fn print(lines: &[Line]) -> Result<(), CliError> {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .flat_map(|line| {
            [("acc", line.acc), ("acc_norm", line.acc_norm)].map(|(metric, estimate)| {
                vec![
                    line.task.clone(),
                    line.shots.to_string(),
                    metric.to_owned(),
                    format!("{:.4}", estimate.value),
                    format!("± {:.4}", estimate.stderr),
                ]
            })
        })
        .collect();
    output::table(&["task", "n-shot", "metric", "value", "stderr"], &rows)
}

fn write_samples(file: &Path, samples: &[Outcome]) -> Result<(), CliError> {
    let mut text = String::new();
    for sample in samples {
        text += &serde_json::to_string(sample).map_err(|error| CliError::Request(error.to_string()))?;
        text.push('\n');
    }
    Ok(write_whole(file, text.as_bytes())?)
}
