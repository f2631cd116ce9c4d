use crate::stats::{LevelScores, holm, mean_relative_drop, relative_drop_slope};
use crate::{Series, StatsError, Study};

use super::claim::by_sign;
use super::scores::{Eligible, EligibleFamily, levels};
use super::{Claim, Decision, FamilyEstimate, JudgeConfig, Verdict};

pub(super) fn judge(
    study: &Study,
    eligible: &Eligible,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let rule = format!(
        "slope of the relative drop over the rank of difficulty (0 easiest, 1 hardest), mean over sparsities, common to \
         all families with at least {} levels between floor and ceiling, weighted by dense scores; t-test over base \
         items, two-sided at {}; supported if positive, contradicted if negative",
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
    let levels = levels(study, &families, &compressions, &[])?;
    let slope = relative_drop_slope(&levels)?;
    let mut verdict = undecided("").with_estimate(&slope, config.confidence());
    verdict.families = family_estimates(&families, &levels, config)?;
    let mean = mean_relative_drop(&levels)?.value;
    let (outcome, reason) = by_sign(&slope, config.alpha);
    Ok(if mean > config.collapsed && outcome != Decision::Supported {
        let reason = format!("the models are at chance (mean relative drop {mean:.2}): nothing is left to order");
        verdict.decide(Decision::NotDecided, reason)
    } else {
        verdict.decide(outcome, reason)
    })
}

/// The slope in each family alone.
pub(super) fn family_estimates(
    families: &[EligibleFamily],
    levels: &[Vec<LevelScores>],
    config: &JudgeConfig,
) -> Result<Vec<FamilyEstimate>, StatsError> {
    let slopes =
        levels.iter().map(|family| relative_drop_slope(std::slice::from_ref(family))).collect::<Result<Vec<_>, _>>()?;
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
