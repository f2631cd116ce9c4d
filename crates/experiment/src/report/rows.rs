//! The numbers of single cells.

use crate::{Answer, Cell, ExperimentError};
use junkdna_difficulty::stats::{
    Bootstrap, Interval, Run, Standing, StandingRule, clustered_bootstrap, paired_bootstrap, standing,
};
use junkdna_difficulty::suite::Variant;
use junkdna_difficulty::{ItemOutcome, Outcomes, Series, StatsError, measure};
use serde::{Deserialize, Serialize};

/// A task variant and the dense model on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantRow {
    /// The family of tasks.
    pub family: String,
    /// The variant.
    pub name: String,
    /// Rank of difficulty in the family, 0 is easiest.
    pub level: usize,
    /// The knob's number.
    pub difficulty: f64,
    /// What it counts.
    pub knob: String,
    /// Questions.
    pub items: usize,
    /// Accuracy of guessing.
    pub chance: f64,
    /// Accuracy of the dense model.
    pub dense_accuracy: f64,
    /// Whether the dense model leaves something to lose, and something to see lost.
    pub standing: Standing,
    /// p of the exact test that the dense model only guesses.
    pub p_above_chance: f64,
}

/// One compressed model on one task variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The compression's name.
    pub compression: String,
    /// Its series; absent for the dense model.
    pub series: Option<Series>,
    /// Sparsity, or bits removed of 16.
    pub strength: f64,
    /// Bits per compressed weight in a file.
    pub effective_bits: f64,
    /// The task variant.
    pub variant: String,
    /// Share of right answers.
    pub accuracy: f64,
    /// Share of right answers by log-likelihood per character.
    pub accuracy_normalized: f64,
    /// Chance-corrected accuracy: 1 is perfect, 0 is guessing.
    pub score: f64,
    /// Score of the dense model minus this.
    pub drop: f64,
    /// Paired 95 % bootstrap interval of the drop.
    pub drop_interval: [f64; 2],
    /// Drop as a share of the dense model's score; absent where the dense model is not above chance.
    pub relative_drop: Option<f64>,
    /// Paired 95 % bootstrap interval of the relative drop; absent where resamples of the dense model reach chance.
    pub relative_interval: Option<[f64; 2]>,
}

/// The outcomes of a cell as the statistics take them.
pub(super) fn outcomes(cell: &Cell) -> Outcomes {
    let item =
        |answer: &Answer| ItemOutcome { id: answer.id.clone(), correct: answer.correct, choices: answer.choices() };
    Outcomes { variant: cell.spec.variant.clone(), items: cell.answers.iter().map(item).collect() }
}

impl VariantRow {
    /// What tells it from the other levels of its family.
    pub(super) fn label(&self) -> &str {
        self.name.strip_prefix(&self.family).map_or(&self.name, |rest| rest.trim_start_matches('/'))
    }

    /// Of the dense model, with several seeds of training of all of them: one that only guesses tells nothing.
    pub(super) fn new(variant: &Variant, dense: &[Outcomes]) -> Result<Self, ExperimentError> {
        let of = |dense: &Outcomes| standing(dense, &StandingRule::default());
        let tests = dense.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let none = || ExperimentError::Render(format!("{}: no answers of the dense model", variant.name));
        let telling = tests.iter().find(|test| test.standing != Standing::Informative);
        let standing = telling.or(tests.first()).ok_or_else(none)?;
        let dense_accuracy = mean(tests.iter().map(|test| test.accuracy));
        let items = variant.items.len();
        let chance = dense[0].items.iter().map(ItemOutcome::chance).sum::<f64>() / items.max(1) as f64;
        Ok(Self {
            family: variant.family.clone(),
            name: variant.name.clone(),
            level: variant.level,
            difficulty: variant.difficulty,
            knob: variant.knob.clone(),
            items,
            chance,
            dense_accuracy,
            standing: standing.standing,
            p_above_chance: standing.p_above_chance,
        })
    }
}

impl Row {
    /// Of one model with each seed of training, and the dense model of each.
    pub(super) fn new(cells: &[Cell], dense: &[Outcomes]) -> Result<Self, ExperimentError> {
        let own: Vec<Outcomes> = cells.iter().map(outcomes).collect();
        let runs: Vec<Run> = dense.iter().zip(&own).map(|(dense, compressed)| Run { dense, compressed }).collect();
        let interval = match runs.as_slice() {
            [run] => paired_bootstrap(run.dense, run.compressed, &Bootstrap::default())?,
            runs => clustered_bootstrap(runs, &Bootstrap::default())?,
        };
        let cell = cells.first().ok_or_else(|| ExperimentError::Render("a model without answers".to_owned()))?;
        let normalized = |cell: &Cell| {
            let right = cell.answers.iter().filter(|answer| answer.correct_normalized).count();
            right as f64 / cell.answers.len() as f64
        };
        let over = |of: &dyn Fn(&Outcomes) -> Result<f64, StatsError>| -> Result<f64, StatsError> {
            Ok(mean(own.iter().map(of).collect::<Result<Vec<_>, _>>()?.into_iter()))
        };
        Ok(Self {
            compression: cell.spec.model_name(),
            series: cell.spec.series(),
            strength: cell.spec.compression.strength(),
            effective_bits: cell.effective_bits,
            variant: cell.spec.variant.clone(),
            accuracy: over(&measure::accuracy)?,
            accuracy_normalized: mean(cells.iter().map(normalized)),
            score: over(&measure::score)?,
            drop: interval.drop.value,
            drop_interval: ends(&interval.drop),
            relative_drop: relative_drop(&runs),
            relative_interval: interval.relative.as_ref().map(ends),
        })
    }
}

/// Of the means over seeds.
fn relative_drop(runs: &[Run]) -> Option<f64> {
    if let [run] = runs {
        return measure::relative_drop(run.dense, run.compressed).ok();
    }
    let of = |outcomes: &Outcomes| measure::score(outcomes).unwrap_or_default();
    let dense = mean(runs.iter().map(|run| of(run.dense)));
    (dense > 1e-9).then(|| 1.0 - mean(runs.iter().map(|run| of(run.compressed))) / dense)
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

fn ends(interval: &Interval) -> [f64; 2] {
    [interval.low, interval.high]
}
