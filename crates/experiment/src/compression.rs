//! One way to make a model smaller.

use crate::ExperimentError;
use burn::module::{Module, ParamGroup};
use junkdna_backend::{Seed, Selection};
use junkdna_difficulty::Series;
use junkdna_prune::{Magnitude, Mask, Pruner, Random, Scope, Score, Target, Ties};
use junkdna_quant::{RoundToNearest, Scheme, Summary};
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
        score: PruneScore,
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

/// The score of a pruning method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum PruneScore {
    /// |w|.
    Magnitude,
    /// A draw for each weight.
    Random {
        /// Of the draws.
        seed: u64,
    },
}

/// A method of quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantizer {
    /// Round to nearest.
    Rtn,
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

impl PruneScore {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 2] = [
        ("magnitude", "the smallest |w| go (Han et al. 2015)"),
        ("random", "weights go at random, by seed: the control"),
    ];

    /// The method of a name.
    ///
    /// # Errors
    /// A sentence that lists the names.
    pub fn by_name(name: &str, seed: u64) -> Result<Self, String> {
        match name {
            "magnitude" => Ok(Self::Magnitude),
            "random" => Ok(Self::Random { seed }),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Magnitude => "magnitude",
            Self::Random { .. } => "random",
        }
    }

    fn score(self) -> Box<dyn Score> {
        match self {
            Self::Magnitude => Box::new(Magnitude),
            Self::Random { seed } => Box::new(Random { seed: Seed(seed) }),
        }
    }
}

impl Quantizer {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 1] = [("rtn", "each weight to the nearest code, min-max range")];

    /// The method of a name.
    ///
    /// # Errors
    /// A sentence that lists the names.
    pub fn by_name(name: &str) -> Result<Self, String> {
        match name {
            "rtn" => Ok(Self::Rtn),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
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
            Self::Prune { score: PruneScore::Random { seed }, target, scope } => {
                format!("random {target} {scope} seed {seed}")
            }
            Self::Prune { score, target, scope } => format!("{} {target} {scope}", score.name()),
            Self::Quantize { quantizer: Quantizer::Rtn, scheme } => format!("rtn {scheme}"),
        }
    }

    /// The line of the report it is a point of; `None` for the dense model.
    pub fn series(&self) -> Option<Series> {
        match self {
            Self::Dense => None,
            Self::Prune { target, score, .. } => Some(match score {
                _ if target.contains(':') => Series::Other(format!("{} N:M", score.name())),
                PruneScore::Magnitude => Series::Magnitude,
                PruneScore::Random { .. } => Series::Random,
            }),
            Self::Quantize { .. } => Some(Series::Quantization),
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

    /// The module compressed, and what was done.
    ///
    /// # Errors
    /// A target that is no sparsity or pattern, weights that are not finite, inputs that a group does not divide.
    pub fn apply<M: Module>(&self, module: M, selection: &Selection) -> Result<(M, Compressed), ExperimentError> {
        match self {
            Self::Dense => Ok((module, Compressed::Unchanged)),
            Self::Prune { score, target, scope } => {
                let target: Target = target.parse()?;
                // As published: whatever is at most the threshold goes, or numbers on quantized checkpoints, where
                // magnitudes repeat, would not be those of other implementations.
                let pruner = Pruner::new(score.score())
                    .with_scope(*scope)
                    .with_ties(Ties::All)
                    .with_selection(selection.clone());
                let (module, mask) = pruner.prune(module, target)?;
                Ok((module, Compressed::Pruned(mask)))
            }
            Self::Quantize { quantizer: Quantizer::Rtn, scheme } => {
                let (module, summary) = RoundToNearest::new(*scheme).quantize_module(module, selection)?;
                Ok((module, Compressed::Quantized(summary)))
            }
        }
    }
}

/// The share of weights that a target removes.
fn sparsity(target: &str) -> Option<f64> {
    match target.parse::<Target>().ok()? {
        Target::Unstructured(sparsity) => Some(sparsity.value()),
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
