use std::collections::BTreeMap;

use crate::stats::{Estimate, equivalence_of_rare, holm, mean, page_l};
use crate::{Compression, Series, StatsError, Study};

use super::scores::{Eligible, estimate, levels};
use super::{Claim, Decision, JudgeConfig, Verdict};

/// What is lost is at most all there was: a drop above 1 counts as 1, here and in every condition. A model at chance
/// guesses, and one that errs more often than a guess has nothing left to lose either; which of the two it is says nothing
/// about the weights.
///
/// Three conditions, each a test at level α, so that all three together are one (Berger 1982, "Multiparameter
/// hypothesis testing and acceptance sampling", Technometrics 24). Page's test alone would not do: where strengths have
/// different numbers of seeds an item's means over seeds are not exchangeable without any effect, it does not know that
/// seeds are random, and it sees a trend where the drop rises and falls again. Without seeds, and without an effect, it
/// is exact.
pub(super) fn judge(
    study: &Study,
    eligible: &Eligible,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let rule = rule(config);
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
    let change = |from: usize, to: usize| Change::of(study, eligible, &groups[from], &groups[to]);
    let total = change(0, groups.len() - 1)?;
    let steps = (1..groups.len()).map(|to| change(to - 1, to)).collect::<Result<Vec<_>, _>>()?;
    let no_fall = steps
        .iter()
        .map(|step| step.p_no_fall(config))
        .try_fold(0.0, |largest: f64, p: Result<f64, StatsError>| p.map(|p| largest.max(p)))?;
    let growth = page.p_permutation.max(total.p_rise());
    let p = growth.max(no_fall);
    let mut verdict = undecided("").with_estimate(&total.rise, config.confidence()).judged_on(&groups.concat());
    verdict.p = Some(p);
    Ok(if total.p_fall() <= config.alpha {
        verdict.decide(Decision::Contradicted, "the drop shrinks with sparsity")
    } else if let Some(at) = falling_step(&steps, config.alpha)? {
        let (from, to) = (groups[at][0].strength, groups[at + 1][0].strength);
        verdict.decide(Decision::Contradicted, format!("the drop shrinks from {from} to {to}"))
    } else if p <= config.alpha {
        verdict.decide(Decision::Supported, "the drop grows and no step shrinks it by as much as the margin")
    } else if growth <= config.alpha {
        verdict.decide(Decision::NotDecided, "the drop grows, but a step could shrink it by as much as the margin")
    } else {
        verdict.decide(Decision::NotDecided, "no significant growth")
    })
}

fn rule(config: &JudgeConfig) -> String {
    format!(
        "a drop above 1 (all that the dense model has above chance) counts as 1; supported if three one-sided tests at \
         {} agree: Page's L over sparsities, blocks = base items, value = the item's drop, mean over its variants \
         between floor and ceiling, permuted within blocks; the relative drop at the highest sparsity is above that at \
         the lowest, t-tests over base items, and over seeds where a strength has several; no step between neighbours \
         falls by {} or more, t-tests that count {:.2} changed answers more than seen; contradicted if the drop from \
         lowest to highest sparsity, or any step between neighbours (Holm), is negative at {} (two-sided); p is the \
         largest of the three",
        config.alpha,
        config.equivalence_margin,
        config.unseen_changes(),
        config.alpha
    )
}

/// From one strength to another.
struct Change {
    /// Relative drop at the second minus at the first.
    rise: Estimate,
    /// The most that one more changed answer adds to it and takes from it.
    one_change: [f64; 2],
    /// Relative drop at the first.
    before: Estimate,
    /// Relative drop at the second.
    after: Estimate,
}

impl Change {
    fn of(study: &Study, eligible: &Eligible, from: &[&Compression], to: &[&Compression]) -> Result<Self, StatsError> {
        let families = &eligible.families;
        Ok(Self {
            rise: estimate(study, families, to, from, mean)?,
            one_change: mean(&levels(study, families, from, &[])?)?.one_change,
            before: estimate(study, families, from, &[], mean)?,
            after: estimate(study, families, to, &[], mean)?,
        })
    }

    /// Of "min(drop, 1) does not rise": the drop does not rise, or it was 1 before.
    fn p_rise(&self) -> f64 {
        self.rise.p_greater_than(0.0).max(self.before.p_less_than(1.0))
    }

    /// Of "min(drop, 1) does not fall": the drop does not fall, or it is 1 after. Two-sided.
    fn p_fall(&self) -> f64 {
        (2.0 * self.rise.p_less_than(0.0).max(self.after.p_less_than(1.0))).min(1.0)
    }

    /// Of "min(drop, 1) falls by the margin or more": the drop does, *and* at least the margin is left after. Either can
    /// be refuted (Bonferroni).
    fn p_no_fall(&self, config: &JudgeConfig) -> Result<f64, StatsError> {
        let margin = config.equivalence_margin;
        let falls = equivalence_of_rare(&self.rise, self.one_change, config.unseen_changes(), margin)?.p_lower;
        let margin_left = self.after.p_greater_than(1.0 - margin);
        Ok((2.0 * falls.min(margin_left)).min(1.0))
    }
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

/// The first step between neighbouring strengths at which the drop shrinks significantly.
fn falling_step(steps: &[Change], alpha: f64) -> Result<Option<usize>, StatsError> {
    let p_values: Vec<f64> = steps.iter().map(Change::p_fall).collect();
    Ok(holm(&p_values)?.iter().position(|&p| p <= alpha))
}
