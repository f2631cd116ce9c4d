use crate::stats::{equivalence_of_rare, mean, slope};
use crate::{Compression, Series, SizeMatch, StatsError, Study};

use super::claim::by_sign;
use super::ordering::family_estimates;
use super::scores::{Eligible, estimate, levels};
use super::{Claim, Decision, JudgeConfig, Verdict};

/// Absence of an ordering is an equivalence test: a large p-value alone is no evidence for it.
pub(super) fn judge_no_ordering(
    study: &Study,
    eligible: &Eligible,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let margin = config.equivalence_margin;
    let rule = format!(
        "the slope of the relative drop over difficulty as for pruning, over the quantized models that match a \
         pruned one in size (all, if no match is given); supported if it is within ±{margin} (two one-sided tests at \
         {}, with {:.2} changed answers more than seen where they matter most) and no family alone is significantly \
         ordered (Holm) and above {margin}; contradicted if it is positive at {} (two-sided) and not so small; not \
         decided where the mean relative drop is above {}; p is that of the two one-sided tests, unless \
         contradicted",
        config.alpha,
        config.unseen_changes(),
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
    let slopes = estimate(study, &families, &compressions, &[], slope)?;
    let one_change = slope(&levels(study, &families, &compressions, &[])?)?.one_change;
    let equivalence = equivalence_of_rare(&slopes, one_change, config.unseen_changes(), margin)?;
    let mut verdict = undecided("").with_estimate(&slopes, config.confidence()).judged_on(&compressions);
    verdict.families = family_estimates(study, &families, &compressions, &[], config)?;
    let ordered = verdict.families.iter().find(|family| family.p_holm <= config.alpha && family.effect > margin);
    let ordered = ordered.map(|family| format!("family {} alone is ordered", family.family));
    let mean = estimate(study, &families, &compressions, &[], mean)?.value;
    let equal = equivalence.p <= config.alpha;
    if mean > config.collapsed {
        let reason = format!("the models are at chance (mean relative drop {mean:.2}): nothing is left to order");
        return Ok(verdict.decide(Decision::NotDecided, reason));
    }
    if !equal && slopes.p <= config.alpha && slopes.value > 0.0 {
        return Ok(verdict.decide(Decision::Contradicted, "harder tasks lose more under quantization too"));
    }
    verdict.p = Some(equivalence.p);
    Ok(match ordered {
        _ if !equal => verdict.decide(Decision::NotDecided, "the interval is too wide to call the effect none"),
        Some(reason) => verdict.decide(Decision::NotDecided, reason),
        None => verdict.decide(Decision::Supported, "the interval lies within the margin"),
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
         matching size; t-test over base items, and over seeds where a strength has several, two-sided at {}; \
         supported if positive, contradicted if negative",
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
    let difference = estimate(study, &families, &pruned, &quantized, slope)?;
    let sides = [pruned.as_slice(), quantized.as_slice()].concat();
    let mut verdict = undecided("").with_estimate(&difference, config.confidence()).judged_on(&sides);
    verdict.families = family_estimates(study, &families, &pruned, &quantized, config)?;
    let (outcome, reason) = by_sign(&difference, config.alpha);
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
