//! The cells of a plan with training.

use super::lessons::digest;
use super::{Classification, Lesson, Lessons, mask_tensors};
use crate::compression::encoder_selection;
use crate::run::{Event, Identity, Options};
use crate::{
    Answer, Cell, CellSpec, Compressed, Compression, Cost, ExperimentError, PruneMethod, TrainingPlan, TrainingSpec,
};
use burn::tensor::{Device, Tensor};
use junkdna_backend::{Seed, TokenTree};
use junkdna_difficulty::suite::Variant;
use junkdna_finetune::data::Dataset;
use junkdna_finetune::{Checkpoints, FinetuneError, Metrics, Mode, Objective, Recipe, finish, prepare, train};
use junkdna_model::{Bert, Loaded, Model, Source};
use junkdna_prune::Mask;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Rises whenever training gives other numbers than before.
const TRAINING_VERSION: u32 = 1;

/// One compressed model: a compression, and how the pruned model trains; none where the trained dense model is compressed.
pub(crate) struct TrainedModel<'a> {
    pub compression: &'a Compression,
    pub mode: Option<Mode>,
}

/// All models of a plan, the dense one first: those compressed after training, then, mode by mode, those pruned before it.
/// Pruning at random is the control of what pruning takes, and is not trained.
pub(crate) fn models<'a>(compressions: &'a [Compression], modes: &[Mode]) -> Vec<TrainedModel<'a>> {
    let control = |c: &Compression| matches!(c, Compression::Prune { method: PruneMethod::Random { .. }, .. });
    let pruned: Vec<&Compression> =
        compressions.iter().filter(|c| matches!(c, Compression::Prune { .. }) && !control(c)).collect();
    let before = compressions.iter().map(|compression| TrainedModel { compression, mode: None });
    let after = modes.iter().flat_map(|&mode| pruned.iter().map(move |&compression| (compression, mode)));
    before.chain(after.map(|(compression, mode)| TrainedModel { compression, mode: Some(mode) })).collect()
}

/// Whether a cell is one of those that are asked for.
pub(crate) fn wants(options: &Options, lessons: &Lessons, lesson: &Lesson, model: &TrainedModel, seed: u64) -> bool {
    let mode = model.mode.map_or_else(String::new, |mode| format!(", {mode}"));
    let name = format!("{}{mode}, seed {seed}", model.compression.name());
    options.wants_model(&name, &lessons.variants[lesson.variant].name)
}

/// Trains, compresses, and asks.
pub(crate) struct Trainer<'a> {
    pub plan: &'a TrainingPlan,
    pub seeds: &'a [u64],
    pub options: &'a Options,
    pub identity: &'a Identity,
    /// With the encoder as it was pre-trained.
    pub loaded: &'a Loaded,
    pub encoder: &'a Bert,
    pub samples: &'a [TokenTree],
    /// What pruning the pre-trained encoder removes, by the compression's name, once it is known.
    pub masks: BTreeMap<String, Mask>,
}

/// Cells `[model][variant][seed]`; none where none is wanted.
pub(crate) type Grid = Vec<Vec<Vec<Option<Cell>>>>;

impl Trainer<'_> {
    /// What is finished.
    pub(crate) fn find(&self, lessons: &Lessons, models: &[TrainedModel]) -> Result<Grid, ExperimentError> {
        let mut found: Grid =
            models.iter().map(|_| vec![vec![None; self.seeds.len()]; lessons.variants.len()]).collect();
        for lesson in lessons.iter() {
            for (at, &seed) in self.seeds.iter().enumerate() {
                let examples = digest(&lesson.dataset(seed).train);
                for (row, model) in found.iter_mut().zip(models) {
                    if wants(self.options, lessons, lesson, model, seed) {
                        let spec = self.spec(model, &lessons.variants[lesson.variant], &examples, seed);
                        row[lesson.variant][at] = Cell::find(&spec, &self.options.cells())?;
                    }
                }
            }
        }
        Ok(found)
    }

    /// Fills in the cells that are missing.
    pub(crate) fn complete(
        &mut self,
        lessons: &Lessons,
        models: &[TrainedModel],
        found: &mut Grid,
        observe: &mut dyn FnMut(Event),
    ) -> Result<(), ExperimentError> {
        let mut missing = Vec::new();
        for lesson in lessons.iter() {
            for (at, &seed) in self.seeds.iter().enumerate() {
                let wants = |m: usize| wants(self.options, lessons, lesson, &models[m], seed);
                let own: Vec<usize> =
                    (0..models.len()).filter(|&m| found[m][lesson.variant][at].is_none() && wants(m)).collect();
                missing.push((lesson, at, own));
            }
        }
        let left: usize = missing.iter().map(|(_, _, own)| own.len()).sum();
        let finished = found.iter().flatten().flatten().flatten().count();
        observe(Event::Planned { finished, cells: finished + left, models: left });
        let mut done = 0;
        for (lesson, at, own) in missing.into_iter().filter(|(_, _, own)| !own.is_empty()) {
            let mut class = Class::open(self, lesson, &lessons.variants[lesson.variant], self.seeds[at])?;
            for model in own {
                let (name, seed) = (class.spec(self, &models[model]).model_name(), class.seed);
                observe(Event::Compressing(format!("{}: {name}, seed {seed}", class.variant.name)));
                found[model][lesson.variant][at] = Some(class.cell(self, &models[model])?);
                done += 1;
                observe(Event::Scored(done as f64 / left as f64));
            }
        }
        Ok(())
    }

    fn spec(&self, model: &TrainedModel, variant: &Variant, examples: &str, seed: u64) -> CellSpec {
        let Identity { checksum, device } = self.identity;
        let mut spec = CellSpec::new(checksum, device, model.compression, self.samples, variant);
        spec.training = Some(TrainingSpec {
            mode: model.mode.map(|mode| mode.name().to_owned()),
            examples: examples.to_owned(),
            max_length: self.plan.max_length,
            recipe: self.recipe(seed),
            version: TRAINING_VERSION,
        });
        spec
    }

    fn recipe(&self, seed: u64) -> Recipe {
        Recipe { seed, ..self.plan.recipe.clone() }
    }

    /// What a pruning removes of the pre-trained encoder.
    fn mask(&mut self, compression: &Compression) -> Result<Option<Mask>, ExperimentError> {
        let name = compression.name();
        if !self.masks.contains_key(&name) && matches!(compression, Compression::Prune { .. }) {
            let pruned = compression.apply(self.encoder.clone(), &encoder_selection(), self.samples, |_| {})?;
            if let (_, Compressed::Pruned { mask, .. }) = pruned {
                self.masks.insert(name.clone(), mask);
            }
        }
        Ok(self.masks.get(&name).cloned())
    }
}

/// One task variant with one seed: examples as tokens, and the dense model trained on them once it is needed.
struct Class<'a> {
    variant: &'a Variant,
    seed: u64,
    examples: String,
    untrained: Bert,
    task: Classification,
    dense: Option<Bert>,
}

impl<'a> Class<'a> {
    fn open(trainer: &Trainer, lesson: &Lesson, variant: &'a Variant, seed: u64) -> Result<Self, ExperimentError> {
        let dataset: Dataset = lesson.dataset(seed);
        let recipe = trainer.recipe(seed);
        let mut untrained = trainer.encoder.clone().with_head(&dataset.labels(), Seed(seed).derive("head"))?;
        if let Some(dropout) = recipe.dropout {
            untrained = untrained.with_dropout(dropout, dropout);
        }
        let (tokenizer, length) = (&trainer.loaded.tokenizer, trainer.plan.max_length);
        let task = Classification::new(&dataset, &untrained, tokenizer, length, recipe.label_smoothing)?;
        Ok(Self { variant, seed, examples: digest(&dataset.train), untrained, task, dense: None })
    }

    fn spec(&self, trainer: &Trainer, model: &TrainedModel) -> CellSpec {
        trainer.spec(model, self.variant, &self.examples, self.seed)
    }

    /// Trains, or takes the dense model that was trained, asks, and keeps what was answered.
    fn cell(&mut self, trainer: &mut Trainer, model: &TrainedModel) -> Result<Cell, ExperimentError> {
        let spec = self.spec(trainer, model);
        let started = Instant::now();
        let mask = trainer.mask(model.compression)?;
        let masking = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let (asked, training, compressed) = match (model.mode, mask) {
            (Some(mode), Some(mask)) => {
                let prepared = prepare(self.untrained.clone(), mode, &mask_tensors(&mask, &self.untrained.device()))?;
                let trained = self.train(trainer, prepared, &spec)?;
                (trained, started.elapsed().as_secs_f64(), Compressed::Pruned { mask, codes: None })
            }
            (_, mask) => {
                let (dense, training) = self.dense(trainer)?;
                let (model, compressed) = match mask {
                    Some(mask) => (mask.apply(dense)?, Compressed::Pruned { mask, codes: None }),
                    None => model.compression.apply(dense, &encoder_selection(), trainer.samples, |_| {})?,
                };
                (model, if spec.compression == Compression::Dense { training } else { 0.0 }, compressed)
            }
        };
        let compressing = masking + (started.elapsed().as_secs_f64() - training).max(0.0);
        let started = Instant::now();
        let answers = self.answers(&asked);
        let [trained_on, asked_about] = self.task.tokens();
        let cell = Cell {
            effective_bits: match model.mode {
                // All weights are there again.
                Some(Mode::DenseFrozen | Mode::SparseToDense) => Compressed::Unchanged.effective_bits(),
                _ => compressed.effective_bits(),
            },
            sparsity: match (&compressed, model.mode) {
                (Compressed::Pruned { mask, .. }, None | Some(Mode::Sparse)) => mask.sparsity(),
                _ => 0.0,
            },
            cost: Cost {
                tokens: asked_about + if training > 0.0 { trained_on * trainer.plan.recipe.epochs } else { 0 },
                scoring: started.elapsed().as_secs_f64(),
                compressing,
                training,
            },
            answers,
            spec,
        };
        cell.save(&trainer.options.cells())?;
        forget(&checkpoints(trainer, &cell.spec))?;
        Ok(cell)
    }

    fn answers(&self, model: &Bert) -> Vec<Answer> {
        let answer = |(item, loglikelihood): (&junkdna_difficulty::suite::Item, Vec<f64>)| {
            let mut answer = Answer {
                id: item.id.clone(),
                gold: item.gold,
                loglikelihood,
                greedy: None,
                correct: false,
                correct_normalized: false,
            };
            answer.correct = answer.chosen() == Some(item.gold);
            answer.correct_normalized = answer.correct;
            answer
        };
        self.variant.items.iter().zip(self.task.log_probs(model)).map(answer).collect()
    }

    /// The dense model trained, and the seconds that took; kept beside the cells, for what is compressed later.
    fn dense(&mut self, trainer: &Trainer) -> Result<(Bert, f64), ExperimentError> {
        if let Some(dense) = &self.dense {
            return Ok((dense.clone(), 0.0));
        }
        let started = Instant::now();
        let spec = self.spec(trainer, &TrainedModel { compression: &Compression::Dense, mode: None });
        let folder = trainer.options.cells().join("trained").join(spec.key());
        let dense = match kept(&folder, trainer)? {
            Some(dense) => dense,
            None => {
                let dense = self.train(trainer, self.untrained.clone(), &spec)?;
                let loaded = Loaded { model: Model::Bert(dense.clone()), ..trainer.loaded.clone() };
                loaded.save(&folder)?;
                forget(&checkpoints(trainer, &spec))?;
                dense
            }
        };
        self.dense = Some(dense.clone());
        Ok((dense, started.elapsed().as_secs_f64()))
    }

    /// The model after the last step: the validation examples choose nothing.
    fn train(&self, trainer: &Trainer, model: Bert, spec: &CellSpec) -> Result<Bert, ExperimentError> {
        let checkpoints = Checkpoints::new(checkpoints(trainer, spec), spec.key())?;
        let trained = train(model, &Unjudged(&self.task), &trainer.recipe(self.seed), Some(&checkpoints), &mut ())?;
        Ok(finish(trained.last))
    }
}

/// Where an interrupted training goes on from.
fn checkpoints(trainer: &Trainer, spec: &CellSpec) -> PathBuf {
    trainer.options.cells().join("training").join(spec.key())
}

fn forget(folder: &Path) -> Result<(), ExperimentError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FinetuneError::io(folder)(error).into()),
        _ => Ok(()),
    }
}

fn kept(folder: &Path, trainer: &Trainer) -> Result<Option<Bert>, ExperimentError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let resolved = Source::Folder(folder.to_owned()).resolve(&trainer.options.cache)?;
    let device: Device = trainer.encoder.device();
    match Loaded::from_resolved(resolved, &device)?.model {
        Model::Bert(dense) => Ok(Some(dense)),
        Model::Llama(_) => Ok(None),
    }
}

/// Training without evaluations: they would cost as much as the training of a small subset, and decide nothing.
struct Unjudged<'a>(&'a Classification);

impl Objective<Bert> for Unjudged<'_> {
    fn examples(&self) -> usize {
        self.0.examples()
    }

    fn length(&self, example: usize) -> usize {
        self.0.length(example)
    }

    fn loss(&self, model: &Bert, batch: &[usize], noise: Seed) -> Tensor<1> {
        self.0.loss(model, batch, noise)
    }

    fn evaluate(&self, _model: &Bert) -> Metrics {
        Metrics::from([("loss".to_owned(), 0.0)])
    }
}
