//! The whole report.

use super::rows::{Row, VariantRow, outcomes};
use super::verdicts::study;
use crate::tasks::Task;
use crate::{Cell, ExperimentError, Plan};
use junkdna_difficulty::{JudgeConfig, Verdict, judge};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What an experiment found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of junkdna that wrote it.
    pub version: String,
    /// What was asked for.
    pub plan: Plan,
    /// The model's source, its revision, and the precision of the checkpoint it started from.
    pub model: String,
    /// The device.
    pub device: String,
    /// Seconds that the last run took; less than the whole where it resumed another.
    pub seconds: f64,
    /// The task variants, by family and rising difficulty.
    pub variants: Vec<VariantRow>,
    /// Every compressed model on every variant, the dense model first.
    pub rows: Vec<Row>,
    /// The claims of the hypothesis, judged.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// From the cells, `[compression][task]`, dense first.
    pub(crate) fn new(
        plan: &Plan,
        model: &str,
        device: &str,
        tasks: &[Task],
        cells: &[Vec<Cell>],
        took: Duration,
    ) -> Result<Self, ExperimentError> {
        let dense: Vec<_> = cells.first().into_iter().flatten().map(outcomes).collect();
        let variants = tasks.iter().zip(&dense).map(|(task, dense)| VariantRow::new(&task.variant, dense));
        let rows = cells.iter().flat_map(|row| row.iter().zip(&dense).map(|(cell, dense)| Row::new(cell, dense)));
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        let study = study(tasks, cells, &rows);
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            plan: plan.clone(),
            model: model.into(),
            device: device.into(),
            seconds: took.as_secs_f64(),
            variants: variants.collect::<Result<_, _>>()?,
            rows,
            verdicts: judge(&study, &JudgeConfig { seed: plan.suite.seed, ..JudgeConfig::default() })?,
        })
    }

    /// The families in order, each with its variants.
    pub(super) fn families(&self) -> Vec<&[VariantRow]> {
        self.variants.chunk_by(|a, b| a.family == b.family).collect()
    }

    /// The rows of one variant in the order of the plan.
    pub(super) fn rows_of<'a>(&'a self, variant: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.variant == variant)
    }
}
