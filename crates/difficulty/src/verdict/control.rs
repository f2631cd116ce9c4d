use crate::stats::mean;
use crate::{Compression, Series, StatsError, Study};

use super::claim::by_sign;
use super::scores::{Eligible, estimate};
use super::{Claim, JudgeConfig, Verdict};

/// If pruning at random cost no more than pruning small weights, magnitude would tell nothing about importance.
pub(super) fn judge(study: &Study, eligible: &Eligible, config: &JudgeConfig) -> Result<Verdict, StatsError> {
    let rule = format!(
        "mean relative drop of random minus magnitude pruning over the sparsities that both have and all variants \
         between floor and ceiling; t-test over base items, and over seeds where a strength has several, two-sided at \
         {}; supported if positive, contradicted if negative",
        config.alpha
    );
    let undecided = |reason: &str| {
        let claim = Claim::RandomPruningLosesMore;
        Verdict::undecided(claim, Series::Random, rule.clone(), reason, &eligible.excluded)
    };
    let (magnitude, random) = (study.series(&Series::Magnitude), study.series(&Series::Random));
    let (magnitude, random) = (shared(&magnitude, &random), shared(&random, &magnitude));
    if magnitude.is_empty() {
        return Ok(undecided("no sparsity has both a magnitude-pruned and a randomly pruned model"));
    }
    if eligible.families.is_empty() {
        return Ok(undecided("no variant is between floor and ceiling"));
    }
    let difference = estimate(study, &eligible.families, &random, &magnitude, mean)?;
    let (outcome, reason) = by_sign(&difference, config.alpha);
    Ok(undecided("").with_estimate(&difference, config.confidence()).decide(outcome, reason))
}

/// Those of `some` whose strength `others` have too.
fn shared<'a>(some: &[&'a Compression], others: &[&'a Compression]) -> Vec<&'a Compression> {
    let has = |strength: f64| others.iter().any(|other| other.strength == strength);
    some.iter().copied().filter(|compression| has(compression.strength)).collect()
}
