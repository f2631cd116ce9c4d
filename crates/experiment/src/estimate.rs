//! What a plan will do, before it does it.

use crate::run::{Identity, Opened, samples};
use crate::tasks::{self, Made, Task};
use crate::training::{self, Lessons, Trainer};
use crate::{Cell, Compression, ExperimentError, Options, Plan};
use junkdna_backend::{CausalLm, TokenTree};
use junkdna_difficulty::power::{AssumedOrdering, Wanted, items_needed, power};
use junkdna_difficulty::suite::{Item, Variant, estimate_tokens};
use junkdna_difficulty::{Claim, JudgeConfig, Series};
use junkdna_eval::{Encoded, Engine};
use junkdna_model::{Loaded, Model};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Tokens scored to measure how fast that goes.
const MEASURED_TOKENS: usize = 1024;

/// Bytes of a cell for each answer, about.
const BYTES_PER_ANSWER: usize = 160;

/// Simulated studies behind a power.
const SIMULATIONS: usize = 200;

/// What the power analysis assumes where no dense model was asked yet: chance-corrected scores from easy to hard, a mean
/// relative drop, and its rise from the easiest to the hardest level.
const ASSUMED: (f64, f64, f64, f64) = (0.8, 0.4, 0.35, 0.3);

/// What a plan will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// A line a model.
    pub models: Vec<ModelEstimate>,
    /// Bytes of the cells that are to be written, about.
    pub disk: usize,
    /// How likely the verdicts are to find what is assumed.
    pub power: Vec<PowerEstimate>,
    /// What could be better.
    pub warnings: Vec<String>,
}

/// One model's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelEstimate {
    /// The model.
    pub model: String,
    /// All cells.
    pub cells: usize,
    /// Those that are finished.
    pub finished: usize,
    /// Compressed models of which cells are missing.
    pub compressions: usize,
    /// Task variants.
    pub variants: usize,
    /// Tokens to score.
    pub tokens: usize,
    /// Tokens a second, as measured by earlier cells or just now; none without the model.
    pub tokens_per_second: Option<f64>,
    /// Seconds, scoring and, where earlier cells tell it, compressing.
    pub seconds: Option<f64>,
}

/// The power for one claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerEstimate {
    /// The claim.
    pub claim: Claim,
    /// What is assumed, in words.
    pub assumed: String,
    /// The share of simulated studies that support it.
    pub power: f64,
    /// Questions of each variant with which it is 0.9; none where a thousand are not enough.
    pub items_needed: Option<usize>,
}

/// Looks at a plan without computing any of its cells. `with_model` loads the models, to count tokens as they do and to measure
/// speed; without, tokens are estimated and every cell counts as missing.
///
/// # Errors
/// Whatever would stop a run before its first cell.
pub fn estimate(plan: &Plan, options: &Options, with_model: bool) -> Result<Estimate, ExperimentError> {
    let wrong = |problem| ExperimentError::Plan { path: options.out.clone(), problem };
    let compressions = plan.compressions().map_err(wrong)?;
    let mut models = Vec::new();
    let mut variants = Vec::new();
    for name in plan.model.all() {
        let (estimate, asked) = match with_model {
            _ if plan.training.is_some() => of_training(plan, name, options, &compressions, with_model)?,
            true => of_model(plan, name, options, &compressions)?,
            false => without_model(plan, name, options, &compressions)?,
        };
        models.push(estimate);
        variants = asked;
    }
    let answers: usize = variants.iter().map(|variant| variant.items.len()).sum::<usize>() / variants.len().max(1);
    let missing: usize = models.iter().map(|model| model.cells - model.finished).sum();
    let power = power_of(plan, &variants, &compressions)?;
    let warnings = warnings(plan, &variants, &compressions, &power);
    Ok(Estimate { models, disk: missing * answers * BYTES_PER_ANSWER, power, warnings })
}

fn of_model(
    plan: &Plan,
    name: &str,
    options: &Options,
    compressions: &[Compression],
) -> Result<(ModelEstimate, Vec<Variant>), ExperimentError> {
    let opened = Opened::new(name, &options.cache)?;
    let prepared = opened.prepare(plan)?;
    let identity = Identity { checksum: opened.checksum, device: options.device.to_string() };
    let loaded = Loaded::from_resolved(opened.resolved, &options.device.open()?)?;
    let Model::Llama(model) = &loaded.model else {
        return Err(ExperimentError::NotCausal { model: name.to_owned(), work: "scoring" });
    };
    let samples = samples(plan, &loaded, model.vocab_size())?;
    let state = state(options, &identity, compressions, &prepared.tasks, &samples)?;
    let speed = match state.speed() {
        None if state.tokens > 0 => Some(measure(model, &prepared.tasks)?),
        speed => speed,
    };
    let estimate = ModelEstimate {
        model: name.to_owned(),
        cells: state.cells,
        finished: state.finished,
        compressions: state.compressions,
        variants: prepared.tasks.len(),
        tokens: state.tokens,
        tokens_per_second: speed,
        seconds: speed
            .map(|speed| state.tokens as f64 / speed + state.compressing())
            .or((state.tokens == 0).then_some(0.0)),
    };
    Ok((estimate, prepared.tasks.into_iter().map(|task| task.variant).collect()))
}

fn without_model(
    plan: &Plan,
    name: &str,
    options: &Options,
    compressions: &[Compression],
) -> Result<(ModelEstimate, Vec<Variant>), ExperimentError> {
    let Made { variants, dense_only, .. } = tasks::variants(plan, estimate_tokens)?;
    let wanted = |compression: &Compression| {
        let part = |at: &usize| options.wants(compression, &variants[*at].name, dense_only.contains(at));
        (0..variants.len()).filter(part).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<usize>> = compressions.iter().map(wanted).collect();
    let texts = |variant: &Variant| -> usize {
        let item = |item: &Item| {
            estimate_tokens(&item.context) + item.choices.iter().map(|choice| estimate_tokens(choice)).sum::<usize>()
        };
        variant.items.iter().map(item).sum()
    };
    let estimate = ModelEstimate {
        model: name.to_owned(),
        cells: rows.iter().flatten().count(),
        finished: 0,
        compressions: rows.iter().filter(|row| !row.is_empty()).count(),
        variants: variants.len(),
        tokens: rows.iter().flatten().map(|&at| texts(&variants[at])).sum(),
        tokens_per_second: None,
        seconds: None,
    };
    Ok((estimate, variants))
}

/// A plan with training: cells that are there tell how fast it goes.
fn of_training(
    plan: &Plan,
    name: &str,
    options: &Options,
    compressions: &[Compression],
    with_model: bool,
) -> Result<(ModelEstimate, Vec<Variant>), ExperimentError> {
    let lessons = Lessons::read(plan)?;
    let wrong = |problem| ExperimentError::Plan { path: options.out.clone(), problem };
    let training = plan.training.as_ref().ok_or_else(|| wrong("training: there is none".to_owned()))?;
    let models = training::models(compressions, &training.modes().map_err(wrong)?);
    let mut found = vec![vec![vec![None; plan.seeds.len()]; lessons.variants.len()]; models.len()];
    let loaded = match with_model {
        true => {
            let opened = Opened::new(name, &options.cache)?;
            let identity = Identity { checksum: opened.checksum, device: options.device.to_string() };
            Some((Loaded::from_resolved(opened.resolved, &options.device.open()?)?, identity))
        }
        false => None,
    };
    if let Some((loaded, identity)) = &loaded {
        let Model::Bert(encoder) = &loaded.model else {
            return Err(ExperimentError::NotEncoder { model: name.to_owned() });
        };
        let samples = samples(plan, loaded, encoder.config().vocab_size)?;
        let (seeds, masks) = (plan.seeds.as_slice(), BTreeMap::new());
        let trainer = Trainer { plan: training, seeds, options, identity, loaded, encoder, samples: &samples, masks };
        found = trainer.find(&lessons, &models)?;
    }
    let mut estimate = ModelEstimate {
        model: name.to_owned(),
        cells: 0,
        finished: 0,
        compressions: 0,
        variants: lessons.variants.len(),
        tokens: 0,
        tokens_per_second: None,
        seconds: None,
    };
    let (mut measured, mut seconds) = (0, 0.0);
    for (lesson, (row, model)) in
        lessons.iter().flat_map(|lesson| found.iter().zip(&models).map(move |pair| (lesson, pair)))
    {
        let [learned, asked] = lesson.estimated_tokens(estimate_tokens);
        let trains = model.mode.is_some() || *model.compression == Compression::Dense;
        for (&seed, cell) in plan.seeds.iter().zip(&row[lesson.variant]) {
            if !training::wants(options, &lessons, lesson, model, seed) {
                continue;
            }
            estimate.cells += 1;
            match cell {
                Some(cell) => {
                    estimate.finished += 1;
                    measured += if trains { cell.cost.tokens } else { 0 };
                    seconds += if trains { cell.cost.training + cell.cost.scoring } else { 0.0 };
                }
                None => {
                    estimate.compressions += 1;
                    estimate.tokens += asked + if trains { learned * training.recipe.epochs } else { 0 };
                }
            }
        }
    }
    estimate.tokens_per_second = (seconds > 0.0).then(|| measured as f64 / seconds);
    let all_done = (estimate.tokens == 0).then_some(0.0);
    estimate.seconds = estimate.tokens_per_second.map(|speed| estimate.tokens as f64 / speed).or(all_done);
    Ok((estimate, lessons.variants))
}

/// Which cells are there, and what they took.
#[derive(Default)]
struct State {
    cells: usize,
    finished: usize,
    compressions: usize,
    tokens: usize,
    measured_tokens: usize,
    measured_seconds: f64,
    compressing: Vec<f64>,
}

impl State {
    fn speed(&self) -> Option<f64> {
        (self.measured_seconds > 0.0).then(|| self.measured_tokens as f64 / self.measured_seconds)
    }

    /// As long as earlier compressions took, for each that is left.
    fn compressing(&self) -> f64 {
        let mean = self.compressing.iter().sum::<f64>() / self.compressing.len().max(1) as f64;
        mean * self.compressions as f64
    }
}

fn state(
    options: &Options,
    identity: &Identity,
    compressions: &[Compression],
    tasks: &[Task],
    samples: &[TokenTree],
) -> Result<State, ExperimentError> {
    let mut state = State::default();
    for compression in compressions {
        let mut missing: Vec<&Encoded> = Vec::new();
        for task in tasks.iter().filter(|task| options.wants(compression, &task.variant.name, task.dense_only)) {
            state.cells += 1;
            match Cell::find(&identity.spec(compression, samples, task), &options.cells())? {
                Some(cell) => {
                    state.finished += 1;
                    state.measured_tokens += cell.cost.tokens;
                    state.measured_seconds += cell.cost.scoring;
                    state.compressing.push(cell.cost.compressing);
                }
                None => missing.extend(task.requests.iter().flatten()),
            }
        }
        state.compressions += usize::from(!missing.is_empty());
        state.tokens += tasks::tokens(missing.into_iter());
    }
    Ok(state)
}

/// Tokens a second on some of the plan's own requests.
fn measure(model: &junkdna_model::Llama, tasks: &[Task]) -> Result<f64, ExperimentError> {
    let mut requests: Vec<Encoded> = Vec::new();
    for encoded in tasks.iter().flat_map(|task| task.requests.iter().flatten()) {
        if tasks::tokens(requests.iter()) >= MEASURED_TOKENS {
            break;
        }
        requests.push(encoded.clone());
    }
    let started = Instant::now();
    Engine::default().score(model, &requests, |_| {})?;
    Ok(tasks::tokens(requests.iter()) as f64 / started.elapsed().as_secs_f64().max(1e-9))
}

/// Families of variants of one name.
fn families(variants: &[Variant]) -> Vec<&[Variant]> {
    variants.chunk_by(|a, b| a.family == b.family).collect()
}

fn power_of(
    plan: &Plan,
    variants: &[Variant],
    compressions: &[Compression],
) -> Result<Vec<PowerEstimate>, ExperimentError> {
    let config = JudgeConfig { permutations: 200, seed: plan.seed(), ..JudgeConfig::default() };
    let mut graded: Vec<(usize, usize)> = families(variants)
        .into_iter()
        .filter(|family| !plan.human_gap.iter().any(|gap| gap.name == family[0].family))
        .map(|family| (family.len(), family.iter().map(|variant| variant.items.len()).min().unwrap_or(0)))
        .collect();
    graded.extend(plan.human_gap.iter().map(|gap| {
        let tasks = variants.iter().filter(|variant| variant.family == gap.name).count() / 2;
        (gap.levels, gap.items * tasks / gap.levels.max(1))
    }));
    graded.retain(|&(levels, _)| levels >= config.min_levels);
    let magnitude: Vec<&Compression> =
        compressions.iter().filter(|compression| compression.series() == Some(Series::Magnitude)).collect();
    let mut sparsities: Vec<f64> = magnitude.iter().map(|compression| compression.strength()).collect();
    sparsities.retain(|&sparsity| sparsity > 0.0);
    let Some((levels, items)) = graded.iter().copied().min_by_key(|&(_, items)| items) else { return Ok(Vec::new()) };
    if sparsities.is_empty() || items == 0 {
        return Ok(Vec::new());
    }
    let (easy, hard, mean_drop, effect) = ASSUMED;
    let dense = (0..levels).map(|level| easy + (hard - easy) * level as f64 / (levels - 1) as f64);
    // The simulation's drop is proportional to sparsity: the strongest must not lose more than there is.
    let most = sparsities.iter().copied().fold(0.0, f64::max);
    let mean = sparsities.iter().sum::<f64>() / sparsities.len() as f64;
    let scale = (mean / most / (mean_drop + effect / 2.0)).min(1.0);
    let assumed = AssumedOrdering {
        families: graded.len(),
        items,
        choices: variants.iter().flat_map(|v| &v.items).map(|item| item.choices.len()).max().unwrap_or(4).max(2),
        dense: dense.collect(),
        sparsities,
        seeds: 1,
        mean_drop: mean_drop * scale,
        effect: effect * scale,
    };
    let words = format!(
        "{} families of {levels} levels, dense scores from {easy} to {hard} above chance, {:.0} % lost on average, \
         {:.0} % more on the hardest than on the easiest level",
        graded.len(),
        assumed.mean_drop * 100.0,
        assumed.effect * 100.0
    );
    let planted = assumed.plant()?;
    let of = |claim: Claim| {
        let series = Series::Magnitude;
        let found = power(&planted, claim, &series, &config, SIMULATIONS, 0)?.value();
        let wanted = Wanted { claim, series: &series, power: 0.9, most_items: 1000 };
        let needed = match found < 0.9 {
            true => items_needed(&planted, wanted, &config, SIMULATIONS, 0)?.map(|needed| needed.items),
            false => Some(items),
        };
        Ok(PowerEstimate { claim, assumed: words.clone(), power: found, items_needed: needed })
    };
    [Claim::DropGrowsWithSparsity, Claim::HarderTasksDropMore].into_iter().map(of).collect()
}

fn warnings(plan: &Plan, variants: &[Variant], compressions: &[Compression], power: &[PowerEstimate]) -> Vec<String> {
    let config = JudgeConfig::default();
    let mut warnings = Vec::new();
    for family in families(variants).into_iter().filter(|f| !plan.human_gap.iter().any(|g| g.name == f[0].family)) {
        let name = &family[0].family;
        if family.len() < config.min_levels {
            let (levels, needed) = (family.len(), config.min_levels);
            warnings.push(format!("{name}: {levels} levels, the verdict on difficulty takes {needed} or more"));
        }
        let items = family.iter().map(|variant| variant.items.len()).min().unwrap_or(0);
        if items < config.min_items {
            warnings.push(format!("{name}: {items} questions a level, verdicts take {} or more", config.min_items));
        }
    }
    let of = |series: Series| compressions.iter().filter(move |c| c.series().as_ref() == Some(&series));
    let strengths = |series: Series| {
        let mut strengths: Vec<u64> = of(series).map(|compression| compression.strength().to_bits()).collect();
        strengths.sort_unstable();
        strengths.dedup();
        strengths.len()
    };
    let magnitude = strengths(Series::Magnitude);
    if magnitude > 0 && magnitude < config.min_strengths {
        let needed = config.min_strengths;
        warnings.push(format!("magnitude: {magnitude} sparsities, the verdict on growth takes {needed} or more"));
    }
    if of(Series::Quantization).next().is_none() {
        warnings.push("no quantized model: nothing to contrast pruning with".to_owned());
    }
    if of(Series::Random).next().is_none() {
        warnings.push("no model pruned at random: no control".to_owned());
    } else if of(Series::Random).count() == strengths(Series::Random) {
        warnings.push("random: one seed says nothing about other seeds".to_owned());
    }
    if plan.training.is_some() && plan.seeds.len() < 2 {
        warnings.push("training: one seed says nothing about other seeds".to_owned());
    }
    for low in power.iter().filter(|found| found.power < 0.9) {
        let needed = low.items_needed.map_or("more than 1000".to_owned(), |items| items.to_string());
        let claim = match low.claim {
            Claim::DropGrowsWithSparsity => "the loss grows with sparsity",
            _ => "harder tasks lose more",
        };
        warnings.push(format!("power {:.2} for `{claim}`: 0.9 takes {needed} questions a level", low.power));
    }
    warnings
}

/// The folder of a plan's results where none is named.
pub fn default_folder(plan: &Plan) -> std::path::PathBuf {
    Path::new("results").join(&plan.name)
}
