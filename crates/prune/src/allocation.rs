//! How much goes where.

mod by_path;
mod erdos_renyi;
mod owl;

pub use owl::{Grouping, Owl};

use crate::{PruneError, Scope, Score, Sparsity, WeightRef};
use burn::module::{Module, ParamGroup};

/// How an overall sparsity is handed out to the weight matrices, where each competes for itself: in the scopes layer and row, of
/// single weights and of blocks. In the global scope the scores themselves decide.
///
/// Of a matrix of n weights at a sparsity s of its own ⌊n · s⌋ go (of a row, ⌊d_in · s⌋; of b blocks, ⌊b · s⌋), as everywhere.
/// [`ErdosRenyi`](Self::ErdosRenyi) and [`Owl`](Self::Owl) keep Σ n · s at what the overall sparsity asks for: what goes falls
/// short of it by less than one weight (or block) per matrix or row. Rounding down, and not to meet the total exactly, is what
/// keeps masks nested: every matrix's sparsity rises with the overall one. It is rounded to twelve decimals, for 1 − 0.9 to be
/// 0.1.
#[derive(Debug, Clone, Default)]
pub enum Allocation {
    /// The same sparsity everywhere.
    #[default]
    Uniform,
    /// The share that stays is proportional to (d_in + d_out) / (d_in · d_out), so large matrices lose more: the Erdős–Rényi
    /// graph of Mocanu et al. 2018 (arXiv 1707.04780). The Erdős–Rényi kernel of Evci et al. 2020 (arXiv
    /// 1911.11134) adds the sizes of convolution kernels; for matrices it is the same. Where more than everything would stay,
    /// everything stays, and the others make up for it, as in the code of Evci et al.
    ErdosRenyi,
    /// Less goes from layers with more outlying scores (Yin et al. 2024).
    Owl(Owl),
    /// The sparsities of groups of parameters; the first group that holds a weight counts, and a weight that none holds goes by
    /// the overall sparsity. The total is whatever comes of that.
    ByPath(Vec<(ParamGroup, Sparsity)>),
}

impl Allocation {
    /// The sparsity of each of `weights` for each overall sparsity in `by`: `[weight][sparsity]`.
    pub(crate) fn sparsities<M: Module>(
        &self,
        module: &M,
        score: &dyn Score,
        weights: &[WeightRef<'_>],
        by: &[Sparsity],
    ) -> Result<Vec<Vec<Sparsity>>, PruneError> {
        match self {
            Self::Uniform => Ok(vec![by.to_vec(); weights.len()]),
            Self::ErdosRenyi => {
                let shapes: Vec<_> = weights.iter().map(|w| [w.d_out, w.d_in]).collect();
                for_each(by, weights.len(), |overall| erdos_renyi::sparsities(&shapes, overall))
            }
            Self::Owl(owl) => {
                let deviations = owl.deviations(score, weights)?;
                for_each(by, weights.len(), |overall| owl.sparsities(&deviations, overall))
            }
            Self::ByPath(rules) => {
                let given = by_path::given(module, rules, weights)?;
                Ok(given.into_iter().map(|given| by.iter().map(|&s| given.unwrap_or(s)).collect()).collect())
            }
        }
    }

    /// Whether this says how much goes where in this scope.
    pub(crate) fn check_scope(&self, scope: Scope) -> Result<(), PruneError> {
        match (self, scope) {
            (Self::Uniform, _) | (_, Scope::Layer | Scope::Row) => Ok(()),
            (_, Scope::Global) => Err(self.refused(
                "in scope global all weights compete and the scores decide how much goes where: use scope layer or row",
            )),
        }
    }

    /// An N:M pattern leaves nothing to hand out.
    pub(crate) fn check_pattern(&self) -> Result<(), PruneError> {
        match self {
            Self::Uniform => Ok(()),
            _ => Err(self.refused("an N:M pattern fixes how much goes everywhere: use uniform")),
        }
    }

    fn refused(&self, reason: &str) -> PruneError {
        PruneError::InvalidAllocation { allocation: self.name(), reason: reason.into() }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::ErdosRenyi => "erdos-renyi",
            Self::Owl(_) => owl::NAME,
            Self::ByPath(_) => by_path::NAME,
        }
    }
}

/// `[weight][sparsity]` of what a rule makes of each overall sparsity.
fn for_each(by: &[Sparsity], weights: usize, rule: impl Fn(f64) -> Vec<f64>) -> Result<Vec<Vec<Sparsity>>, PruneError> {
    let mut sparsities = vec![Vec::with_capacity(by.len()); weights];
    for overall in by {
        for (of_weight, sparsity) in sparsities.iter_mut().zip(rule(overall.value())) {
            of_weight.push(rounded(sparsity)?);
        }
    }
    Ok(sparsities)
}

/// To twelve decimals; never everything.
fn rounded(sparsity: f64) -> Result<Sparsity, PruneError> {
    const DECIMALS: f64 = 1e12;
    const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
    Sparsity::new(((sparsity * DECIMALS).round() / DECIMALS).clamp(0.0, BELOW_ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_undoes_what_floats_do() {
        let value = |sparsity| rounded(sparsity).unwrap().value();
        assert_eq!((value(1.0 - 0.9), value(1.0 - 0.7), value(-1e-17)), (0.1, 0.3, 0.0));
        assert_eq!(rounded(1.0).unwrap().count(1000), 999, "something always stays");
        assert!(rounded(f64::NAN).is_err());
    }
}
