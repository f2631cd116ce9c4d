//! Outlier-weighed layerwise sparsity.

use crate::{PruneError, Score, WeightRef, select};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

pub(super) const NAME: &str = "owl";

/// Outlier-weighed layerwise sparsity (Yin et al. 2024, *Outlier Weighed Layerwise Sparsity (OWL): A Missing Secret Sauce for
/// Pruning LLMs to High Sparsity*, arXiv 2310.05175): layers with more outliers keep more.
///
/// A layer's outliers are the scores above M times the layer's mean score, D their share (the paper's layerwise outlier
/// distribution, LOD). Its sparsity is S − λ (D − D̄) / max |D − D̄|, D̄ being the mean of D over all weights: affine in D,
/// within S − λ … S + λ, and S on average. The published code stretches the shares to a range of 2λ and centres that, so that
/// its layers may lie further than λ from S. Where S − λ … S + λ leaves 0 … 1, λ is reduced to what fits.
///
/// The score is the [`Pruner`](crate::Pruner)'s: with Wanda's it is the paper's method. "Above the mean" asks for scores that
/// are not negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Owl {
    threshold: f64,
    limit: f64,
    grouping: Grouping,
}

/// Which matrices are one layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// Those whose paths agree up to the first number: `model.layers.3.mlp.up_proj.weight` is in `model.layers.3`, a Transformer
    /// block, as in the paper. A path without a number is a layer of its own.
    #[default]
    Block,
    /// Each for itself.
    Matrix,
}

impl Default for Owl {
    /// M = 5 and λ = 0.08, between blocks: what the paper uses for LLaMA-7B at 70 %.
    fn default() -> Self {
        Self { threshold: 5.0, limit: 0.08, grouping: Grouping::default() }
    }
}

impl Owl {
    /// Outliers are scores above `threshold` (M) times the mean; layers lie up to `limit` (λ) from the overall sparsity.
    ///
    /// # Errors
    /// [`PruneError::InvalidAllocation`] unless 0 < M < ∞ and 0 ≤ λ < 1.
    pub fn new(threshold: f64, limit: f64) -> Result<Self, PruneError> {
        let refused = |reason| Err(PruneError::InvalidAllocation { allocation: NAME, reason });
        if !(threshold > 0.0 && threshold.is_finite()) {
            return refused(format!("the threshold M is {threshold}, it must be above 0 and finite, for example 5"));
        }
        if !(0.0..1.0).contains(&limit) {
            return refused(format!("the limit λ is {limit}, it must be at least 0 and below 1, for example 0.08"));
        }
        Ok(Self { threshold, limit, grouping: Grouping::default() })
    }

    /// Which matrices are one layer.
    pub fn with_grouping(self, grouping: Grouping) -> Self {
        Self { grouping, ..self }
    }

    /// M.
    pub fn threshold(self) -> f64 {
        self.threshold
    }

    /// λ.
    pub fn limit(self) -> f64 {
        self.limit
    }

    /// Which matrices are one layer.
    pub fn grouping(self) -> Grouping {
        self.grouping
    }

    /// For each of `weights` (D̄ − D) / max |D̄ − D| of its layer, from −1 to 1; 0 where all layers are alike.
    pub(super) fn deviations(self, score: &dyn Score, weights: &[WeightRef<'_>]) -> Result<Vec<f64>, PruneError> {
        let layers = self.grouping.layers(weights);
        let sizes: Vec<f64> = weights.iter().map(|w| w.values.len() as f64).collect();
        let mean = |sums: &[f64]| -> Vec<f64> {
            let [sums, sizes] = [sums, &sizes].map(|of_weights| added(&layers, of_weights));
            sums.iter().zip(sizes).map(|(sum, size)| if size > 0.0 { sum / size } else { 0.0 }).collect()
        };
        let sums = select::sums(score, weights, |_, scores| scores.iter().map(|&s| f64::from(s)).sum())?;
        let bars: Vec<f64> = mean(&sums).into_iter().map(|mean| self.threshold * mean).collect();
        let outliers = select::sums(score, weights, |weight, scores| {
            scores.iter().filter(|&&s| f64::from(s) > bars[layers[weight]]).count() as f64
        })?;
        let shares = mean(&outliers);
        let overall = outliers.iter().sum::<f64>() / sizes.iter().sum::<f64>();
        let most = shares.iter().map(|share| (overall - share).abs()).fold(0.0, f64::max);
        let deviation = |&layer: &usize| if most > 0.0 { (overall - shares[layer]) / most } else { 0.0 };
        Ok(layers.iter().map(deviation).collect())
    }

    /// Sparsities with these deviations around the overall one.
    pub(super) fn sparsities(self, deviations: &[f64], overall: f64) -> Vec<f64> {
        let limit = self.limit.min(overall).min(1.0 - overall);
        deviations.iter().map(|deviation| overall + limit * deviation).collect()
    }
}

impl Grouping {
    /// The number of each weight's layer, in order of appearance.
    fn layers(self, weights: &[WeightRef<'_>]) -> Vec<usize> {
        let mut numbers = HashMap::new();
        let mut number = |layer| {
            let next = numbers.len();
            *numbers.entry(layer).or_insert(next)
        };
        weights.iter().map(|w| number(self.layer(w.path))).collect()
    }

    /// The part of a path that names its layer.
    fn layer(self, path: &str) -> &str {
        let mut end = 0;
        let mut ends = path.split('.').map(|part| {
            end += part.len() + 1;
            (part, end - 1)
        });
        let is_number = |part: &str| part.parse::<usize>().is_ok();
        match self {
            Self::Block => ends.find(|(part, _)| is_number(part)).map_or(path, |(_, end)| &path[..end]),
            Self::Matrix => path,
        }
    }
}

/// Sums of `of_weights` over the weights of each layer.
fn added(layers: &[usize], of_weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; layers.iter().max().map_or(0, |last| last + 1)];
    layers.iter().zip(of_weights).for_each(|(&layer, value)| sums[layer] += value);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_at_the_first_number() {
        let block = |path| Grouping::Block.layer(path);
        assert_eq!(block("model.layers.13.mlp.up_proj.weight"), "model.layers.13");
        assert_eq!(block("encoder.0.experts.7.weight"), "encoder.0");
        assert_eq!(block("lm_head.weight"), "lm_head.weight");
        assert_eq!(Grouping::Matrix.layer("layers.1.weight"), "layers.1.weight");
    }

    #[test]
    fn parameters_are_checked() {
        for (threshold, limit, why) in [
            (0.0, 0.1, "M is 0"),
            (f64::NAN, 0.1, "M is NaN"),
            (5.0, -0.1, "λ is -0.1"),
            (5.0, 1.0, "λ is 1"),
            (5.0, f64::NAN, "λ is NaN"),
        ] {
            let message = Owl::new(threshold, limit).unwrap_err().to_string();
            assert!(message.contains(why) && message.contains("owl"), "{message}");
        }
        let default = Owl::default();
        assert_eq!(Owl::new(default.threshold(), default.limit()).unwrap(), default);
    }
}
