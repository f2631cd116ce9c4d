//! Runs a plan, or what is left of it.

use crate::tasks::{self, Task};
use crate::{Answer, Cell, CellSpec, Compressed, Compression, ExperimentError, Plan, Report, write_whole};
use crate::{compression::selection, report};
use junkdna_backend::{CausalLm, DeviceName, TokenTree};
use junkdna_eval::{Encoded, Engine, Outcome};
use junkdna_model::{Cache, Llama, Loaded, Model, Source};
use std::path::PathBuf;
use std::time::Instant;

/// Where and on what a plan is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of results.
    pub out: PathBuf,
    /// The device.
    pub device: DeviceName,
    /// Where models that are not files are kept.
    pub cache: Cache,
}

/// What is going on, for progress bars.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The model is being loaded.
    Loading(String),
    /// So many compressed models are to be scored, after those that were finished before.
    Planned {
        /// Cells that an earlier run finished.
        finished: usize,
        /// All cells.
        cells: usize,
        /// Models to compress and score.
        models: usize,
    },
    /// A model is being compressed.
    Compressing(String),
    /// The share of this run's scoring that is done, 0 to 1.
    Scored(f64),
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// What was found.
    pub report: Report,
    /// The page to look at.
    pub page: PathBuf,
}

/// Runs every cell of a plan that is not finished in the folder of results, then writes the report.
///
/// Every finished cell is a file of its own: a run that was killed goes on where it was.
///
/// # Errors
/// Whatever fails, with its place; finished cells stay.
pub fn run(plan: &Plan, options: &Options, mut observe: impl FnMut(Event)) -> Result<Run, ExperimentError> {
    let started = Instant::now();
    let compressions =
        plan.compressions().map_err(|problem| ExperimentError::Plan { path: options.out.clone(), problem })?;
    let device = options.device.open()?;
    observe(Event::Loading(plan.model.clone()));
    let source: Source = plan.model.parse()?;
    let resolved = source.resolve(&options.cache)?;
    let description = resolved.description();
    let loaded = Loaded::from_resolved(resolved, &device)?;
    let Model::Llama(model) = &loaded.model else {
        return Err(ExperimentError::NotCausal { model: plan.model.clone(), work: "the suite" });
    };
    let tasks = tasks::prepare(&plan.suite, &loaded.tokenizer, model.context_length())?;
    let samples = match &plan.calibration {
        Some(calibration) => calibration.read(&loaded.tokenizer, model.vocab_size())?,
        None => Vec::new(),
    };

    let mut runner =
        Runner { options, description: &description, tasks: &tasks, samples: &samples, observe: &mut observe };
    let cells = runner.all(model, &compressions)?;
    let report = Report::new(plan, &description, &options.device.to_string(), &tasks, &cells, started.elapsed())?;
    let plan_text = toml::to_string(plan).map_err(|error| ExperimentError::Render(error.to_string()))?;
    write_whole(&options.out.join("plan.toml"), plan_text.as_bytes())?;
    let page = report::write(&report, &options.out)?;
    Ok(Run { report, page })
}

struct Runner<'a> {
    options: &'a Options,
    description: &'a str,
    tasks: &'a [Task],
    samples: &'a [TokenTree],
    observe: &'a mut dyn FnMut(Event),
}

impl Runner<'_> {
    /// The cells of every compression, `[compression][task]`.
    fn all(&mut self, model: &Llama, compressions: &[Compression]) -> Result<Vec<Vec<Cell>>, ExperimentError> {
        let mut found: Vec<Vec<Option<Cell>>> = compressions.iter().map(|c| self.find(c)).collect::<Result<_, _>>()?;
        let finished = found.iter().flatten().flatten().count();
        let left = found.iter().filter(|row| row.iter().any(Option::is_none)).count();
        let cells = found.iter().flatten().count();
        (self.observe)(Event::Planned { finished, cells, models: left });
        let mut done = 0;
        for (compression, row) in compressions.iter().zip(&mut found) {
            if row.iter().any(Option::is_none) {
                self.complete(model, compression, row, |share| (done as f64 + share) / left as f64)?;
                done += 1;
            }
        }
        Ok(found.into_iter().map(|row| row.into_iter().flatten().collect()).collect())
    }

    fn find(&self, compression: &Compression) -> Result<Vec<Option<Cell>>, ExperimentError> {
        self.tasks.iter().map(|task| Cell::find(&self.spec(compression, task), &self.options.out)).collect()
    }

    fn spec(&self, compression: &Compression, task: &Task) -> CellSpec {
        CellSpec::new(self.description, &self.options.device.to_string(), compression, self.samples, &task.variant)
    }

    /// Compresses the model and fills in the cells that are missing.
    fn complete(
        &mut self,
        model: &Llama,
        compression: &Compression,
        row: &mut [Option<Cell>],
        overall: impl Fn(f64) -> f64,
    ) -> Result<(), ExperimentError> {
        (self.observe)(Event::Compressing(compression.name()));
        let (model, compressed) = compression.apply(model.clone(), &selection(), self.samples, |_| {})?;
        let missing: Vec<usize> = (0..row.len()).filter(|&i| row[i].is_none()).collect();
        let requests: Vec<Encoded> =
            missing.iter().flat_map(|&i| self.tasks[i].requests.iter().flatten().cloned()).collect();
        let scores = Engine::default().score(&model, &requests, |progress| {
            (self.observe)(Event::Scored(overall(progress.done as f64 / progress.total.max(1) as f64)));
        })?;
        let mut scores = scores.as_slice();
        for index in missing {
            let task = &self.tasks[index];
            let mut answers = Vec::with_capacity(task.documents.len());
            for (document, item) in task.documents.iter().zip(&task.variant.items) {
                let (own, rest) = scores.split_at(document.continuations.len());
                scores = rest;
                answers.push(Answer::new(&item.id, &Outcome::new(document, own)));
            }
            let cell = Cell {
                spec: self.spec(compression, task),
                effective_bits: compressed.effective_bits(),
                sparsity: match &compressed {
                    Compressed::Pruned(mask) => mask.sparsity(),
                    Compressed::Unchanged | Compressed::Quantized { .. } => 0.0,
                },
                answers,
            };
            cell.save(&self.options.out)?;
            row[index] = Some(cell);
        }
        Ok(())
    }
}

impl Answer {
    fn new(id: &str, outcome: &Outcome) -> Self {
        Self {
            id: id.to_owned(),
            gold: outcome.gold,
            correct: outcome.correct(),
            correct_normalized: outcome.correct_normalized(),
            loglikelihood: outcome.loglikelihood.clone(),
        }
    }
}
