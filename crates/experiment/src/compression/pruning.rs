//! Pruning methods by name.

use super::text_loss::{TextLoss, gradients};
use super::{Allocation, GridRounding, names};
use crate::ExperimentError;
use burn::module::Module;
use junkdna_backend::calibration::{Order, SquaredNorms, observe};
use junkdna_backend::{Blocks, Seed, Selection, TokenTree};
use junkdna_prune::{
    ByNorms, Calibrated, Largest, Magnitude, Mask, PruneError, Pruner, Random, Ria, Scope, Score, SparseGpt, Sparsity,
    Target, Taylor, Ties, Wanda,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A pruning method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum PruneMethod {
    /// |w|.
    Magnitude,
    /// -|w|: the large weights go, as a control.
    Largest,
    /// |w · ∂L/∂w|, L the loss of the calibration samples.
    Taylor,
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

impl PruneMethod {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 7] = [
        ("magnitude", "the smallest |w| go (Han et al. 2015)"),
        ("largest", "the largest |w| go: a control"),
        ("taylor", "the smallest |w * gradient| on text go (Molchanov et al. 2017, SNIP); needs calibration"),
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
            "largest" => Ok(Self::Largest),
            "taylor" => Ok(Self::Taylor),
            "random" => Ok(Self::Random { seed }),
            "wanda" => Ok(Self::Wanda),
            "ria" => Ok(Self::Ria),
            "sparsegpt" => Ok(Self::SparseGpt),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
        }
    }

    /// Whether it goes by what the weights multiply.
    pub fn needs_calibration(self) -> bool {
        matches!(self, Self::Taylor | Self::Wanda | Self::Ria | Self::SparseGpt)
    }

    /// What competes, if nobody says otherwise: what the papers let compete; matrices for themselves where each has a
    /// sparsity of its own.
    pub fn default_scope(self, allocation: &Allocation) -> Scope {
        match self {
            Self::Magnitude | Self::Largest | Self::Taylor | Self::Random { .. } if allocation.is_uniform() => {
                Scope::Global
            }
            Self::Magnitude | Self::Largest | Self::Taylor | Self::Random { .. } => Scope::Layer,
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
            Self::Magnitude | Self::Largest | Self::Taylor | Self::Random { .. } => {
                &[Scope::Global, Scope::Layer, Scope::Row]
            }
            Self::Wanda | Self::Ria => &[Scope::Layer, Scope::Row],
            Self::SparseGpt => &[Scope::Layer],
        };
        if allowed.contains(&scope) {
            return Ok(());
        }
        let allowed: Vec<String> = allowed.iter().map(Scope::to_string).collect();
        Err(format!("{} prunes layer by layer; its scope cannot be {scope}: use {}", self.name(), allowed.join(" or ")))
    }

    /// Whether it prunes block by block, so that linears can see what is pruned before them in their own.
    ///
    /// # Errors
    /// A sentence that says which do.
    pub fn check_true_sequential(self) -> Result<(), String> {
        match self {
            Self::Wanda | Self::Ria | Self::SparseGpt => Ok(()),
            _ => Err(format!("{} looks at no block's inputs: use wanda, ria or sparsegpt", self.name())),
        }
    }

    /// Whether it can round what it keeps.
    ///
    /// # Errors
    /// A sentence that says which can.
    pub fn check_rounding(self) -> Result<(), String> {
        match self {
            Self::SparseGpt => Ok(()),
            _ => Err(format!("{} rounds nothing: use sparsegpt, or quantize the pruned model", self.name())),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Magnitude => "magnitude",
            Self::Largest => "largest",
            Self::Taylor => "taylor",
            Self::Random { .. } => "random",
            Self::Wanda => "wanda",
            Self::Ria => "ria",
            Self::SparseGpt => "sparsegpt",
        }
    }
}

/// What all pruning methods are told.
pub(crate) struct Pruning<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) samples: &'a [TokenTree],
    pub(crate) target: Target,
    pub(crate) scope: Scope,
    pub(crate) allocation: &'a Allocation,
    pub(crate) rounding: Option<GridRounding>,
    pub(crate) order: Order,
}

impl Pruning<'_> {
    pub(crate) fn by<M: Module + Blocks + TextLoss>(
        &self,
        method: PruneMethod,
        module: M,
        progress: impl FnMut(f64),
    ) -> Result<(M, Mask), ExperimentError> {
        match method {
            PruneMethod::Magnitude => self.scored(Magnitude, module),
            PruneMethod::Largest => self.scored(Largest, module),
            PruneMethod::Random { seed } => self.scored(Random { seed: Seed(seed) }, module),
            PruneMethod::Taylor => {
                let gradients = gradients(&module, self.selection, self.samples, progress)?;
                self.scored(Taylor { gradients }, module)
            }
            PruneMethod::Wanda => {
                let method = ByNorms::<Wanda>::default().with_scope(self.scope).with_order(self.order);
                self.calibrated(&method, module, progress)
            }
            PruneMethod::Ria => {
                let method = ByNorms::<Ria>::default().with_scope(self.scope).with_order(self.order);
                self.calibrated(&method, module, progress)
            }
            PruneMethod::SparseGpt => {
                let method = SparseGpt::default().with_order(self.order);
                let method = match self.rounding {
                    Some(rounding) => method.with_rounding(Arc::new(rounding)),
                    None => method,
                };
                self.calibrated(&method, module, progress)
            }
        }
    }

    /// As published: whatever is at most the threshold goes, or numbers on quantized checkpoints, where magnitudes repeat,
    /// would not be those of other implementations.
    fn scored<M: Module>(&self, score: impl Score + 'static, module: M) -> Result<(M, Mask), ExperimentError> {
        let pruner = self.pruner(score)?.with_scope(self.scope).with_ties(Ties::All);
        Ok(pruner.prune(module, self.target)?)
    }

    fn pruner(&self, score: impl Score + 'static) -> Result<Pruner, PruneError> {
        let pruner = Pruner::new(score).with_allocation(self.allocation.to_prune()?);
        Ok(pruner.with_selection(self.selection.clone()))
    }

    fn calibrated<M: Module + Blocks>(
        &self,
        method: &impl Calibrated,
        module: M,
        mut progress: impl FnMut(f64),
    ) -> Result<(M, Mask), ExperimentError> {
        let blocks = module.num_blocks().max(1) as f64;
        let done = |blocks_done: usize| progress(blocks_done as f64 / blocks);
        let own = self.own_sparsities(&module)?;
        let target = |path: &str| own.get(path).map_or(self.target, |&sparsity| with_sparsity(self.target, sparsity));
        Ok(method.prune_blocks(module, self.samples, self.selection, target, done)?)
    }

    /// The sparsities that are not the overall one, by path. Outliers are those of Wanda's score on the dense model, as
    /// where OWL was published with calibrated methods.
    fn own_sparsities<M: Module + Blocks>(&self, module: &M) -> Result<BTreeMap<String, Sparsity>, PruneError> {
        let overall = match (self.allocation, self.target) {
            (Allocation::Uniform, _) => return Ok(BTreeMap::new()),
            (_, Target::Unstructured(sparsity) | Target::Blocks { sparsity, .. }) => sparsity,
            // Refuses.
            (_, Target::NofM(_)) => return self.pruner(Magnitude)?.mask(module, self.target).map(|_| BTreeMap::new()),
        };
        match self.allocation {
            Allocation::Owl(_) => {
                let norms = observe::<M, SquaredNorms>(module, self.samples, self.selection, |_| {});
                let norms = norms.into_iter().map(|(path, statistic)| (path, statistic.norms())).collect();
                self.pruner(Wanda::new(norms))?.sparsities(module, overall)
            }
            _ => self.pruner(Magnitude)?.sparsities(module, overall),
        }
    }
}

/// The same with another sparsity.
fn with_sparsity(target: Target, sparsity: Sparsity) -> Target {
    match target {
        Target::Unstructured(_) => Target::Unstructured(sparsity),
        Target::Blocks { shape, .. } => Target::Blocks { shape, sparsity },
        Target::NofM(pattern) => Target::NofM(pattern),
    }
}

/// The share of weights that a target removes.
pub(crate) fn sparsity(target: &str) -> Option<f64> {
    match target.parse::<Target>().ok()? {
        Target::Unstructured(sparsity) => Some(sparsity.value()),
        Target::Blocks { sparsity, .. } => Some(sparsity.value()),
        Target::NofM(pattern) => Some(pattern.n() as f64 / pattern.m() as f64),
    }
}
