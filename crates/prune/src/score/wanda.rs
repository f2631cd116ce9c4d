use super::{Score, WeightRef};
use crate::PruneError;
use std::collections::BTreeMap;
use std::ops::Range;

/// |W_ij| · ‖X_j‖₂ (Sun et al. 2023, *A Simple and Effective Pruning Approach for Large Language Models*, arXiv 2306.11695,
/// equation 1): a weight matters as much as what it multiplies. The paper lets the weights of one output compete
/// ([`Scope::Row`](crate::Scope::Row)).
#[derive(Debug, Clone, Default)]
pub struct Wanda {
    norms: BTreeMap<String, Vec<f32>>,
}

impl Wanda {
    /// From the norm of each input over the calibration tokens, `[d_in]`, by parameter path.
    pub fn new(norms: BTreeMap<String, Vec<f32>>) -> Self {
        Self { norms }
    }
}

impl Score for Wanda {
    fn name(&self) -> &'static str {
        "wanda"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let norms = norms_of(&self.norms, weight, self.name())?;
        for (run, row) in weight.rows(range) {
            let values = &weight.values[row.flat];
            for ((score, w), norm) in scores[run].iter_mut().zip(values).zip(&norms[row.inputs]) {
                *score = w.abs() * norm;
            }
        }
        Ok(())
    }
}

/// The norms of a weight's inputs, as many as it has.
pub(super) fn norms_of<'a>(
    norms: &'a BTreeMap<String, Vec<f32>>,
    weight: &WeightRef<'_>,
    score: &'static str,
) -> Result<&'a [f32], PruneError> {
    let refused = |reason| PruneError::NoScore { score, path: weight.path.into(), reason };
    let norms = norms.get(weight.path).ok_or_else(|| refused("its inputs were not observed".into()))?;
    match norms.len() == weight.d_in {
        true => Ok(norms),
        false => Err(refused(format!("{} norms for {} inputs", norms.len(), weight.d_in))),
    }
}
