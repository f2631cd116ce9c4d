use serde::{Deserialize, Serialize};

use crate::stats::Estimate;
use crate::{Compression, Series};

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// The drop grows with sparsity, and nowhere falls back by the margin of equivalence. Effect: relative drop at the
    /// highest minus at the lowest sparsity.
    DropGrowsWithSparsity,
    /// The drop grows faster the harder the task. Effect: relative drop at the hardest minus at the easiest level, by a
    /// straight line, mean over sparsities.
    HarderTasksDropMore,
    /// Quantization shows no ordering by difficulty. Effect: as in `HarderTasksDropMore`, of the quantized models.
    QuantizationShowsNoOrdering,
    /// At matching size pruning orders tasks by difficulty more than quantization does. Effect: difference of the
    /// effects of `HarderTasksDropMore`.
    PruningOrdersMoreThanQuantization,
    /// Control: at the same sparsity random pruning loses more. Effect: difference of mean relative drops, random minus
    /// magnitude.
    RandomPruningLosesMore,
    /// Training brings back less of what was lost the harder the task, and not all of it where it is hardest. Effect:
    /// irreparability (drop after training ÷ drop before) at the hardest minus at the easiest level, by a straight line.
    HardLossesStay,
}

/// What the data says about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The evidence is for it.
    Supported,
    /// The evidence is against it.
    Contradicted,
    /// The data is missing, or compatible with both.
    NotDecided,
}

/// The same effect in one family alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FamilyEstimate {
    /// Name of the family.
    pub family: String,
    /// The effect.
    pub effect: f64,
    /// Its confidence interval, not adjusted.
    pub interval: [f64; 2],
    /// Two-sided p-value, not adjusted.
    pub p: f64,
    /// Holm's adjusted p-value over the families of the verdict.
    pub p_holm: f64,
}

/// One claim, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The claim.
    pub claim: Claim,
    /// The series it is about.
    pub series: Series,
    /// The decision.
    pub outcome: Decision,
    /// Why, in words.
    pub reason: String,
    /// The effect, pooled over families, in relative drops (1 = all that the dense model has above chance); none where
    /// it cannot be computed.
    pub effect: Option<f64>,
    /// Confidence interval of the effect.
    pub interval: Option<[f64; 2]>,
    /// p-value of the rule's test.
    pub p: Option<f64>,
    /// The rule, in words.
    pub rule: String,
    /// The compressed models that it was judged on.
    #[serde(default)]
    pub models: Vec<String>,
    /// Variants that were kept out, each with why.
    pub excluded: Vec<String>,
    /// The effect family by family, where the claim is about families.
    pub families: Vec<FamilyEstimate>,
}

impl Verdict {
    /// Not decided, for lack of data.
    pub(super) fn undecided(
        claim: Claim,
        series: Series,
        rule: String,
        reason: impl Into<String>,
        excluded: &[String],
    ) -> Self {
        Self {
            claim,
            series,
            outcome: Decision::NotDecided,
            reason: reason.into(),
            effect: None,
            interval: None,
            p: None,
            rule,
            models: Vec::new(),
            excluded: excluded.to_vec(),
            families: Vec::new(),
        }
    }

    pub(super) fn with_estimate(mut self, estimate: &Estimate, confidence: f64) -> Self {
        self.effect = Some(estimate.value);
        self.interval = Some(estimate.interval(confidence));
        self.p = Some(estimate.p);
        self
    }

    pub(super) fn judged_on(mut self, compressions: &[&Compression]) -> Self {
        for compression in compressions {
            if !self.models.contains(&compression.name) {
                self.models.push(compression.name.clone());
            }
        }
        self
    }

    pub(super) fn decide(mut self, outcome: Decision, reason: impl Into<String>) -> Self {
        self.outcome = outcome;
        self.reason = reason.into();
        self
    }
}

/// Supported when the effect is positive at level alpha, contradicted when it is negative at level alpha.
pub(super) fn by_sign(estimate: &Estimate, alpha: f64) -> (Decision, &'static str) {
    if estimate.p > alpha {
        (Decision::NotDecided, "the interval holds zero")
    } else if estimate.value > 0.0 {
        (Decision::Supported, "the effect is positive and the interval excludes zero")
    } else {
        (Decision::Contradicted, "the effect is negative and the interval excludes zero")
    }
}
