use super::load;
use crate::arguments::Finetune;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use burn::module::Module;
use burn::tensor::Device;
use junkdna_backend::{CausalLm, Seed, Selection};
use junkdna_experiment::training::{
    BaseSize, Classification, PruningPlan, Training, TrainingMode, base_size, check_trains, language_modeling,
    mask_tensors, quantized_base, zeros_as_mask,
};
use junkdna_finetune::adapters::{AdapterConfig, Merge, Merged, attach_on, merge, peft};
use junkdna_finetune::{
    Checkpoints, Evaluation, Journal, Mode, Objective, Observer, Recipe, StepReport, Trained, finish, prepare, train,
    train_with_pruning,
};
use junkdna_model::{Bert, Llama, Loaded, Model, Tokenizer};
use junkdna_prune::{Mask, Sparsity};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

pub fn run(mut arguments: Finetune) -> Result<(), CliError> {
    let (recipe, pruning) = recipe(&mut arguments)?;
    check_base(&arguments)?;
    refuse_existing(&arguments.out)?;
    let mut training = Training::read(&arguments.task)?;
    if let Some(count) = arguments.examples {
        training.cut(count, Seed(recipe.seed));
    }
    let pruning = pruning_plan(&mut arguments, pruning, recipe_steps(&recipe, &training))?;
    let progress = Progress::new(&format!("loading {}", arguments.source.model));
    let Loaded { model, tokenizer, source, precision } = load(&arguments.source)?;
    check_trains(&model)?;
    let smoothing = recipe.label_smoothing;
    let (arguments, recipe, training) = (&arguments, &recipe, &training);
    let job = Job { arguments, recipe, training, pruning, tokenizer, source, precision };
    match (model, training) {
        (Model::Bert(model), Training::Labelled(dataset)) => {
            let mut model = model.with_head(&dataset.labels(), Seed(recipe.seed).derive("head"))?;
            if let Some(dropout) = recipe.dropout {
                model = model.with_dropout(dropout, dropout);
            }
            let task = Classification::new(dataset, &model, &job.tokenizer, arguments.max_length, smoothing)?;
            job.run(model, &task, progress)
        }
        (Model::Llama(model), Training::Pairs(pairs)) => {
            if recipe.dropout.is_some_and(|dropout| dropout > 0.0) {
                return Err(CliError::Request("recipe: dropout must be left out, Llama has none".into()));
            }
            let length = arguments.max_length.min(model.context_length());
            let task = language_modeling(pairs, &job.tokenizer, length, smoothing)?;
            job.run(model, &task, progress)
        }
        (Model::Bert(_), Training::Pairs(_)) => Err(job.unfit("prompts with targets train decoders (Llama)")),
        (Model::Llama(_), Training::Labelled(_)) => {
            Err(job.unfit("only encoders (BERT, RoBERTa) are fine-tuned on labelled texts"))
        }
    }
}

/// What the models that train differ in.
trait Trainable: Module {
    /// What PEFT calls the work.
    const PEFT_TASK: &'static str;

    /// The Hugging Face name of a parameter path.
    fn name(&self, path: &str) -> String;

    fn device(&self) -> Device;

    fn into_model(self) -> Model;
}

impl Trainable for Bert {
    const PEFT_TASK: &'static str = "SEQ_CLS";

    fn name(&self, path: &str) -> String {
        self.tensor_name(path)
    }

    fn device(&self) -> Device {
        Bert::device(self)
    }

    fn into_model(self) -> Model {
        Model::Bert(self)
    }
}

impl Trainable for Llama {
    const PEFT_TASK: &'static str = "CAUSAL_LM";

    fn name(&self, path: &str) -> String {
        path.to_owned()
    }

    fn device(&self) -> Device {
        CausalLm::device(self)
    }

    fn into_model(self) -> Model {
        Model::Llama(self)
    }
}

/// One run, whatever trains.
struct Job<'a> {
    arguments: &'a Finetune,
    recipe: &'a Recipe,
    training: &'a Training,
    pruning: Option<PruningPlan>,
    tokenizer: Tokenizer,
    source: String,
    precision: String,
}

impl Job<'_> {
    fn unfit(&self, problem: &str) -> CliError {
        CliError::Request(format!("{}: {problem}", self.source))
    }

    fn run<M: Trainable>(self, model: M, task: &impl Objective<M>, mut progress: Progress) -> Result<(), CliError> {
        let Self { arguments, recipe, training, tokenizer, source, precision, pruning } = self;
        let (model, adapters) = match &pruning {
            Some(_) => (model, None),
            None => with_mode(model, arguments, recipe.seed)?,
        };
        let folder = run_folder(arguments);
        let checkpoints = Checkpoints::new(&folder, identity(arguments, recipe, training, pruning.as_ref()))?;
        let step = checkpoints.last()?.map_or(0, |last| last.progress().step);
        progress.label(&training_label(arguments, training, step));
        let journal = Journal::open(&folder, step).map_err(junkdna_finetune::FinetuneError::io(&folder))?;
        let mut watcher = Watcher { progress, journal, from: step };
        let trained = match pruning {
            None => train(model, task, recipe, Some(&checkpoints), &mut watcher)?,
            Some(plan) => {
                let mut pruning = plan.with_seed(Seed(recipe.seed));
                train_with_pruning(model, task, recipe, &mut pruning, Some(&checkpoints), &mut watcher)?
            }
        };
        let Trained { best, evaluations, .. } = trained;
        watcher.progress.label(&format!("writing {}", arguments.out.display()));
        let (model, merged) = written(best, adapters.as_ref().map(|adapters| &adapters.config), arguments)?;
        let sparsity = Mask::of_zeros(&model, &Selection::default())?.sparsity();
        let loaded = Loaded { model: model.into_model(), tokenizer, source, precision };
        loaded.save(&arguments.out)?;
        watcher.progress.finish();
        let base = adapters.and_then(|adapters| adapters.base);
        let outcome = Outcome { metric: task.metric(), evaluations: &evaluations, merged, base, sparsity };
        report(arguments, recipe, training, &loaded.precision, outcome)
    }
}

/// The model with plain weights; its adapters are written before where that is asked for.
fn written<M: Trainable>(
    model: M,
    adapters: Option<&AdapterConfig>,
    arguments: &Finetune,
) -> Result<(M, Option<Merged>), CliError> {
    let Some(config) = adapters else { return Ok((finish(model), None)) };
    if let Some(folder) = &arguments.adapter.adapter_out {
        let base = peft::Base { model: &arguments.source.model, task: M::PEFT_TASK };
        peft::save(&model, config, base, folder, |path| model.name(path))?;
    }
    let how = if arguments.adapter.keep_mask { Merge::KeepMask } else { Merge::Plain };
    let (model, merged) = merge(model, how);
    Ok((model, Some(merged)))
}

/// The recipe of the file, with what was given besides; a mode that the file names becomes that of the arguments.
fn recipe(arguments: &mut Finetune) -> Result<(Recipe, Option<PruningPlan>), CliError> {
    let (mut recipe, pruning) = match &arguments.recipe {
        None => (Recipe::default(), None),
        Some(file) => {
            let (recipe, mode, pruning) = read_recipe(file)?;
            arguments.mode = arguments.mode.or(mode);
            (recipe, pruning)
        }
    };
    let set = |field: &mut usize, value: Option<usize>| *field = value.unwrap_or(*field);
    set(&mut recipe.epochs, arguments.epochs);
    set(&mut recipe.batch_size, arguments.batch_size);
    set(&mut recipe.checkpoint_every, arguments.checkpoint_every);
    recipe.learning_rate = arguments.learning_rate.unwrap_or(recipe.learning_rate);
    recipe.seed = arguments.seed.unwrap_or(recipe.seed);
    recipe.check()?;
    Ok((recipe, pruning))
}

/// Steps of the whole run.
fn recipe_steps(recipe: &Recipe, training: &Training) -> usize {
    recipe.schedule(training.examples().div_ceil(recipe.batch_size)).steps
}

/// How the model is pruned while it trains, if it is; the mode is `sparse` then.
fn pruning_plan(
    arguments: &mut Finetune,
    of_recipe: Option<PruningPlan>,
    steps: usize,
) -> Result<Option<PruningPlan>, CliError> {
    let plan = match arguments.gradual {
        Some(sparsity) => Some(PruningPlan::cubic(Sparsity::new(sparsity)?, steps)?),
        None => of_recipe,
    };
    if plan.is_some() {
        match arguments.mode {
            None | Some(TrainingMode::Transfer(Mode::Sparse)) => {
                arguments.mode = Some(TrainingMode::Transfer(Mode::Sparse));
            }
            Some(other) => {
                let problem = format!("pruning while training is for mode sparse, not {}", other.name());
                return Err(CliError::Request(problem));
            }
        }
    }
    Ok(plan)
}

/// A recipe and, beside its fields, the `mode` it is for and the table `pruning`.
fn read_recipe(file: &Path) -> Result<(Recipe, Option<TrainingMode>, Option<PruningPlan>), CliError> {
    let text = std::fs::read_to_string(file).map_err(junkdna_finetune::FinetuneError::io(file))?;
    let wrong = |problem: String| {
        let problem = problem.split_whitespace().collect::<Vec<_>>().join(" ");
        CliError::Request(format!("{}: {problem}", file.display()))
    };
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let mode = match table.remove("mode") {
        None => None,
        Some(toml::Value::String(name)) => Some(name.parse().map_err(wrong)?),
        Some(other) => return Err(wrong(format!("mode is {other}: it must be the name of a mode, such as \"lora\""))),
    };
    let pruning = table.remove("pruning").map(toml::Value::try_into).transpose();
    let pruning = pruning.map_err(|error| wrong(format!("pruning: {error}")))?;
    // From the text where that says it all, for its errors name the line.
    let recipe = if mode.is_none() && pruning.is_none() { toml::from_str(&text) } else { table.try_into() };
    Ok((recipe.map_err(|error| wrong(error.to_string()))?, mode, pruning))
}

/// Before hours of training, not after.
fn refuse_existing(out: &Path) -> Result<(), CliError> {
    let is_free = !out.exists() || out.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    let problem = || format!("{}: exists already; name a new folder or remove it", out.display());
    if is_free { Ok(()) } else { Err(CliError::Request(problem())) }
}

/// Codes are for what does not train.
fn check_base(arguments: &Finetune) -> Result<(), CliError> {
    match (arguments.adapter.quantized_base, arguments.mode()) {
        (None, _) | (Some(_), TrainingMode::Lora | TrainingMode::Dora) => Ok(()),
        (Some(_), other) => {
            let problem = format!("--quantized-base is for modes lora and dora, not {}", other.name());
            Err(CliError::Request(problem))
        }
    }
}

/// What trains beside a base, and the base where it is codes.
struct Adapters {
    config: AdapterConfig,
    base: Option<BaseSize>,
}

/// The model with what the mode needs, and its adapters where it has some.
fn with_mode<M: Trainable>(model: M, arguments: &Finetune, seed: u64) -> Result<(M, Option<Adapters>), CliError> {
    match arguments.mode() {
        TrainingMode::Full => Ok((model, None)),
        TrainingMode::Lora | TrainingMode::Dora => {
            let (model, adapters) = with_adapters(model, arguments, seed)?;
            Ok((model, Some(adapters)))
        }
        TrainingMode::Transfer(mode) => {
            let mask = match &arguments.mask {
                Some(file) => Mask::load(file)?,
                None => zeros_as_mask(&model)?,
            };
            let masks = mask_tensors(&mask, &model.device());
            if masks.is_empty() {
                let problem = format!("{}: has no zeros to keep, give --mask FILE", arguments.source.model);
                return Err(CliError::Request(problem));
            }
            Ok((prepare(model, mode, &masks)?, None))
        }
    }
}

fn with_adapters<M: Trainable>(model: M, arguments: &Finetune, seed: u64) -> Result<(M, Adapters), CliError> {
    let given = &arguments.adapter;
    let scheme =
        given.quantized_base.map(|codes| codes.in_groups_of(given.group_size.unwrap_or(GROUP_SIZE))).transpose()?;
    let bases = scheme.map(|scheme| quantized_base(&model, scheme)).transpose()?.unwrap_or_default();
    let (model, config) = match &given.adapter {
        Some(folder) => {
            let names = model.clone();
            peft::load_on(model, folder, &bases, |path| names.name(path))?
        }
        None => {
            let config = adapter_config(arguments);
            (attach_on(model, &config, &bases, Seed(seed).derive("adapters"))?, config)
        }
    };
    let base = scheme.map(|scheme| base_size(&model, &bases, scheme));
    Ok((model, Adapters { config, base }))
}

/// Inputs that share a scale, as in QLoRA's paper.
const GROUP_SIZE: usize = 64;

fn adapter_config(arguments: &Finetune) -> AdapterConfig {
    let given = &arguments.adapter;
    let default = AdapterConfig::default();
    AdapterConfig {
        rank: given.rank,
        alpha: given.alpha,
        rank_stabilized: given.rank_stabilized,
        dora: arguments.mode() == TrainingMode::Dora,
        targets: if given.target.is_empty() { default.targets } else { given.target.clone() },
        trained_whole: default.trained_whole,
    }
}

fn run_folder(arguments: &Finetune) -> PathBuf {
    let beside = || {
        let mut name = arguments.out.file_name().unwrap_or_default().to_owned();
        name.push("-run");
        arguments.out.with_file_name(name)
    };
    arguments.run.clone().unwrap_or_else(beside)
}

/// What a checkpoint must agree on to be gone on from.
fn identity(arguments: &Finetune, recipe: &Recipe, training: &Training, pruning: Option<&PruningPlan>) -> String {
    let mask = arguments.mask.as_ref().map_or("none".into(), |mask| mask.display().to_string());
    let mut recipe = recipe.clone();
    recipe.checkpoint_every = 0; // decides nothing
    [
        format!("model {}", arguments.source.model),
        format!("task {} with {} examples", training.name(), training.examples()),
        format!("mode {}, mask {mask}, max length {}", arguments.mode().name(), arguments.max_length),
        format!("adapters {}", adapters(arguments)),
        format!("pruning {}", serde_json::to_string(&pruning).unwrap_or_default()),
        format!("recipe {}", serde_json::to_string(&recipe).unwrap_or_default()),
    ]
    .join("\n")
}

fn adapters(arguments: &Finetune) -> String {
    let a = &arguments.adapter;
    let base = a.quantized_base.map(|codes| format!(" on {codes:?} {:?}", a.group_size)).unwrap_or_default();
    format!("{:?} {} {} {} {:?}{base}", a.adapter, a.rank, a.alpha, a.rank_stabilized, a.target)
}

fn training_label(arguments: &Finetune, training: &Training, step: usize) -> String {
    let from = if step == 0 { String::new() } else { format!(", from step {step} on") };
    format!("{} on {} ({} examples){from}", arguments.mode().name(), training.name(), training.examples())
}

struct Watcher {
    progress: Progress,
    journal: Journal,
    from: usize,
}

impl Observer for Watcher {
    fn step(&mut self, report: &StepReport) -> io::Result<()> {
        self.journal.step(report)?;
        let (done, all) = (report.step - self.from, report.steps - self.from);
        let state = format!("loss {:.4}  rate {:.2e}", report.loss, report.learning_rate);
        self.progress.state(&state, done as f64 / all.max(1) as f64);
        Ok(())
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> io::Result<()> {
        self.journal.evaluation(evaluation)?;
        let metric = |(name, value): (&String, &f64)| format!("{name} {value:.4}");
        let metrics: Vec<_> = evaluation.metrics.iter().map(metric).collect();
        let best = if evaluation.best { "  (best)" } else { "" };
        self.progress.line(&format!("step {}: {}{best}", evaluation.step, metrics.join("  ")));
        Ok(())
    }
}

/// What came out of a run.
struct Outcome<'a> {
    metric: &'a str,
    evaluations: &'a [Evaluation],
    merged: Option<Merged>,
    base: Option<BaseSize>,
    /// The share of the linears' weights that are zero.
    sparsity: f64,
}

fn report(
    arguments: &Finetune,
    recipe: &Recipe,
    training: &Training,
    precision: &str,
    outcome: Outcome<'_>,
) -> Result<(), CliError> {
    let Outcome { metric, evaluations, merged, base, sparsity } = outcome;
    if arguments.json {
        return output::json(&json!({
            "task": training.name(), "mode": arguments.mode().name(), "metric": metric, "recipe": recipe,
            "precision": precision, "examples": training.examples(), "evaluations": evaluations, "merged": merged,
            "base": base, "sparsity": sparsity,
        }));
    }
    let names: Vec<&String> = evaluations.first().map(|e| e.metrics.keys().collect()).unwrap_or_default();
    let mut header = vec!["epoch", "step"];
    header.extend(names.iter().map(|name| name.as_str()));
    header.push("kept");
    let best = evaluations.iter().rposition(|evaluation| evaluation.best);
    let row = |(index, evaluation): (usize, &Evaluation)| {
        let mut row = vec![format!("{:.2}", evaluation.epoch), evaluation.step.to_string()];
        row.extend(names.iter().map(|name| format!("{:.4}", evaluation.metrics[*name])));
        row.push(if Some(index) == best { "best".into() } else { String::new() });
        row
    };
    let rows: Vec<Vec<String>> = evaluations.iter().enumerate().map(row).collect();
    output::table(&header, &rows)?;
    if sparsity > 0.0 {
        output::line(format!("{:.1} % of the weights of its linears are zero", 100.0 * sparsity))?;
    }
    if let Some(base) = base {
        output::line(base_in_words(&base))?;
    }
    merged.map_or(Ok(()), |merged| output::line(merge_in_words(merged)))
}

fn base_in_words(base: &BaseSize) -> String {
    let BaseSize { scheme, matrices, bytes, float_bytes } = base;
    format!(
        "base of {matrices} matrices, {scheme}: {bytes} bytes in place of {float_bytes}; written as the floats that the codes stand \
         for"
    )
}

fn merge_in_words(merged: Merged) -> String {
    let Merged { matrices, zeros_before, zeros_after } = merged;
    let mask = match (zeros_before, merged.keeps_mask()) {
        (0, _) => String::new(),
        (_, true) => format!("; all {zeros_before} zeros of their bases are kept"),
        (_, false) => format!("; of {zeros_before} zeros of their bases {zeros_after} are left"),
    };
    format!("adapters of {matrices} matrices merged{mask}")
}
