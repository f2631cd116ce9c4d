//! One way to make a model smaller.

use crate::ExperimentError;
use burn::module::{Module, ParamGroup};
use junkdna_backend::calibration::Order;
use junkdna_backend::{Blocks, Selection, TokenTree};
use junkdna_difficulty::Series;
use junkdna_prune::{Mask, Scope};
use junkdna_quant::{Quantized, QuantizedModule, Scheme, Summary};
use pruning::{Pruning, sparsity};
use quantization::Quantization;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod allocation;
mod pruning;
mod quantization;
mod rounding;
mod text_loss;

pub use allocation::Allocation;
pub use pruning::PruneMethod;
pub use quantization::{GridRange, QuantizeOptions, Quantizer, Width};
pub use rounding::GridRounding;
pub use text_loss::TextLoss;

/// Bits in which an uncompressed weight is shipped, for sizes.
pub(crate) const SHIPPED_BITS: f64 = 16.0;

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
        /// How much goes where.
        #[serde(default, skip_serializing_if = "Allocation::is_uniform")]
        allocation: Allocation,
        /// To what SparseGPT rounds what it keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rounding: Option<Scheme>,
        /// Whether linears see what is pruned before them in their own block.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        true_sequential: bool,
    },
    /// Fewer bits.
    Quantize {
        /// How codes are chosen.
        quantizer: Quantizer,
        /// The codes.
        scheme: Scheme,
        /// What else is asked of the method.
        #[serde(default, skip_serializing_if = "QuantizeOptions::is_default")]
        options: QuantizeOptions,
    },
}

/// What compression did.
#[derive(Debug, Clone)]
pub enum Compressed {
    /// Nothing.
    Unchanged,
    /// Removed weights.
    Pruned {
        /// What it keeps.
        mask: Mask,
        /// The codes that the kept weights were rounded to, where they were.
        codes: Option<Scheme>,
    },
    /// Rounded the weights.
    Quantized {
        /// What that did to each.
        summary: Summary,
        /// The codes, by parameter path.
        weights: BTreeMap<String, Quantized>,
        /// In how many bits the weights' inputs are read, where not as they are.
        input_bits: Option<u8>,
    },
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
            Self::Prune { method, target, scope, allocation, rounding, true_sequential } => {
                let mut name = format!("{} {target} {scope}", method.name());
                if !allocation.is_uniform() {
                    name += &format!(" {allocation}");
                }
                if let PruneMethod::Random { seed } = method {
                    name += &format!(" seed {seed}");
                }
                if *true_sequential {
                    name += " true-sequential";
                }
                if let Some(scheme) = rounding {
                    name += &format!(", {scheme}");
                }
                name
            }
            Self::Quantize { quantizer, scheme, options } => format!("{} {scheme}{options}", quantizer.name()),
        }
    }

    /// The line of the report it is a point of; `None` for the dense model.
    pub fn series(&self) -> Option<Series> {
        match self {
            Self::Dense => None,
            Self::Prune { target, method, allocation, true_sequential, .. } => Some(match method {
                _ if !allocation.is_uniform() => Series::Other(format!("{} {allocation}", method.name())),
                _ if *true_sequential => Series::Other(format!("{} true-sequential", method.name())),
                _ if target.contains(':') => Series::Other(format!("{} N:M", method.name())),
                _ if target.contains('@') => Series::Other(format!("{} blocks", method.name())),
                PruneMethod::Magnitude => Series::Magnitude,
                PruneMethod::Random { .. } => Series::Random,
                _ => Series::Other(method.name().to_owned()),
            }),
            Self::Quantize { quantizer: Quantizer::Rtn, options, .. } if options.is_default() => {
                Some(Series::Quantization)
            }
            Self::Quantize { quantizer, options, .. } => Some(Series::Other(format!("{}{options}", quantizer.name()))),
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
        match self {
            // Scales are computed with as they are stored, in 16 bits.
            Self::Quantize { .. } => METHOD_VERSION + 1,
            // Kept weights are counted in the bits of their codes.
            Self::Prune { rounding: Some(_), .. } => METHOD_VERSION + 1,
            _ => METHOD_VERSION,
        }
    }

    /// Whether it goes by what the weights multiply.
    pub fn needs_calibration(&self) -> bool {
        match self {
            Self::Dense => false,
            Self::Prune { method, .. } => method.needs_calibration(),
            Self::Quantize { quantizer, .. } => quantizer.needs_calibration(),
        }
    }

    /// The module compressed, and what was done. `samples` are for methods that need calibration; `progress` hears the
    /// share that is done, 0 to 1.
    ///
    /// # Errors
    /// A target that is no sparsity or pattern, weights that are not finite, inputs that a group does not divide, missing
    /// samples.
    pub fn apply<M: Module + Blocks + TextLoss>(
        &self,
        module: M,
        selection: &Selection,
        samples: &[TokenTree],
        progress: impl FnMut(f64),
    ) -> Result<(M, Compressed), ExperimentError> {
        match self {
            Self::Dense => Ok((module, Compressed::Unchanged)),
            Self::Prune { method, target, scope, allocation, rounding, true_sequential } => {
                let (target, codes) = (target.parse()?, *rounding);
                let work = Pruning {
                    selection,
                    samples,
                    target,
                    scope: *scope,
                    allocation,
                    rounding: codes.map(|scheme| GridRounding { scheme }),
                    order: order(*true_sequential),
                };
                let (module, mask) = work.by(*method, module, progress)?;
                Ok((module, Compressed::Pruned { mask, codes }))
            }
            Self::Quantize { quantizer, scheme, options } => {
                let work = Quantization { selection, samples, scheme: *scheme, options };
                let QuantizedModule { module, weights, summary } = work.by(*quantizer, module, progress)?;
                Ok((module, Compressed::Quantized { summary, weights, input_bits: options.activations }))
            }
        }
    }
}

fn order(true_sequential: bool) -> Order {
    match true_sequential {
        true => Order::TrueSequential,
        false => Order::Block,
    }
}

/// A series in words.
pub(crate) fn series_name(series: &Series) -> String {
    match series {
        Series::Magnitude => "magnitude".into(),
        Series::Random => "random".into(),
        Series::Quantization => "round to nearest".into(),
        Series::Other(name) => name.clone(),
    }
}

/// What of an encoder is compressed: the linear layers of the blocks.
pub(crate) fn encoder_selection() -> Selection {
    Selection::of(ParamGroup::from_predicate("encoder.layer"))
}

fn names(methods: &[(&str, &str)]) -> String {
    methods.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ")
}
