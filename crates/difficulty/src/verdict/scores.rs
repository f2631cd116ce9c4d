use crate::measure::{PairedScore, pair};
use crate::stats::{LevelScores, Standing, standing};
use crate::study::find;
use crate::{Compression, StatsError, Study};

use super::JudgeConfig;

/// The variants that can speak, and why the others cannot.
pub(super) struct Eligible {
    /// Families with at least one such variant.
    pub(super) families: Vec<EligibleFamily>,
    pub(super) excluded: Vec<String>,
}

/// A family's variants above floor and below ceiling, easiest first.
#[derive(Clone)]
pub(super) struct EligibleFamily {
    pub(super) family: String,
    pub(super) variants: Vec<String>,
}

impl Eligible {
    pub(super) fn of(study: &Study, config: &JudgeConfig) -> Result<Self, StatsError> {
        let mut families = Vec::new();
        let mut excluded = Vec::new();
        for levels in &study.families {
            let mut variants = Vec::new();
            for variant in &levels.variants {
                match exclusion(study, variant, config)? {
                    Some(why) => excluded.push(format!("{variant}: {why}")),
                    None => variants.push(variant.clone()),
                }
            }
            if !variants.is_empty() {
                let family = levels.family.clone();
                families.push(EligibleFamily { family, variants });
            }
        }
        Ok(Self { families, excluded })
    }

    /// Families with enough levels to speak about ordering, and the exclusions with the others added.
    pub(super) fn graded(&self, min_levels: usize) -> (Vec<EligibleFamily>, Vec<String>) {
        let (graded, thin): (Vec<_>, Vec<_>) =
            self.families.iter().cloned().partition(|family| family.variants.len() >= min_levels);
        let thin = thin.iter().map(|family| {
            let left = family.variants.len();
            format!("family {}: {left} of at least {min_levels} levels left", family.family)
        });
        (graded, self.excluded.iter().cloned().chain(thin).collect())
    }
}

fn exclusion(study: &Study, variant: &str, config: &JudgeConfig) -> Result<Option<String>, StatsError> {
    let dense = study.dense_outcomes(variant)?;
    let test = standing(dense, &config.standing)?;
    let (accuracy, p) = (test.accuracy, test.p_above_chance);
    Ok(if dense.items.len() < config.min_items {
        let (found, needed) = (dense.items.len(), config.min_items);
        Some(format!("{found} items, {needed} needed"))
    } else {
        match test.standing {
            Standing::Informative => None,
            Standing::Floor => Some(format!("floor, dense accuracy {accuracy:.3} is not above chance (p = {p:.3})")),
            Standing::Ceiling => Some(format!("ceiling, dense accuracy {accuracy:.3}")),
        }
    })
}

/// Dense scores and drops of a variant, the drops averaged over `compressions`.
pub(super) fn mean_drops(
    study: &Study,
    variant: &str,
    compressions: &[&Compression],
) -> Result<Vec<PairedScore>, StatsError> {
    let dense = study.dense_outcomes(variant)?;
    let mut mean: Vec<PairedScore> = Vec::new();
    for compression in compressions {
        let outcomes = find(&compression.name, &compression.outcomes, variant)?;
        let pairs = pair(dense, outcomes)?;
        if mean.is_empty() {
            mean = pairs;
        } else {
            // `pair` keeps the order of the dense outcomes.
            mean.iter_mut().zip(pairs).for_each(|(m, p)| m.drop += p.drop);
        }
    }
    for score in &mut mean {
        score.drop /= compressions.len() as f64;
    }
    Ok(mean)
}

/// As [`mean_drops`], of `more` minus of `less`.
fn drop_differences(
    study: &Study,
    variant: &str,
    more: &[&Compression],
    less: &[&Compression],
) -> Result<Vec<PairedScore>, StatsError> {
    let mut scores = mean_drops(study, variant, more)?;
    for (score, other) in scores.iter_mut().zip(mean_drops(study, variant, less)?) {
        score.drop -= other.drop;
    }
    Ok(scores)
}

/// The levels of the families, placed from 0 (easiest) to 1 (hardest) in each, with drops of `more` minus `less` (or
/// of `more` alone where `less` is empty).
pub(super) fn levels(
    study: &Study,
    families: &[EligibleFamily],
    more: &[&Compression],
    less: &[&Compression],
) -> Result<Vec<Vec<LevelScores>>, StatsError> {
    let family_levels = |family: &EligibleFamily| {
        let steps = (family.variants.len() - 1).max(1) as f64;
        let level = |(rank, variant): (usize, &String)| {
            let scores = if less.is_empty() {
                mean_drops(study, variant, more)?
            } else {
                drop_differences(study, variant, more, less)?
            };
            Ok(LevelScores { variant: variant.clone(), position: rank as f64 / steps, scores })
        };
        family.variants.iter().enumerate().map(level).collect()
    };
    families.iter().map(family_levels).collect()
}
