//! The training loop.

use crate::adamw::{AdamW, gradient_norm};
use crate::adapters::{self, Factor};
use crate::checkpoint::{Checkpoint, Checkpoints, Progress};
use crate::objective::is_better;
use crate::observer::{Evaluation, Observer, StepReport};
use crate::order::batches;
use crate::place::in_order;
use crate::pruning::{Matrices, Pruning, by_path, check, forget, masks_of};
use crate::schedule::Schedule;
use crate::transfer::{finish, prepare};
use crate::{FinetuneError, Mode, Objective, Recipe};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use junkdna_backend::{Seed, device_of};

/// A trained module and how it went.
#[derive(Debug)]
pub struct Trained<M> {
    /// After the last step.
    pub last: M,
    /// After the best evaluation.
    pub best: M,
    /// All evaluations.
    pub evaluations: Vec<Evaluation>,
}

/// Trains a module, given off the autodiff device, as the recipe says. With `checkpoints`, a run that was cut off goes on
/// from its last checkpoint, to the same bits.
///
/// # Errors
/// A recipe that makes no sense, no examples, a loss that is not finite, a checkpoint that cannot be read or written or
/// belongs to another run.
pub fn train<M: Module, O: Objective<M>>(
    module: M,
    objective: &O,
    recipe: &Recipe,
    checkpoints: Option<&Checkpoints>,
    observer: &mut dyn Observer,
) -> Result<Trained<M>, FinetuneError> {
    run(Run::new(module, objective, recipe, None, checkpoints)?, observer)
}

/// As [`train`], with masks that change on the way: pruned weights are exactly zero after every step, and so are their
/// moments. Weights that come back start at zero. The module is given plain and comes back with its masks attached, see
/// [`finish`].
///
/// # Errors
/// As [`train`], whatever the pruning returns, and a pruning that is not final at the end of the run.
pub fn train_with_pruning<M: Module, O: Objective<M>>(
    module: M,
    objective: &O,
    recipe: &Recipe,
    pruning: &mut dyn Pruning<M>,
    checkpoints: Option<&Checkpoints>,
    observer: &mut dyn Observer,
) -> Result<Trained<M>, FinetuneError> {
    let masks = pruning.start(&module).map_err(FinetuneError::Pruning)?;
    let module = prepare(module, Mode::Sparse, &masks)?;
    run(Run::new(module, objective, recipe, Some(pruning), checkpoints)?, observer)
}

fn run<M: Module, O: Objective<M>>(
    mut run: Run<'_, M, O>,
    observer: &mut dyn Observer,
) -> Result<Trained<M>, FinetuneError> {
    let recipe = run.recipe;
    while run.progress.epoch < recipe.epochs && !run.stopped() {
        run.epoch(observer)?;
    }
    run.finish()
}

struct Run<'a, M, O> {
    objective: &'a O,
    recipe: &'a Recipe,
    pruning: Option<&'a mut dyn Pruning<M>>,
    checkpoints: Option<&'a Checkpoints>,
    lengths: Vec<usize>,
    schedule: Schedule,
    /// On the autodiff device; away only during a step.
    module: Option<M>,
    best: Option<M>,
    optimizer: AdamW,
    progress: Progress,
}

impl<'a, M: Module, O: Objective<M>> Run<'a, M, O> {
    fn new(
        module: M,
        objective: &'a O,
        recipe: &'a Recipe,
        pruning: Option<&'a mut dyn Pruning<M>>,
        checkpoints: Option<&'a Checkpoints>,
    ) -> Result<Self, FinetuneError> {
        recipe.check()?;
        let lengths: Vec<usize> = (0..objective.examples()).map(|example| objective.length(example)).collect();
        if lengths.is_empty() {
            return Err(FinetuneError::NoExamples);
        }
        let schedule = recipe.schedule(lengths.len().div_ceil(recipe.batch_size));
        if let Some(pruning) = &pruning {
            check(&**pruning, schedule.steps)?;
        }
        let optimizer = AdamW::new(recipe.adamw);
        let module = on_autodiff(in_order(module), recipe.gradient_checkpointing);
        let mut run = Self {
            objective,
            recipe,
            pruning,
            checkpoints,
            lengths,
            schedule,
            module: Some(module),
            best: None,
            optimizer,
            progress: Progress::default(),
        };
        if let Some(checkpoints) = checkpoints {
            run.resume(checkpoints)?;
        }
        Ok(run)
    }

    fn resume(&mut self, checkpoints: &Checkpoints) -> Result<(), FinetuneError> {
        let Some(last) = checkpoints.last()? else { return Ok(()) };
        let best = checkpoints.best()?;
        self.best = best.map(|best| best.restore_module(self.module().valid())).transpose()?;
        let device = device_of(self.module());
        self.optimizer = AdamW::new(self.recipe.adamw).with_state(last.moments(&device.inner())?);
        self.progress = last.progress().clone();
        self.module = Some(last.restore_module(self.module().clone())?);
        Ok(())
    }

    fn module(&self) -> &M {
        self.module.as_ref().expect("every step puts the module back")
    }

    fn stopped(&self) -> bool {
        self.recipe.patience > 0 && self.progress.without_better >= self.recipe.patience
    }

    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<(), FinetuneError> {
        let seed = Seed(self.recipe.seed);
        let batches = batches(&self.lengths, self.recipe.batch_size, self.progress.epoch, seed);
        let groups: Vec<&[Vec<usize>]> = batches.chunks(self.recipe.accumulation).collect();
        while self.progress.step_in_epoch < groups.len() {
            self.step(groups[self.progress.step_in_epoch], groups.len(), observer)?;
            let last = self.progress.step_in_epoch == groups.len();
            if last {
                self.progress.epoch += 1;
                self.progress.step_in_epoch = 0;
            }
            self.after_step(last, groups.len(), observer)?;
            if last || self.stopped() {
                break;
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        group: &[Vec<usize>],
        steps_per_epoch: usize,
        observer: &mut dyn Observer,
    ) -> Result<(), FinetuneError> {
        self.prune(group)?;
        let (loss, gradients) = self.gradients(group)?;
        let norm = gradient_norm(self.module(), &gradients);
        if !norm.is_finite() {
            let (step, epoch) = (self.progress.step + 1, self.progress.epoch + 1);
            return Err(FinetuneError::GradientNotFinite { norm: norm.into(), step, epoch });
        }
        let clip = self.recipe.clip;
        // PyTorch's constant, so that clipped steps agree with it.
        let scale = if clip > 0.0 { (clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let rate = self.schedule.rate(self.progress.step);
        let lora_plus = self.recipe.lora_plus;
        let of_path = |path: &str| if is_b_factor(path) { rate * lora_plus } else { rate };
        // Taken, not cloned: a second owner would make the optimizer copy every weight.
        self.module = self.module.take().map(|module| self.optimizer.step(module, gradients, scale, of_path));
        self.progress.step += 1;
        self.progress.step_in_epoch += 1;
        let report = StepReport {
            step: self.progress.step,
            steps: self.schedule.steps,
            epoch: self.progress.epochs(steps_per_epoch),
            loss,
            learning_rate: rate,
            gradient_norm: f64::from(norm),
        };
        observer.step(&report).map_err(FinetuneError::Observer)
    }

    /// Changes the masks, where it is time to.
    fn prune(&mut self, group: &[Vec<usize>]) -> Result<(), FinetuneError> {
        let step = self.progress.step;
        let Some(pruning) = self.pruning.as_ref().filter(|pruning| pruning.changes(step)) else { return Ok(()) };
        let needs_gradients = pruning.needs_gradients();
        let masked = self.module().valid();
        let now = masks_of(&masked);
        let plain = finish(masked);
        let mut gradients = Matrices::new();
        if needs_gradients {
            self.module = Some(self.ready(plain.clone()));
            gradients = by_path(self.module(), &self.gradients(group)?.1, &now);
        }
        let Some(pruning) = self.pruning.as_mut() else { return Ok(()) };
        let masks = pruning.masks(step, &plain, &now, &gradients).map_err(FinetuneError::Pruning)?;
        forget(&mut self.optimizer, &plain, &masks);
        self.module = Some(self.ready(prepare(plain, Mode::Sparse, &masks)?));
        Ok(())
    }

    /// A module as it trains.
    fn ready(&self, module: M) -> M {
        on_autodiff(in_order(module), self.recipe.gradient_checkpointing)
    }

    /// The mean loss of a step's batches and its gradients.
    fn gradients(&self, group: &[Vec<usize>]) -> Result<(f64, GradientsParams), FinetuneError> {
        let total: f64 = group.iter().map(|batch| self.objective.weight(batch)).sum();
        let noise = Seed(self.recipe.seed).derive("dropout").derive(&self.progress.step.to_string());
        let mut accumulated = GradientsAccumulator::new();
        let mut mean = 0.0;
        for (index, batch) in group.iter().enumerate() {
            let share = self.objective.weight(batch) / total;
            let loss = self.objective.loss(self.module(), batch, noise.derive(&index.to_string()));
            let value = f64::from(loss.clone().into_scalar::<f32>());
            if !value.is_finite() {
                let (step, epoch) = (self.progress.step + 1, self.progress.epoch + 1);
                let batch = self.progress.step_in_epoch * self.recipe.accumulation + index + 1;
                return Err(FinetuneError::NotFinite { value, step, epoch, batch });
            }
            mean += share * value;
            let loss = if group.len() > 1 { loss.mul_scalar(share) } else { loss };
            let gradients = GradientsParams::from_grads(loss.backward(), self.module());
            if group.len() == 1 {
                return Ok((mean, gradients));
            }
            accumulated.accumulate(self.module(), gradients);
        }
        Ok((mean, accumulated.grads()))
    }

    fn after_step(
        &mut self,
        end_of_epoch: bool,
        steps_per_epoch: usize,
        observer: &mut dyn Observer,
    ) -> Result<(), FinetuneError> {
        let every = |steps: usize| match steps {
            0 => end_of_epoch,
            steps => self.progress.step.is_multiple_of(steps) || self.progress.step == self.schedule.steps,
        };
        let (evaluates, saves) = (every(self.recipe.evaluate_every), every(self.recipe.checkpoint_every));
        if evaluates {
            self.evaluate(steps_per_epoch, observer)?;
        }
        match self.checkpoints {
            Some(checkpoints) if saves || evaluates => {
                checkpoints.save_last(&Checkpoint::of(self.module(), &self.optimizer, self.progress.clone())?)
            }
            _ => Ok(()),
        }
    }

    fn evaluate(&mut self, steps_per_epoch: usize, observer: &mut dyn Observer) -> Result<(), FinetuneError> {
        let module = self.module().valid();
        let metrics = self.objective.evaluate(&module);
        if let Some(&value) = metrics.get("loss").filter(|loss| !loss.is_finite()) {
            return Err(FinetuneError::ValidationNotFinite { value, step: self.progress.step });
        }
        let metric = self.recipe.metric.as_deref().unwrap_or(self.objective.metric());
        let value = metrics.get(metric).copied();
        let value = value.ok_or_else(|| FinetuneError::NoMetric {
            metric: metric.into(),
            there: metrics.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        let is_final = self.pruning.as_ref().is_none_or(|pruning| pruning.is_final(self.progress.step));
        let best = is_final && self.progress.best.is_none_or(|best| is_better(metric, value, best));
        if best {
            self.progress.best = Some(value);
            self.progress.without_better = 0;
            if let Some(checkpoints) = self.checkpoints {
                checkpoints.save_best(&Checkpoint::of_module(&module, self.progress.clone())?)?;
            }
            self.best = Some(module);
        } else if is_final {
            self.progress.without_better += 1;
        }
        let (step, epoch) = (self.progress.step, self.progress.epochs(steps_per_epoch));
        let evaluation = Evaluation { step, epoch, metrics, best };
        observer.evaluation(&evaluation).map_err(FinetuneError::Observer)?;
        self.progress.evaluations.push(evaluation);
        Ok(())
    }

    fn finish(self) -> Result<Trained<M>, FinetuneError> {
        let last = self.module().valid();
        let best = self.best.unwrap_or_else(|| last.clone());
        Ok(Trained { last, best, evaluations: self.progress.evaluations })
    }
}

/// The module where it trains. With `recompute`, operations that memory bounds run again in the backward pass, in place of
/// keeping what they gave.
fn on_autodiff<M: Module>(module: M, recompute: bool) -> M {
    let module = module.train();
    match module.devices().into_iter().next() {
        Some(device) if recompute => module.fork(&device.autodiff().gradient_checkpointing()),
        _ => module,
    }
}

/// Whether it is the B of an adapter.
fn is_b_factor(path: &str) -> bool {
    adapters::factor(path).is_some_and(|(_, factor)| factor == Factor::B)
}
