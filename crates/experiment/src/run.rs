//! Runs a plan, or what is left of it.

use crate::checksum::checksum;
use crate::report::Provenance;
use crate::tasks::{self, Levels, Prepared, Reader, Task};
use crate::training::{self, Lessons, Trainer};
use crate::{
    Answer, Cell, CellSpec, Compressed, Compression, Cost, ExperimentError, Plan, Report, TrainingPlan, write_whole,
};
use crate::{compression::selection, report};
use junkdna_backend::{CausalLm, DeviceName, TokenTree};
use junkdna_eval::{Encoded, Engine, Outcome};
use junkdna_model::{Cache, Llama, Loaded, Model, ModelConfig, Resolved, Source};
use regex::Regex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where and on what a plan is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of results.
    pub out: PathBuf,
    /// The folder of cells, which several experiments may share; `cells` in the folder of results where absent.
    pub cells: Option<PathBuf>,
    /// Only cells whose name, such as `magnitude 0.5 global | facts/options=2`, one of these finds; all where empty.
    pub only: Vec<Regex>,
    /// The device.
    pub device: DeviceName,
    /// Where models that are not files are kept.
    pub cache: Cache,
}

impl Options {
    /// The folder of cells.
    pub fn cells(&self) -> PathBuf {
        self.cells.clone().unwrap_or_else(|| self.out.join("cells"))
    }

    pub(crate) fn wants(&self, compression: &Compression, variant: &str, dense_only: bool) -> bool {
        let dense_only = dense_only && *compression != Compression::Dense;
        !dense_only && self.wants_model(&compression.name(), variant)
    }

    pub(crate) fn wants_model(&self, model: &str, variant: &str) -> bool {
        let name = format!("{model} | {variant}");
        self.only.is_empty() || self.only.iter().any(|pattern| pattern.is_match(&name))
    }
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
    /// What was found, a report a model; none where only a part was run.
    pub reports: Vec<Report>,
    /// The page to look at; none where only a part was run.
    pub page: Option<PathBuf>,
}

/// Runs every cell of a plan that is not finished in the folder of cells, then writes the report.
///
/// Every finished cell is a file of its own: a run that was killed goes on where it was, and a plan with one sparsity more
/// computes the new cells alone. A plan of several models has a folder of results for each. A part of a plan is computed
/// without a report: run the rest, too, for one.
///
/// # Errors
/// Whatever fails, with its place; finished cells stay.
pub fn run(plan: &Plan, options: &Options, mut observe: impl FnMut(Event)) -> Result<Run, ExperimentError> {
    let models = plan.model.all();
    let mut found = Vec::new();
    for name in models {
        let out = if models.len() > 1 { options.out.join(slug(name)) } else { options.out.clone() };
        found.extend(run_model(plan, name, &out, options, &mut observe)?);
    }
    let page = match found.as_slice() {
        [] => None,
        [_] if models.len() == 1 => Some(options.out.join("report.html")),
        _ => Some(report::write_index(&plan.name, &found, &options.out)?),
    };
    Ok(Run { reports: found.into_iter().map(|(report, _)| report).collect(), page })
}

/// A model's name as the name of a folder.
fn slug(model: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    model.trim_matches(['/', '.']).chars().map(plain).collect()
}

/// One model's report and its page; none where only a part was run.
fn run_model(
    plan: &Plan,
    name: &str,
    out: &Path,
    options: &Options,
    observe: &mut dyn FnMut(Event),
) -> Result<Option<(Report, PathBuf)>, ExperimentError> {
    let started = Instant::now();
    let compressions =
        plan.compressions().map_err(|problem| ExperimentError::Plan { path: out.to_owned(), problem })?;
    let device = options.device.open()?;
    observe(Event::Loading(name.to_owned()));
    let opened = Opened::new(name, &options.cache)?;
    if let Some(training) = &plan.training {
        let (levels, provenance) = trained(plan, training, opened, &compressions, options, observe)?;
        let Some(levels) = levels else { return Ok(None) };
        let provenance = Provenance { seconds: started.elapsed().as_secs_f64(), ..provenance };
        return written(plan, provenance, &levels, out).map(Some);
    }
    let prepared = opened.prepare(plan)?;
    let Opened { resolved, checksum, description } = opened;
    let loaded = Loaded::from_resolved(resolved, &device)?;
    let Model::Llama(model) = &loaded.model else {
        return Err(ExperimentError::NotCausal { model: name.to_owned(), work: "scoring" });
    };
    let samples = samples(plan, &loaded, model.vocab_size())?;
    let identity = Identity { checksum, device: options.device.to_string() };
    let mut runner = Runner {
        options,
        cells: options.cells(),
        identity: &identity,
        tasks: &prepared.tasks,
        samples: &samples,
        observe,
    };
    let cells = runner.all(model, &compressions)?;
    if !options.only.is_empty() {
        return Ok(None);
    }
    let levels = tasks::levels(&prepared.tasks, &prepared.gradings, cells)?;
    let provenance = Provenance::new(description, &identity, started.elapsed());
    written(plan, provenance, &levels, out).map(Some)
}

fn written(
    plan: &Plan,
    provenance: Provenance,
    levels: &Levels,
    out: &Path,
) -> Result<(Report, PathBuf), ExperimentError> {
    let report = Report::new(plan, provenance, levels)?;
    let plan_text = toml::to_string(plan).map_err(|error| ExperimentError::Render(error.to_string()))?;
    write_whole(&out.join("plan.toml"), plan_text.as_bytes())?;
    let page = report::write(&report, out)?;
    Ok((report, page))
}

/// Calibration samples, where the plan has some.
pub(crate) fn samples(plan: &Plan, loaded: &Loaded, vocab_size: usize) -> Result<Vec<TokenTree>, ExperimentError> {
    match &plan.calibration {
        Some(calibration) => calibration.read(&loaded.tokenizer, vocab_size),
        None => Ok(Vec::new()),
    }
}

/// The cells of a plan with training; no levels where only a part was asked for.
fn trained(
    plan: &Plan,
    training: &TrainingPlan,
    opened: Opened,
    compressions: &[Compression],
    options: &Options,
    observe: &mut dyn FnMut(Event),
) -> Result<(Option<Levels>, Provenance), ExperimentError> {
    let lessons = Lessons::read(plan)?;
    let Opened { resolved, checksum, description } = opened;
    let name = resolved.source.clone();
    let loaded = Loaded::from_resolved(resolved, &options.device.open()?)?;
    let Model::Bert(encoder) = &loaded.model else { return Err(ExperimentError::NotEncoder { model: name }) };
    training::check_trains(&loaded.model)?;
    let samples = samples(plan, &loaded, encoder.config().vocab_size)?;
    let identity = Identity { checksum, device: options.device.to_string() };
    let modes = training.modes().map_err(|problem| ExperimentError::Plan { path: options.out.clone(), problem })?;
    let models = training::models(compressions, &modes);
    let mut trainer = Trainer {
        plan: training,
        seeds: &plan.seeds,
        options,
        identity: &identity,
        loaded: &loaded,
        encoder,
        samples: &samples,
        masks: BTreeMap::new(),
    };
    let mut found = trainer.find(&lessons, &models)?;
    trainer.complete(&lessons, &models, &mut found, observe)?;
    let whole =
        |grid: Vec<Vec<Option<Cell>>>| grid.into_iter().map(|row| row.into_iter().flatten().collect()).collect();
    let cells = found.into_iter().map(whole).collect();
    let levels = options.only.is_empty().then_some(Levels { variants: lessons.variants, cells });
    Ok((levels, Provenance::new(description, &identity, std::time::Duration::ZERO)))
}

/// What the cells of one model on one device have in common.
pub(crate) struct Identity {
    pub checksum: String,
    pub device: String,
}

impl Identity {
    pub(crate) fn spec(&self, compression: &Compression, samples: &[TokenTree], task: &Task) -> CellSpec {
        CellSpec::new(&self.checksum, &self.device, compression, samples, &task.variant)
    }
}

/// A model found, before its weights are read.
pub(crate) struct Opened {
    pub resolved: Resolved,
    pub checksum: String,
    pub description: String,
}

impl Opened {
    pub(crate) fn new(name: &str, cache: &Cache) -> Result<Self, ExperimentError> {
        let source: Source = name.parse()?;
        let resolved = source.resolve(cache)?;
        let description = resolved.description();
        let checksum = checksum(resolved.checkpoint.location())?;
        Ok(Self { resolved, checksum, description })
    }

    /// Every variant of a plan for this model.
    pub(crate) fn prepare(&self, plan: &Plan) -> Result<Prepared, ExperimentError> {
        let context = match &self.resolved.config {
            ModelConfig::Llama(config) => config.max_position_embeddings,
            _ => return Err(ExperimentError::NotCausal { model: self.resolved.source.clone(), work: "scoring" }),
        };
        tasks::prepare(plan, Reader { tokenizer: &self.resolved.tokenizer, context })
    }
}

struct Runner<'a> {
    options: &'a Options,
    cells: PathBuf,
    identity: &'a Identity,
    tasks: &'a [Task],
    samples: &'a [TokenTree],
    observe: &'a mut dyn FnMut(Event),
}

impl Runner<'_> {
    /// The cells of every compression, `[compression][task]`; none where none is wanted.
    fn all(&mut self, model: &Llama, compressions: &[Compression]) -> Result<Vec<Vec<Option<Cell>>>, ExperimentError> {
        let mut found: Vec<Vec<Option<Cell>>> = compressions.iter().map(|c| self.find(c)).collect::<Result<_, _>>()?;
        let missing: Vec<Vec<usize>> =
            compressions.iter().zip(&found).map(|(compression, row)| self.missing(compression, row)).collect();
        let finished = found.iter().flatten().flatten().count();
        let cells = finished + missing.iter().flatten().count();
        let left = missing.iter().filter(|row| !row.is_empty()).count();
        (self.observe)(Event::Planned { finished, cells, models: left });
        let mut done = 0;
        for ((compression, missing), row) in compressions.iter().zip(missing).zip(&mut found) {
            if !missing.is_empty() {
                self.complete(model, compression, &missing, row, |share| (done as f64 + share) / left as f64)?;
                done += 1;
            }
        }
        Ok(found)
    }

    fn find(&self, compression: &Compression) -> Result<Vec<Option<Cell>>, ExperimentError> {
        let find = |task: &Task| match self.options.wants(compression, &task.variant.name, task.dense_only) {
            true => Cell::find(&self.identity.spec(compression, self.samples, task), &self.cells),
            false => Ok(None),
        };
        self.tasks.iter().map(find).collect()
    }

    fn missing(&self, compression: &Compression, row: &[Option<Cell>]) -> Vec<usize> {
        let wanted = |&index: &usize| {
            let task = &self.tasks[index];
            row[index].is_none() && self.options.wants(compression, &task.variant.name, task.dense_only)
        };
        (0..row.len()).filter(wanted).collect()
    }

    /// Compresses the model and fills in the cells that are missing.
    fn complete(
        &mut self,
        model: &Llama,
        compression: &Compression,
        missing: &[usize],
        row: &mut [Option<Cell>],
        overall: impl Fn(f64) -> f64,
    ) -> Result<(), ExperimentError> {
        (self.observe)(Event::Compressing(compression.name()));
        let started = Instant::now();
        let (model, compressed) = compression.apply(model.clone(), &selection(), self.samples, |_| {})?;
        let compressing = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let requests: Vec<Encoded> =
            missing.iter().flat_map(|&i| self.tasks[i].requests.iter().flatten().cloned()).collect();
        let scores = Engine::default().score(&model, &requests, |progress| {
            (self.observe)(Event::Scored(overall(progress.done as f64 / progress.total.max(1) as f64)));
        })?;
        let scoring = started.elapsed().as_secs_f64();
        let tokens: Vec<usize> = missing.iter().map(|&i| self.tasks[i].tokens()).collect();
        let all_tokens = tokens.iter().sum::<usize>().max(1) as f64;
        let mut scores = scores.as_slice();
        for (&index, tokens) in missing.iter().zip(tokens) {
            let task = &self.tasks[index];
            let mut answers = Vec::with_capacity(task.documents.len());
            for (document, item) in task.documents.iter().zip(&task.variant.items) {
                let (own, rest) = scores.split_at(document.continuations.len());
                scores = rest;
                answers.push(Answer::new(&item.id, item.form, &Outcome::new(document, own)));
            }
            let cell = Cell {
                spec: self.identity.spec(compression, self.samples, task),
                effective_bits: compressed.effective_bits(),
                sparsity: match &compressed {
                    Compressed::Pruned { mask, .. } => mask.sparsity(),
                    Compressed::Unchanged | Compressed::Quantized { .. } => 0.0,
                },
                cost: Cost { tokens, scoring: scoring * tokens as f64 / all_tokens, compressing, training: 0.0 },
                answers,
            };
            cell.save(&self.cells)?;
            row[index] = Some(cell);
        }
        Ok(())
    }
}
