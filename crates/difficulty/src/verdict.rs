//! What a study says about the hypothesis, each claim by a rule that is stated with it.

mod claim;
mod config;
mod control;
mod ordering;
mod quantization;
mod repair;
mod scores;
mod sparsity;

pub use claim::{Claim, Decision, FamilyEstimate, Verdict};
pub use config::JudgeConfig;

use crate::{Series, StatsError, Study};
use scores::Eligible;

/// Judges every claim that a study can speak to.
///
/// Per series of pruning: the drop grows with sparsity; it grows faster the harder the task; more so than under
/// quantization to a matching size. For quantization: no such ordering. For the random control: it loses more than
/// pruning by magnitude at the same sparsity. Claims whose data is missing or too thin are [`Decision::NotDecided`],
/// with the reason. A claim about a series of pruning is judged only for series that the study has, and always for
/// [`Series::Magnitude`]. Where models were trained after pruning ([`Study::repairs`]), per series of them: what hard tasks
/// lose is not brought back.
///
/// # Errors
/// Those of [`Study::check`] and [`JudgeConfig::check`].
pub fn judge(study: &Study, config: &JudgeConfig) -> Result<Vec<Verdict>, StatsError> {
    config.check()?;
    study.check()?;
    let eligible = Eligible::of(study, config)?;
    let mut verdicts = Vec::new();
    for series in pruning_series(study) {
        verdicts.push(sparsity::judge(study, &eligible, &series, config)?);
        verdicts.push(ordering::judge(study, &eligible, &series, config)?);
        verdicts.push(quantization::judge_contrast(study, &eligible, &series, config)?);
    }
    verdicts.push(quantization::judge_no_ordering(study, &eligible, config)?);
    verdicts.push(control::judge(study, &eligible, config)?);
    for series in repair::series(study)? {
        verdicts.push(repair::judge(study, &eligible, &series, config)?);
    }
    Ok(verdicts)
}

/// One claim alone, of a study and settings that are known to be right; `series` counts where the claim is about
/// pruning.
pub(crate) fn judge_claim(
    study: &Study,
    claim: Claim,
    series: &Series,
    config: &JudgeConfig,
) -> Result<Verdict, StatsError> {
    let eligible = Eligible::of(study, config)?;
    match claim {
        Claim::DropGrowsWithSparsity => sparsity::judge(study, &eligible, series, config),
        Claim::HarderTasksDropMore => ordering::judge(study, &eligible, series, config),
        Claim::PruningOrdersMoreThanQuantization => quantization::judge_contrast(study, &eligible, series, config),
        Claim::QuantizationShowsNoOrdering => quantization::judge_no_ordering(study, &eligible, config),
        Claim::RandomPruningLosesMore => control::judge(study, &eligible, config),
        Claim::HardLossesStay => repair::judge(study, &eligible, series, config),
    }
}

fn pruning_series(study: &Study) -> Vec<Series> {
    let mut series: Vec<Series> = study
        .compressions
        .iter()
        .map(|compression| compression.series.clone())
        .filter(|series| *series != Series::Quantization)
        .chain([Series::Magnitude])
        .collect();
    series.sort();
    series.dedup();
    series
}

#[cfg(test)]
mod tests;
