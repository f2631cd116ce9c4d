//! What an experiment is to do.

use crate::{Allocation, Calibration, Compression, ExperimentError, PruneMethod, QuantizeOptions, Quantizer};
use junkdna_difficulty::suite::SuiteConfig;
use junkdna_prune::{Scope, Target};
use junkdna_quant::Granularity;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

mod file;
mod tasks;
mod training;

pub use tasks::{GapPlan, GradedPlan, LevelPlan, SourcePlan, TaskPlan};
pub use training::{TrainedTask, TrainingPlan};

/// An experiment as its TOML file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name, and that of its folder of results.
    pub name: String,
    /// The model, or several, as after `--model`.
    #[serde(alias = "models")]
    pub model: Models,
    /// The folder of data files; `$JUNKDNA_DATA_DIR` where absent, or else the plan's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Seeds of all that is random in compression and training, where it does not say others.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Whether the verdicts are to hold for other seeds too: then one seed is an error.
    #[serde(default)]
    pub over_seeds: bool,
    /// The built-in tasks; all of them where the plan names no tasks at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<SuiteConfig>,
    /// Tasks with a knob.
    #[serde(default, rename = "task", skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskPlan>,
    /// Families whose levels are files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graded: Vec<GradedPlan>,
    /// Tasks graded by the human-model gap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub human_gap: Vec<GapPlan>,
    /// Text for the methods that need calibration.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// Training of an encoder, whose tasks then are the only ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingPlan>,
    /// The compressed versions to compare with the dense model.
    pub compression: Vec<Grid>,
}

/// One model or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Models {
    /// One.
    One(String),
    /// Each gets a report of its own.
    Several(Vec<String>),
}

impl Models {
    /// The models in order.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(model) => std::slice::from_ref(model),
            Self::Several(models) => models,
        }
    }
}

/// Several compressions by one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Grid {
    /// Pruning by magnitude.
    Magnitude(Pruned),
    /// Pruning the largest magnitudes.
    Largest(Pruned),
    /// Pruning by weights and their gradients.
    Taylor(Pruned),
    /// Pruning by weights and the norms of their inputs.
    Wanda(Pruned),
    /// Pruning by relative importance and activations.
    Ria(Pruned),
    /// Pruning column after column, the others making up for it.
    #[serde(rename = "sparsegpt")]
    SparseGpt(Pruned),
    /// Pruning at random.
    Random {
        /// Sparsities in [0, 1).
        sparsity: Vec<f64>,
        /// One compressed model each.
        /// The plan's seeds where absent.
        #[serde(default)]
        seeds: Vec<u64>,
        /// What competes.
        #[serde(default)]
        scope: Scope,
    },
    /// Round to nearest.
    Rtn(Codes),
    /// Round column after column, the others making up for it.
    Gptq(Codes),
    /// Scale up the weights of large inputs, and clip.
    Awq(Codes),
    /// Grids for which most weights are nearly exact.
    Hqq(Codes),
    /// Share the spread of inputs between them and the weights.
    #[serde(rename = "smoothquant")]
    SmoothQuant(Codes),
}

/// What a method of quantization is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// Bits of a code, 2 to 8.
    pub bits: Vec<u8>,
    /// Inputs that share a scale; all inputs of an output where absent.
    #[serde(default)]
    pub group_size: Option<usize>,
    /// Whether zero is the middle code.
    #[serde(default)]
    pub symmetric: bool,
    /// What else is asked of the method.
    #[serde(default, skip_serializing_if = "QuantizeOptions::is_default")]
    pub options: QuantizeOptions,
}

/// What a method of pruning is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// Sparsities in [0, 1).
    #[serde(default)]
    pub sparsity: Vec<f64>,
    /// N:M patterns, such as "2:4", or blocks with their sparsity, such as "4x4@0.5".
    #[serde(default)]
    pub pattern: Vec<String>,
    /// What competes; as the method's paper has it where absent.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// How much goes where.
    #[serde(default)]
    pub allocation: Allocation,
    /// Whether linears see what is pruned before them in their own block.
    #[serde(default)]
    pub true_sequential: bool,
}

fn one_seed() -> Vec<u64> {
    vec![41]
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// A file that cannot be read, a key that is unknown or has a wrong value, by name and line.
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        Self::read_with(path, &[])
    }

    /// Reads a plan and replaces values in it: `suite.items=20`, `compression.0.sparsity=[0.5]`.
    ///
    /// # Errors
    /// As [`Plan::read`]; a path that leads nowhere.
    pub fn read_with(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let mut plan = file::read(path, overrides)?;
        plan.locate(path);
        plan.check().map_err(|problem| ExperimentError::Plan { path: path.to_owned(), problem })?;
        Ok(plan)
    }

    /// Makes the paths in a plan independent of where it lies.
    fn locate(&mut self, path: &Path) {
        let own = path.parent().unwrap_or(Path::new("")).to_owned();
        let data = match (self.data.take(), std::env::var_os("JUNKDNA_DATA_DIR")) {
            (Some(folder), _) => own.join(folder),
            (None, Some(folder)) => PathBuf::from(folder),
            (None, None) => own,
        };
        if let Some(calibration) = &mut self.calibration
            && !calibration.file.exists()
        {
            calibration.file = data.join(&calibration.file);
        }
        self.data = Some(data);
    }

    /// The folder of data files.
    pub(crate) fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(""))
    }

    /// The built-in tasks, where they are asked for.
    pub(crate) fn built_in(&self) -> Option<SuiteConfig> {
        let none_named = self.asks_nothing() && self.training.is_none();
        self.suite.clone().or_else(|| none_named.then(SuiteConfig::default))
    }

    fn asks_nothing(&self) -> bool {
        self.tasks.is_empty() && self.graded.is_empty() && self.human_gap.is_empty()
    }

    /// The seed of what the statistics draw.
    pub(crate) fn seed(&self) -> u64 {
        self.suite.as_ref().map_or_else(|| self.seeds.first().copied().unwrap_or(0), |suite| suite.seed)
    }

    fn check(&self) -> Result<(), String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(is_plain) || self.name.starts_with('.') {
            return Err(format!("name is `{}`; letters, digits, `-`, `_` and `.` are expected", self.name));
        }
        if self.model.all().is_empty() {
            return Err("model: none is named".into());
        }
        if self.seeds.is_empty() {
            return Err("seeds: at least one is needed".into());
        }
        self.check_seeds()?;
        self.check_families()?;
        if let Some(training) = &self.training {
            if !self.asks_nothing() || self.suite.is_some() {
                return Err(
                    "training: the tasks are those of [[training.task]]; put others into a plan of their own".into()
                );
            }
            training.check()?;
        }
        let compressions = self.compressions()?;
        let mut names: Vec<String> = compressions.iter().map(Compression::name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("compression `{}` is asked for twice", pair[0]));
        }
        match compressions.iter().find(|c| c.needs_calibration()) {
            Some(c) if self.calibration.is_none() => {
                Err(format!("compression `{}` needs text: give [calibration] with a file", c.name()))
            }
            _ => Ok(()),
        }
    }

    /// What is to hold for other seeds needs several.
    fn check_seeds(&self) -> Result<(), String> {
        let mut seeds = self.seeds.clone();
        seeds.sort_unstable();
        if let Some(pair) = seeds.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("seeds: {} is there twice", pair[0]));
        }
        if self.training.is_some() && self.over_seeds && self.seeds.len() < 2 {
            return Err(
                "training: one seed, and over_seeds asks for verdicts about others too; list several seeds".into()
            );
        }
        let random = self.compression.iter().enumerate().find_map(|(index, grid)| match grid {
            Grid::Random { seeds, .. } if seeds.len().max(usize::from(seeds.is_empty()) * self.seeds.len()) < 2 => {
                Some(index)
            }
            _ => None,
        });
        match random {
            Some(index) if self.over_seeds => Err(format!(
                "compression {}: one seed, and over_seeds asks for verdicts about others too; list several seeds",
                index + 1
            )),
            _ => Ok(()),
        }
    }

    fn check_families(&self) -> Result<(), String> {
        let named = self.tasks.iter().map(|task| &task.name);
        let named = named.chain(self.graded.iter().map(|graded| &graded.name));
        let named = named.chain(self.training.iter().flat_map(|training| &training.tasks).map(|task| &task.name));
        let mut names: Vec<&str> =
            named.chain(self.human_gap.iter().map(|gap| &gap.name)).map(String::as_str).collect();
        let suite = self.suite.iter().flat_map(|suite| &suite.families).map(|family| family.name());
        names.extend(suite);
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("task `{}` is there twice", pair[0])),
            None => Ok(()),
        }
    }

    /// Every compression, the dense model first.
    ///
    /// # Errors
    /// A sentence that names the value that is wrong.
    pub fn compressions(&self) -> Result<Vec<Compression>, String> {
        let mut all = vec![Compression::Dense];
        for (index, grid) in self.compression.iter().enumerate() {
            let place = |problem: String| format!("compression {}: {problem}", index + 1);
            all.extend(grid.expand(&self.seeds).map_err(place)?);
        }
        if all.len() == 1 {
            return Err("no compression; give at least one [[compression]]".into());
        }
        Ok(all)
    }
}

impl Grid {
    fn expand(&self, all_seeds: &[u64]) -> Result<Vec<Compression>, String> {
        let compressions: Vec<Compression> = match self {
            Self::Magnitude(asked) => asked.expand(PruneMethod::Magnitude)?,
            Self::Largest(asked) => asked.expand(PruneMethod::Largest)?,
            Self::Taylor(asked) => asked.expand(PruneMethod::Taylor)?,
            Self::Wanda(asked) => asked.expand(PruneMethod::Wanda)?,
            Self::Ria(asked) => asked.expand(PruneMethod::Ria)?,
            Self::SparseGpt(asked) => asked.expand(PruneMethod::SparseGpt)?,
            Self::Random { sparsity, seeds, scope } => {
                let asked = |seed: &u64| {
                    let random = Pruned {
                        sparsity: sparsity.clone(),
                        pattern: Vec::new(),
                        scope: Some(*scope),
                        allocation: Allocation::Uniform,
                        true_sequential: false,
                    };
                    random.expand(PruneMethod::Random { seed: *seed })
                };
                let seeds = if seeds.is_empty() { all_seeds } else { seeds };
                seeds.iter().map(asked).collect::<Result<Vec<_>, _>>()?.concat()
            }
            Self::Rtn(codes) => codes.expand(Quantizer::Rtn)?,
            Self::Gptq(codes) => codes.expand(Quantizer::Gptq)?,
            Self::Awq(codes) => codes.expand(Quantizer::Awq)?,
            Self::Hqq(codes) => codes.expand(Quantizer::Hqq)?,
            Self::SmoothQuant(codes) => codes.expand(Quantizer::SmoothQuant)?,
        };
        match compressions.is_empty() {
            true => Err("asks for nothing; list sparsities, patterns or bits".into()),
            false => Ok(compressions),
        }
    }
}

impl Codes {
    fn expand(&self, quantizer: Quantizer) -> Result<Vec<Compression>, String> {
        let granularity = self.group_size.map_or(Granularity::Channel, Granularity::Group);
        let quantize = |&bits: &u8| {
            let scheme = quantizer.scheme(bits, self.symmetric, granularity).map_err(|error| error.to_string())?;
            Ok(Compression::Quantize { quantizer, scheme, options: self.options.clone() })
        };
        self.bits.iter().map(quantize).collect()
    }
}

impl Pruned {
    fn expand(&self, method: PruneMethod) -> Result<Vec<Compression>, String> {
        let scope = self.scope.unwrap_or_else(|| method.default_scope(&self.allocation));
        method.check_scope(scope)?;
        if self.true_sequential {
            method.check_true_sequential()?;
        }
        let prune = |target: String| {
            target.parse::<Target>().map_err(|error| error.to_string())?;
            Ok(Compression::Prune {
                method,
                target,
                scope,
                allocation: self.allocation.clone(),
                rounding: None,
                true_sequential: self.true_sequential,
            })
        };
        self.sparsity.iter().map(f64::to_string).chain(self.pattern.iter().cloned()).map(prune).collect()
    }
}
