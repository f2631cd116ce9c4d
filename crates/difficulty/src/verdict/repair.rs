//! Whether training brings back what pruning took (claim (b) of the Junk DNA Hypothesis, arXiv 2310.02277).

use crate::stats::{Contribution, Estimate, LevelScores, Seeds, holm, mean, mean_part, slope, slope_part};
use crate::{Compression, Repair, Series, StatsError, Study};

use super::claim::by_sign;
use super::scores::{Eligible, EligibleFamily, estimate, mean_drops};
use super::{Claim, Decision, FamilyEstimate, JudgeConfig, Verdict};

/// The series of trained models, each once.
pub(super) fn series(study: &Study) -> Result<Vec<Series>, StatsError> {
    let mut found = Vec::new();
    for repair in &study.repairs {
        let series = &study.compression(&repair.after)?.series;
        if !found.contains(series) {
            found.push(series.clone());
        }
    }
    Ok(found)
}

pub(super) fn judge(
    study: &Study,
    eligible: &Eligible,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let pairs = Pair::all(study, series)?;
    let lossy = with_loss(study, eligible, &pairs, config)?;
    let (families, excluded) = lossy.graded(config.min_levels);
    let rule = rule(config);
    let undecided = |reason: &str| {
        let claim = Claim::HardLossesStay;
        Verdict::undecided(claim, series.clone(), rule.clone(), reason, &excluded)
    };
    if pairs.is_empty() {
        return Ok(undecided("the study has no model that was trained after pruning"));
    }
    if families.is_empty() {
        return Ok(undecided("no family has enough levels that lose something before training"));
    }
    let rise = of_pairs(study, &families, &pairs, slope, slope_part)?;
    let hardest: Vec<EligibleFamily> = families.iter().map(hardest).collect();
    let left = of_pairs(study, &hardest, &pairs, mean, mean_part)?;
    let models: Vec<&Compression> = pairs.iter().map(|pair| pair.after).collect();
    let mut verdict = undecided("").with_estimate(&rise, config.confidence()).judged_on(&models);
    verdict.families = family_estimates(study, &families, &pairs, config)?;
    let (outcome, reason) = by_sign(&rise, config.alpha);
    let stays = left.p_greater_than(0.0) <= config.alpha / 2.0;
    let against = verdict.families.iter().find(|family| family.p_holm <= config.alpha && family.effect < 0.0);
    let share = format!("{:.0} % of the loss on the hardest level is left", left.value * 100.0);
    Ok(match (outcome, against) {
        (Decision::Contradicted, _) => verdict.decide(outcome, format!("easy tasks keep more of their loss; {share}")),
        _ if left.p_less_than(config.equivalence_margin) <= config.alpha => {
            let margin = config.equivalence_margin * 100.0;
            let reason = format!("training brings the hardest level back: less than {margin:.0} % of its loss is left");
            verdict.decide(Decision::Contradicted, reason)
        }
        (Decision::Supported, Some(family)) => {
            let reason = format!("family {} alone shows the opposite", family.family);
            verdict.decide(Decision::NotDecided, reason)
        }
        (Decision::Supported, None) if !stays => {
            verdict.decide(Decision::NotDecided, "the loss on the hardest level may be gone")
        }
        _ => verdict.decide(outcome, format!("{reason}; {share}")),
    })
}

fn rule(config: &JudgeConfig) -> String {
    format!(
        "irreparability is the drop after training over the drop before it, both against the dense model trained on the \
         same examples from the same seed; its slope over the rank of difficulty (0 easiest, 1 hardest), common to all \
         families with at least {} levels between floor and ceiling that lose something before training (t-test, \
         one-sided at {}), weighted by that loss; t-test over base items, and over seeds where a strength has several, \
         two-sided at {}; supported if positive, some of the hardest level's loss is left (one-sided at {}) and no \
         family alone is significantly negative (Holm); contradicted if negative, or if less than {} of the hardest \
         level's loss is left (one-sided at {})",
        config.min_levels,
        config.alpha,
        config.alpha,
        config.alpha / 2.0,
        config.equivalence_margin,
        config.alpha
    )
}

/// A pruned model and what training made of it.
struct Pair<'a> {
    before: &'a Compression,
    after: &'a Compression,
}

impl<'a> Pair<'a> {
    /// Those of a series, weakest first.
    fn all(study: &'a Study, series: &Series) -> Result<Vec<Self>, StatsError> {
        let pair = |repair: &Repair| {
            Ok(Self { before: study.compression(&repair.before)?, after: study.compression(&repair.after)? })
        };
        let mut pairs = study.repairs.iter().map(pair).collect::<Result<Vec<_>, StatsError>>()?;
        pairs.retain(|pair| pair.after.series == *series);
        pairs.sort_by(|a, b| a.after.strength.total_cmp(&b.after.strength));
        Ok(pairs)
    }
}

/// The variants on which the models lose something before training: what was not lost cannot come back.
fn with_loss(
    study: &Study,
    eligible: &Eligible,
    pairs: &[Pair<'_>],
    config: &JudgeConfig,
) -> Result<Eligible, StatsError> {
    let mut lossy = Eligible { families: Vec::new(), excluded: eligible.excluded.clone() };
    let before: Vec<&Compression> = pairs.iter().map(|pair| pair.before).collect();
    for family in eligible.families.iter().filter(|_| !pairs.is_empty()) {
        let mut kept = EligibleFamily { family: family.family.clone(), variants: Vec::new() };
        for variant in &family.variants {
            let alone = EligibleFamily { family: family.family.clone(), variants: vec![variant.clone()] };
            let loss = estimate(study, &[alone], &before, &[], mean)?;
            if loss.p_greater_than(0.0) <= config.alpha {
                kept.variants.push(variant.clone());
            } else {
                lossy.excluded.push(format!("{}: nothing is lost for sure before training", variant.name));
            }
        }
        if !kept.variants.is_empty() {
            lossy.families.push(kept);
        }
    }
    Ok(lossy)
}

fn hardest(family: &EligibleFamily) -> EligibleFamily {
    let last = family.variants.last().cloned();
    EligibleFamily { family: family.family.clone(), variants: last.into_iter().collect() }
}

/// The drops after training as scores' drops, and those before as what there was to lose: their ratio is irreparability.
fn levels(study: &Study, families: &[EligibleFamily], pairs: &[Pair<'_>]) -> Result<Vec<Vec<LevelScores>>, StatsError> {
    let before: Vec<&Compression> = pairs.iter().map(|pair| pair.before).collect();
    let after: Vec<&Compression> = pairs.iter().map(|pair| pair.after).collect();
    let level = |variant: &super::scores::EligibleVariant| {
        let mut scores = mean_drops(study, &variant.name, &after)?;
        for (score, before) in scores.iter_mut().zip(mean_drops(study, &variant.name, &before)?) {
            score.dense = before.drop;
        }
        Ok(LevelScores { variant: variant.name.clone(), position: variant.position, scores })
    };
    families.iter().map(|family| family.variants.iter().map(level).collect()).collect()
}

type Statistic = fn(&[Vec<LevelScores>]) -> Result<Contribution, StatsError>;
type Part = fn(&[Vec<LevelScores>], &[Vec<LevelScores>]) -> Result<Contribution, StatsError>;

/// A statistic of irreparability with its error over items, and over seeds where there are several.
fn of_pairs(
    study: &Study,
    families: &[EligibleFamily],
    pairs: &[Pair<'_>],
    statistic: Statistic,
    part: Part,
) -> Result<Estimate, StatsError> {
    let whole = levels(study, families, pairs)?;
    let mut groups = Vec::new();
    for group in pairs.chunk_by(|a, b| a.after.strength == b.after.strength).filter(|group| group.len() > 1) {
        let alone = |pair: &Pair<'_>| {
            let pair = [Pair { before: pair.before, after: pair.after }];
            part(&whole, &levels(study, families, &pair)?)
        };
        let models = group.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
        let squared_weights = group.len() as f64 / (pairs.len() as f64).powi(2);
        groups.push(Seeds { squared_weights, models });
    }
    statistic(&whole)?.estimate_over(&groups)
}

/// The slope in each family alone.
fn family_estimates(
    study: &Study,
    families: &[EligibleFamily],
    pairs: &[Pair<'_>],
    config: &JudgeConfig,
) -> Result<Vec<FamilyEstimate>, StatsError> {
    let alone = |family| of_pairs(study, std::slice::from_ref(family), pairs, slope, slope_part);
    let slopes = families.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
    let adjusted = holm(&slopes.iter().map(|slope| slope.p).collect::<Vec<_>>())?;
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
