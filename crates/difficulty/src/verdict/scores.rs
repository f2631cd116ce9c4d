use crate::measure::{PairedScore, pair};
use crate::stats::{Contribution, Estimate, LevelScores, Seeds, Standing, standing};
use crate::study::find;
use crate::{Compression, Outcomes, StatsError, Study};
use std::collections::BTreeMap;

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
    pub(super) variants: Vec<EligibleVariant>,
}

#[derive(Clone)]
pub(super) struct EligibleVariant {
    pub(super) name: String,
    /// 0 for the easiest and 1 for the hardest of all the family's variants: an effect means the same whichever of them
    /// are kept out.
    pub(super) position: f64,
}

impl Eligible {
    pub(super) fn of(study: &Study, config: &JudgeConfig) -> Result<Self, StatsError> {
        let mut families = Vec::new();
        let mut excluded = Vec::new();
        for levels in &study.families {
            let mut variants = Vec::new();
            let steps = levels.variants.len().saturating_sub(1).max(1) as f64;
            for (rank, variant) in levels.variants.iter().enumerate() {
                match exclusion(study, variant, config)? {
                    Some(why) => excluded.push(format!("{variant}: {why}")),
                    None => variants.push(EligibleVariant { name: variant.clone(), position: rank as f64 / steps }),
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

/// Why no model can tell anything here; with several dense models, why one of them cannot.
fn exclusion(study: &Study, variant: &str, config: &JudgeConfig) -> Result<Option<String>, StatsError> {
    let mut all = vec![study.dense_outcomes(variant)?];
    for baseline in &study.baselines {
        let own = find(&baseline.compression, &baseline.dense, variant)?;
        if !all.contains(&own) {
            all.push(own);
        }
    }
    for dense in all {
        if let Some(why) = exclusion_of(dense, config)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

fn exclusion_of(dense: &Outcomes, config: &JudgeConfig) -> Result<Option<String>, StatsError> {
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

/// Pairs in the order of `items`, which are the same.
fn in_order_of(items: &Outcomes, mut pairs: Vec<PairedScore>) -> Vec<PairedScore> {
    if pairs.iter().zip(&items.items).any(|(pair, item)| pair.id != item.id) {
        let places: BTreeMap<&str, usize> = items.items.iter().map(|item| item.id.as_str()).zip(0..).collect();
        pairs.sort_by_key(|pair| places.get(pair.id.as_str()).copied());
    }
    pairs
}

/// Dense scores and drops of a variant, averaged over `compressions`.
pub(super) fn mean_drops(
    study: &Study,
    variant: &str,
    compressions: &[&Compression],
) -> Result<Vec<PairedScore>, StatsError> {
    let items = study.dense_outcomes(variant)?;
    let mut mean: Vec<PairedScore> = Vec::new();
    for compression in compressions {
        let outcomes = find(&compression.name, &compression.outcomes, variant)?;
        let pairs = in_order_of(items, pair(study.baseline(&compression.name, variant)?, outcomes)?);
        if mean.is_empty() {
            mean = pairs;
        } else {
            for (mean, own) in mean.iter_mut().zip(pairs) {
                mean.dense += own.dense;
                mean.drop += own.drop;
            }
        }
    }
    for score in &mut mean {
        score.dense /= compressions.len() as f64;
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

/// The levels of the families with drops of `more` minus `less` (or of `more` alone where `less` is empty).
pub(super) fn levels(
    study: &Study,
    families: &[EligibleFamily],
    more: &[&Compression],
    less: &[&Compression],
) -> Result<Vec<Vec<LevelScores>>, StatsError> {
    let level = |variant: &EligibleVariant| {
        let EligibleVariant { name, position } = variant;
        let scores =
            if less.is_empty() { mean_drops(study, name, more)? } else { drop_differences(study, name, more, less)? };
        Ok(LevelScores { variant: name.clone(), position: *position, scores })
    };
    families.iter().map(|family| family.variants.iter().map(level).collect()).collect()
}

/// What is estimated from levels.
pub(super) type Statistic = fn(&[Vec<LevelScores>]) -> Result<Contribution, StatsError>;

/// A statistic of the drops of `more` minus `less` with its error over items, and over seeds where there are several.
pub(super) fn estimate(
    study: &Study,
    families: &[EligibleFamily],
    more: &[&Compression],
    less: &[&Compression],
    statistic: Statistic,
) -> Result<Estimate, StatsError> {
    let whole = statistic(&levels(study, families, more, less)?)?;
    whole.estimate_over(&seeds(study, families, &[more, less], statistic)?)
}

/// The groups of models that differ only in their seed, each model's statistic alone.
pub(super) fn seeds(
    study: &Study,
    families: &[EligibleFamily],
    sides: &[&[&Compression]],
    statistic: Statistic,
) -> Result<Vec<Seeds>, StatsError> {
    let mut groups = Vec::new();
    for side in sides {
        let mut sorted = side.to_vec();
        let kind = |c: &Compression| (c.series.clone(), c.strength.to_bits(), c.name.clone());
        sorted.sort_by_key(|compression| kind(compression));
        let same = |a: &&Compression, b: &&Compression| (&a.series, a.strength) == (&b.series, b.strength);
        for group in sorted.chunk_by(same) {
            // A model in two matches is there twice.
            let models: Vec<&[&Compression]> = group.chunk_by(|a, b| a.name == b.name).collect();
            if models.len() < 2 {
                continue;
            }
            let squared_weights = models.iter().map(|times| (times.len() as f64 / side.len() as f64).powi(2)).sum();
            let alone = |times: &&[&Compression]| statistic(&levels(study, families, &times[..1], &[])?);
            let models = models.iter().map(alone).collect::<Result<Vec<_>, _>>()?;
            groups.push(Seeds { squared_weights, models });
        }
    }
    Ok(groups)
}
