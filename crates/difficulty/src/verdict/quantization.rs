use crate::stats::{mean_relative_drop, relative_drop_slope};
use crate::{Compression, Series, SizeMatch, StatsError, Study};

use super::claim::by_sign;
use super::ordering::family_estimates;
use super::scores::{Eligible, levels};
use super::{Claim, Decision, JudgeConfig, Verdict};

/// Absence of an ordering is an equivalence test: a large p-value alone is no evidence for it.
pub(super) fn judge_no_ordering(
    study: &Study,
    eligible: &Eligible,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let margin = config.equivalence_margin;
    let rule = format!(
        "the slope of the relative drop over difficulty as for pruning, over the quantized models that match a pruned one \
         in size (all, if no match is given); supported if its {:.0} % interval lies within ±{margin} (two one-sided \
         tests at {}) and there are at least 3 / {margin} base items, contradicted if it is positive at {} (two-sided) and not so small; not decided where the mean \
         relative drop is above {}",
        100.0 * (1.0 - 2.0 * config.alpha),
        config.alpha,
        config.alpha,
        config.collapsed
    );
    let (families, excluded) = eligible.graded(config.min_levels);
    let undecided = |reason: &str| {
        let claim = Claim::QuantizationShowsNoOrdering;
        Verdict::undecided(claim, Series::Quantization, rule.clone(), reason, &excluded)
    };
    let compressions = quantized(study)?;
    if compressions.is_empty() {
        return Ok(undecided("the study has no quantized model"));
    }
    if families.is_empty() {
        return Ok(undecided("no family has enough levels between floor and ceiling"));
    }
    let levels = levels(study, &families, &compressions, &[])?;
    let slope = relative_drop_slope(&levels)?;
    let mut verdict = undecided("").with_estimate(&slope, config.confidence());
    verdict.families = family_estimates(&families, &levels, config)?;
    let mean = mean_relative_drop(&levels)?.value;
    let [low, high] = slope.interval(1.0 - 2.0 * config.alpha);
    // Rule of three: n items without any change leave room for a rate of 3 / n, though the interval has no width.
    let enough_items = 3.0 / slope.degrees_of_freedom <= margin;
    Ok(if mean > config.collapsed {
        let reason = format!("the models are at chance (mean relative drop {mean:.2}): nothing is left to order");
        verdict.decide(Decision::NotDecided, reason)
    } else if enough_items && low >= -margin && high <= margin {
        verdict.decide(Decision::Supported, "the interval lies within the margin")
    } else if slope.p <= config.alpha && slope.value > 0.0 {
        verdict.decide(Decision::Contradicted, "harder tasks lose more under quantization too")
    } else {
        verdict.decide(Decision::NotDecided, "the interval is too wide to call the effect none")
    })
}

pub(super) fn judge_contrast(
    study: &Study,
    eligible: &Eligible,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let rule = format!(
        "slope over difficulty of the difference of relative drops, pruned minus quantized, mean over the pairs of \
         matching size; t-test over base items, two-sided at {}; supported if positive, contradicted if negative",
        config.alpha
    );
    let (families, excluded) = eligible.graded(config.min_levels);
    let undecided = |reason: &str| {
        let claim = Claim::PruningOrdersMoreThanQuantization;
        Verdict::undecided(claim, series.clone(), rule.clone(), reason, &excluded)
    };
    let matches = matches_of(study, series)?;
    if matches.is_empty() {
        return Ok(undecided("no pruned model is matched with a quantized one"));
    }
    if families.is_empty() {
        return Ok(undecided("no family has enough levels between floor and ceiling"));
    }
    let pruned = side(study, &matches, |pair| &pair.pruned)?;
    let quantized = side(study, &matches, |pair| &pair.quantized)?;
    let levels = levels(study, &families, &pruned, &quantized)?;
    let slope = relative_drop_slope(&levels)?;
    let mut verdict = undecided("").with_estimate(&slope, config.confidence());
    verdict.families = family_estimates(&families, &levels, config)?;
    let (outcome, reason) = by_sign(&slope, config.alpha);
    Ok(verdict.decide(outcome, reason))
}

fn quantized(study: &Study) -> Result<Vec<&Compression>, StatsError> {
    let matches: Vec<&SizeMatch> = study.matches.iter().collect();
    if matches.is_empty() {
        return Ok(study.series(&Series::Quantization));
    }
    side(study, &matches, |pair| &pair.quantized)
}

/// The matches whose pruned model is of `series`.
fn matches_of<'a>(study: &'a Study, series: &Series) -> Result<Vec<&'a SizeMatch>, StatsError> {
    let mut found = Vec::new();
    for pair in &study.matches {
        if study.compression(&pair.pruned)?.series == *series {
            found.push(pair);
        }
    }
    Ok(found)
}

/// One side of all matches; a model in two matches counts twice, as its partners do.
fn side<'a>(
    study: &'a Study,
    matches: &[&SizeMatch],
    name: fn(&SizeMatch) -> &String,
) -> Result<Vec<&'a Compression>, StatsError> {
    let names = matches.iter().map(|pair| name(pair));
    names.map(|name| study.compression(name)).collect()
}
