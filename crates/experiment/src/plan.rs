//! What an experiment is to do.

use crate::{Allocation, Calibration, Compression, ExperimentError, PruneMethod, QuantizeOptions, Quantizer};
use junkdna_difficulty::suite::SuiteConfig;
use junkdna_prune::{Scope, Target};
use junkdna_quant::Granularity;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An experiment as its TOML file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name, and that of its folder of results.
    pub name: String,
    /// The model, as after `--model`.
    pub model: String,
    /// The built-in tasks.
    #[serde(default)]
    pub suite: SuiteConfig,
    /// Text for the methods that need calibration.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// The compressed versions to compare with the dense model.
    pub compression: Vec<Grid>,
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
        #[serde(default = "one_seed")]
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
        let text =
            std::fs::read_to_string(path).map_err(|source| ExperimentError::Io { path: path.to_owned(), source })?;
        let wrong = |problem: String| ExperimentError::Plan { path: path.to_owned(), problem };
        let plan: Self = toml::from_str(&text).map_err(|error| wrong(place(&text, &error)))?;
        plan.check().map_err(wrong)?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(is_plain) || self.name.starts_with('.') {
            return Err(format!("name is `{}`; letters, digits, `-`, `_` and `.` are expected", self.name));
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

    /// Every compression, the dense model first.
    ///
    /// # Errors
    /// A sentence that names the value that is wrong.
    pub fn compressions(&self) -> Result<Vec<Compression>, String> {
        let mut all = vec![Compression::Dense];
        for (index, grid) in self.compression.iter().enumerate() {
            let place = |problem: String| format!("compression {}: {problem}", index + 1);
            all.extend(grid.expand().map_err(place)?);
        }
        if all.len() == 1 {
            return Err("no compression; give at least one [[compression]]".into());
        }
        Ok(all)
    }
}

impl Grid {
    fn expand(&self) -> Result<Vec<Compression>, String> {
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
                    };
                    random.expand(PruneMethod::Random { seed: *seed })
                };
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
        let prune = |target: String| {
            target.parse::<Target>().map_err(|error| error.to_string())?;
            Ok(Compression::Prune { method, target, scope, allocation: self.allocation.clone(), rounding: None })
        };
        self.sparsity.iter().map(f64::to_string).chain(self.pattern.iter().cloned()).map(prune).collect()
    }
}

/// The message of a TOML error in one line, with the line it is about.
fn place(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().map(str::trim).collect::<Vec<_>>().join(" ");
    match error.span() {
        Some(span) => format!("line {}: {message}", text[..span.start.min(text.len())].matches('\n').count() + 1),
        None => message,
    }
}
