//! One way to make a model smaller.

use crate::ExperimentError;
use burn::module::{Module, ParamGroup};
use junkdna_backend::{Blocks, Seed, Selection, TokenTree};
use junkdna_difficulty::Series;
use junkdna_prune::{
    ByNorms, Calibrated, Magnitude, Mask, PruneError, Pruner, Random, Ria, Scope, Score, SparseGpt, Target, Ties, Wanda,
};
use junkdna_quant::{Gptq, RoundToNearest, Scheme, Summary};
use serde::{Deserialize, Serialize};

/// Bits in which an uncompressed weight is shipped, for sizes.
const SHIPPED_BITS: f64 = 16.0;

/// Rises whenever a method gives other numbers than before: results computed with an older one are not reused.
const METHOD_VERSION: u32 = 1;

/// One compressed version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Compression {
    /// The model as it is.
    Dense,
    /// Weights removed.
    Prune {
        /// What matters.
        #[serde(flatten)]
        method: PruneMethod,
        /// How much goes: a sparsity or an N:M pattern, as text.
        target: String,
        /// What competes.
        scope: Scope,
    },
    /// Fewer bits.
    Quantize {
        /// How codes are chosen.
        quantizer: Quantizer,
        /// The codes.
        scheme: Scheme,
    },
}

/// A pruning method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum PruneMethod {
    /// |w|.
    Magnitude,
    /// A draw for each weight.
    Random {
        /// Of the draws.
        seed: u64,
    },
    /// |w| times the norm of its input, on calibration samples.
    Wanda,
    /// Relative importance and activations, on calibration samples.
    Ria,
    /// Pruned one column after another, and made up for, on calibration samples.
    #[serde(rename = "sparsegpt")]
    SparseGpt,
}

/// A method of quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantizer {
    /// Round to nearest.
    Rtn,
    /// Round column after column, the others making up for it, on calibration samples.
    Gptq,
}

/// What compression did.
#[derive(Debug, Clone)]
pub enum Compressed {
    /// Nothing.
    Unchanged,
    /// Removed what the mask does not keep.
    Pruned(Mask),
    /// Rounded the weights.
    Quantized(Summary),
}

impl PruneMethod {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 5] = [
        ("magnitude", "the smallest |w| go (Han et al. 2015)"),
        ("random", "weights go at random, by seed: the control"),
        ("wanda", "the smallest |w| * input norm of each output go (Sun et al. 2023); needs calibration"),
        ("ria", "relative importance and activations (Zhang et al. 2024); needs calibration"),
        ("sparsegpt", "column after column, the rest makes up for it (Frantar and Alistarh 2023); needs calibration"),
    ];

    /// The method of a name.
    ///
    /// # Errors
    /// A sentence that lists the names.
    pub fn by_name(name: &str, seed: u64) -> Result<Self, String> {
        match name {
            "magnitude" => Ok(Self::Magnitude),
            "random" => Ok(Self::Random { seed }),
            "wanda" => Ok(Self::Wanda),
            "ria" => Ok(Self::Ria),
            "sparsegpt" => Ok(Self::SparseGpt),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
        }
    }

    /// Whether it goes by what the weights multiply.
    pub fn needs_calibration(self) -> bool {
        matches!(self, Self::Wanda | Self::Ria | Self::SparseGpt)
    }

    /// What competes, if nobody says otherwise: what the papers let compete.
    pub fn default_scope(self) -> Scope {
        match self {
            Self::Magnitude | Self::Random { .. } => Scope::Global,
            Self::Wanda | Self::Ria => Scope::Row,
            Self::SparseGpt => Scope::Layer,
        }
    }

    /// Whether weights of this scope can compete.
    ///
    /// # Errors
    /// A sentence that says which scopes can.
    pub fn check_scope(self, scope: Scope) -> Result<(), String> {
        let allowed: &[Scope] = match self {
            Self::Magnitude | Self::Random { .. } => &[Scope::Global, Scope::Layer, Scope::Row],
            Self::Wanda | Self::Ria => &[Scope::Layer, Scope::Row],
            Self::SparseGpt => &[Scope::Layer],
        };
        if allowed.contains(&scope) {
            return Ok(());
        }
        let allowed: Vec<String> = allowed.iter().map(Scope::to_string).collect();
        Err(format!("{} prunes layer by layer; its scope cannot be {scope}: use {}", self.name(), allowed.join(" or ")))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Magnitude => "magnitude",
            Self::Random { .. } => "random",
            Self::Wanda => "wanda",
            Self::Ria => "ria",
            Self::SparseGpt => "sparsegpt",
        }
    }
}

impl Quantizer {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 2] = [
        ("rtn", "each weight to the nearest code, min-max range"),
        ("gptq", "column after column, the rest makes up for it (Frantar et al. 2022); needs calibration"),
    ];

    /// The method of a name.
    ///
    /// # Errors
    /// A sentence that lists the names.
    pub fn by_name(name: &str) -> Result<Self, String> {
        match name {
            "rtn" => Ok(Self::Rtn),
            "gptq" => Ok(Self::Gptq),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rtn => "rtn",
            Self::Gptq => "gptq",
        }
    }
}

fn names(methods: &[(&str, &str)]) -> String {
    methods.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ")
}

/// What an experiment compresses: the linear layers of the blocks, not embeddings, norms, biases or the head.
pub(crate) fn selection() -> Selection {
    Selection::of(ParamGroup::all().exclude(ParamGroup::from_path("lm_head.weight")))
}

impl Compression {
    /// A unique name for people, for example `magnitude 0.5 global`.
    pub fn name(&self) -> String {
        match self {
            Self::Dense => "dense".into(),
            Self::Prune { method: PruneMethod::Random { seed }, target, scope } => {
                format!("random {target} {scope} seed {seed}")
            }
            Self::Prune { method, target, scope } => format!("{} {target} {scope}", method.name()),
            Self::Quantize { quantizer, scheme } => format!("{} {scheme}", quantizer.name()),
        }
    }

    /// The line of the report it is a point of; `None` for the dense model.
    pub fn series(&self) -> Option<Series> {
        match self {
            Self::Dense => None,
            Self::Prune { target, method, .. } => Some(match method {
                _ if target.contains(':') => Series::Other(format!("{} N:M", method.name())),
                _ if target.contains('@') => Series::Other(format!("{} blocks", method.name())),
                PruneMethod::Magnitude => Series::Magnitude,
                PruneMethod::Random { .. } => Series::Random,
                _ => Series::Other(method.name().to_owned()),
            }),
            Self::Quantize { quantizer: Quantizer::Rtn, .. } => Some(Series::Quantization),
            Self::Quantize { quantizer, .. } => Some(Series::Other(quantizer.name().to_owned())),
        }
    }

    /// Rises with compression within a series: the sparsity, or the bits removed of 16.
    pub fn strength(&self) -> f64 {
        match self {
            Self::Dense => 0.0,
            Self::Prune { target, .. } => sparsity(target).unwrap_or_default(),
            Self::Quantize { scheme, .. } => SHIPPED_BITS - f64::from(scheme.bits()),
        }
    }

    /// What decides its numbers beside the model.
    pub(crate) fn version(&self) -> u32 {
        METHOD_VERSION
    }

    /// Whether it goes by what the weights multiply.
    pub fn needs_calibration(&self) -> bool {
        match self {
            Self::Dense => false,
            Self::Prune { method, .. } => method.needs_calibration(),
            Self::Quantize { quantizer, .. } => *quantizer == Quantizer::Gptq,
        }
    }

    /// The module compressed, and what was done. `samples` are for methods that need calibration; `progress` hears the
    /// share that is done, 0 to 1.
    ///
    /// # Errors
    /// A target that is no sparsity or pattern, weights that are not finite, inputs that a group does not divide, missing
    /// samples.
    pub fn apply<M: Module + Blocks>(
        &self,
        module: M,
        selection: &Selection,
        samples: &[TokenTree],
        mut progress: impl FnMut(f64),
    ) -> Result<(M, Compressed), ExperimentError> {
        match self {
            Self::Dense => Ok((module, Compressed::Unchanged)),
            Self::Prune { method, target, scope } => {
                let work = Pruning { selection, samples, target: target.parse()?, scope: *scope };
                let (module, mask) = work.by(*method, module, progress)?;
                Ok((module, Compressed::Pruned(mask)))
            }
            Self::Quantize { quantizer: Quantizer::Rtn, scheme } => {
                let (module, summary) = RoundToNearest::new(*scheme).quantize_module(module, selection)?;
                Ok((module, Compressed::Quantized(summary)))
            }
            Self::Quantize { quantizer: Quantizer::Gptq, scheme } => {
                let blocks = module.num_blocks().max(1) as f64;
                let done = |blocks_done: usize| progress(blocks_done as f64 / blocks);
                let (module, summary) = Gptq::new(*scheme).quantize_blocks(module, samples, selection, done)?;
                Ok((module, Compressed::Quantized(summary)))
            }
        }
    }
}

/// What all pruning methods are told.
struct Pruning<'a> {
    selection: &'a Selection,
    samples: &'a [TokenTree],
    target: Target,
    scope: Scope,
}

impl Pruning<'_> {
    fn by<M: Module + Blocks>(
        &self,
        method: PruneMethod,
        module: M,
        progress: impl FnMut(f64),
    ) -> Result<(M, Mask), PruneError> {
        match method {
            PruneMethod::Magnitude => self.scored(Magnitude, module),
            PruneMethod::Random { seed } => self.scored(Random { seed: Seed(seed) }, module),
            PruneMethod::Wanda => {
                self.calibrated(&ByNorms::<Wanda>::default().with_scope(self.scope), module, progress)
            }
            PruneMethod::Ria => self.calibrated(&ByNorms::<Ria>::default().with_scope(self.scope), module, progress),
            PruneMethod::SparseGpt => self.calibrated(&SparseGpt::default(), module, progress),
        }
    }

    /// As published: whatever is at most the threshold goes, or numbers on quantized checkpoints, where magnitudes repeat,
    /// would not be those of other implementations.
    fn scored<M: Module>(&self, score: impl Score + 'static, module: M) -> Result<(M, Mask), PruneError> {
        let pruner = Pruner::new(score).with_scope(self.scope).with_ties(Ties::All);
        pruner.with_selection(self.selection.clone()).prune(module, self.target)
    }

    fn calibrated<M: Module + Blocks>(
        &self,
        method: &impl Calibrated,
        module: M,
        mut progress: impl FnMut(f64),
    ) -> Result<(M, Mask), PruneError> {
        let blocks = module.num_blocks().max(1) as f64;
        let done = |blocks_done: usize| progress(blocks_done as f64 / blocks);
        method.prune_blocks(module, self.samples, self.selection, |_| self.target, done)
    }
}

/// The share of weights that a target removes.
fn sparsity(target: &str) -> Option<f64> {
    match target.parse::<Target>().ok()? {
        Target::Unstructured(sparsity) => Some(sparsity.value()),
        Target::Blocks { sparsity, .. } => Some(sparsity.value()),
        Target::NofM(pattern) => Some(pattern.n() as f64 / pattern.m() as f64),
    }
}

impl Compressed {
    /// Bits per compressed weight as it would be shipped: half precision for what is kept and one bit of mask for each
    /// weight where weights were removed; codes, scales and zero points where they were quantized.
    pub fn effective_bits(&self) -> f64 {
        match self {
            Self::Unchanged => SHIPPED_BITS,
            Self::Pruned(mask) => SHIPPED_BITS * (1.0 - mask.sparsity()) + 1.0,
            Self::Quantized(summary) => {
                let weights = summary.layers.iter().map(|layer| layer.weights as f64);
                let bits: f64 = summary.layers.iter().map(|l| l.weights as f64 * l.effective_bits).sum();
                bits / weights.sum::<f64>()
            }
        }
    }
}
