use crate::stats::{holm, mean, slope};
use crate::{Compression, Series, StatsError, Study};

use super::claim::by_sign;
use super::scores::{Eligible, EligibleFamily, estimate};
use super::{Claim, Decision, FamilyEstimate, JudgeConfig, Verdict};

pub(super) fn judge(
    study: &Study,
    eligible: &Eligible,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let rule = format!(
        "slope of the relative drop over the rank of difficulty (0 easiest, 1 hardest), mean over sparsities, common \
         to all families with at least {} levels between floor and ceiling, weighted by dense scores; t-test over \
         base items, and over seeds where a strength has several, two-sided at {}; supported if positive and no \
         family alone is significantly negative (Holm), contradicted if negative",
        config.min_levels, config.alpha
    );
    let (families, excluded) = eligible.graded(config.min_levels);
    let claim = Claim::HarderTasksDropMore;
    let undecided = |reason: &str| Verdict::undecided(claim, series.clone(), rule.clone(), reason, &excluded);
    let compressions = study.series(series);
    if compressions.is_empty() {
        return Ok(undecided("the study has no model of this series"));
    }
    if families.is_empty() {
        return Ok(undecided("no family has enough levels between floor and ceiling"));
    }
    let slope = estimate(study, &families, &compressions, &[], slope)?;
    let mut verdict = undecided("").with_estimate(&slope, config.confidence()).judged_on(&compressions);
    verdict.families = family_estimates(study, &families, &compressions, &[], config)?;
    let mean = estimate(study, &families, &compressions, &[], mean)?.value;
    let (outcome, reason) = by_sign(&slope, config.alpha);
    let against = verdict.families.iter().find(|family| family.p_holm <= config.alpha && family.effect < 0.0);
    Ok(if mean > config.collapsed && outcome != Decision::Supported {
        let reason = format!("the models are at chance (mean relative drop {mean:.2}): nothing is left to order");
        verdict.decide(Decision::NotDecided, reason)
    } else if let (Decision::Supported, Some(family)) = (outcome, against) {
        let reason = format!("family {} alone shows the opposite", family.family);
        verdict.decide(Decision::NotDecided, reason)
    } else {
        verdict.decide(outcome, reason)
    })
}

/// The slope in each family alone.
pub(super) fn family_estimates(
    study: &Study,
    families: &[EligibleFamily],
    more: &[&Compression],
    less: &[&Compression],
    config: &JudgeConfig,
) -> Result<Vec<FamilyEstimate>, StatsError> {
    let alone = |family| estimate(study, std::slice::from_ref(family), more, less, slope);
    let slopes = families.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
    let p_values: Vec<f64> = slopes.iter().map(|slope| slope.p).collect();
    let adjusted = holm(&p_values)?;
    let rows = families.iter().zip(slopes).zip(adjusted);
    Ok(rows
        .map(|((family, slope), p_holm)| FamilyEstimate {
            family: family.family.clone(),
            effect: slope.value,
            interval: slope.interval(config.confidence()),
            p: slope.p,
            p_holm,
        })
        .collect())
}
