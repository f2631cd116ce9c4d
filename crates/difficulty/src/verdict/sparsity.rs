use std::collections::BTreeMap;

use crate::stats::{Estimate, holm, mean_relative_drop, page_l};
use crate::{Compression, Series, StatsError, Study};

use super::scores::{Eligible, levels};
use super::{Claim, Decision, JudgeConfig, Verdict};

/// Here Page's test is right: without an effect of sparsity an item's outcomes at the sparsities are exchangeable.
pub(super) fn judge(
    study: &Study,
    eligible: &Eligible,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let rule = format!(
        "Page's L over sparsities, blocks = base items, value = the item's drop, mean over its variants between floor and \
         ceiling; permutation within blocks, one-sided at {}; supported if significant, contradicted if the relative drop \
         from lowest to highest sparsity, or any step between neighbours (Holm), is negative at {} (two-sided)",
        config.alpha, config.alpha
    );
    let undecided = |reason: &str| {
        let claim = Claim::DropGrowsWithSparsity;
        Verdict::undecided(claim, series.clone(), rule.clone(), reason, &eligible.excluded)
    };
    let groups = by_strength(study.series(series));
    if groups.len() < config.min_strengths {
        let (found, needed) = (groups.len(), config.min_strengths);
        return Ok(undecided(&format!("{found} sparsities, {needed} needed")));
    }
    if eligible.families.is_empty() {
        return Ok(undecided("no variant is between floor and ceiling"));
    }
    let page = page_l(&blocks(study, eligible, &groups)?, config.permutations, config.seed)?;
    let total = growth(study, eligible, &groups[0], &groups[groups.len() - 1])?;
    let falls = falling_step(study, eligible, &groups, config.alpha)?;
    let mut verdict = undecided("").with_estimate(&total, config.confidence());
    verdict.p = Some(page.p_permutation);
    Ok(if total.value < 0.0 && total.p <= config.alpha {
        verdict.decide(Decision::Contradicted, "the drop shrinks with sparsity")
    } else if let Some(step) = falls {
        verdict.decide(Decision::Contradicted, format!("the drop shrinks {step}"))
    } else if page.p_permutation <= config.alpha {
        verdict.decide(Decision::Supported, "the drop grows and no step significantly shrinks it")
    } else {
        verdict.decide(Decision::NotDecided, "no significant growth")
    })
}

/// Compressions of equal strength together, weakest first.
fn by_strength(sorted: Vec<&Compression>) -> Vec<Vec<&Compression>> {
    sorted.chunk_by(|a, b| a.strength == b.strength).map(<[_]>::to_vec).collect()
}

/// `[base items][strengths]` of drops, mean over the item's variants.
fn blocks(study: &Study, eligible: &Eligible, groups: &[Vec<&Compression>]) -> Result<Vec<Vec<f64>>, StatsError> {
    let mut rows: BTreeMap<(usize, String), Vec<f64>> = BTreeMap::new();
    for (column, group) in groups.iter().enumerate() {
        let families = levels(study, &eligible.families, group, &[])?;
        for (family, levels) in families.into_iter().enumerate() {
            for score in levels.into_iter().flat_map(|level| level.scores) {
                let row = rows.entry((family, score.id));
                // A sum instead of a mean: an item is in the same variants at every strength, ranks are the same.
                row.or_insert_with(|| vec![0.0; groups.len()])[column] += score.drop;
            }
        }
    }
    Ok(rows.into_values().map(round).collect())
}

/// Sums of the same terms in another order differ in the last bits, which would break ties at random.
fn round(row: Vec<f64>) -> Vec<f64> {
    row.into_iter().map(|v| (v * 1e9).round() / 1e9).collect()
}

fn growth(
    study: &Study,
    eligible: &Eligible,
    from: &[&Compression],
    to: &[&Compression],
) -> Result<Estimate, StatsError> {
    mean_relative_drop(&levels(study, &eligible.families, to, from)?)
}

/// The first step between neighbouring strengths at which the drop shrinks significantly.
fn falling_step(
    study: &Study,
    eligible: &Eligible,
    groups: &[Vec<&Compression>],
    alpha: f64,
) -> Result<Option<String>, StatsError> {
    let steps =
        groups.windows(2).map(|pair| growth(study, eligible, &pair[0], &pair[1])).collect::<Result<Vec<_>, _>>()?;
    let p_values: Vec<f64> = steps.iter().map(|step| step.p).collect();
    let adjusted = holm(&p_values)?;
    let falls = (0..steps.len()).find(|&i| steps[i].value < 0.0 && adjusted[i] <= alpha);
    Ok(falls.map(|i| {
        let (from, to) = (groups[i][0].strength, groups[i + 1][0].strength);
        format!("from {from} to {to}")
    }))
}
