//! The whole report.

use super::rows::{Row, VariantRow, outcomes};
use super::verdicts::study;
use crate::cell::hex;
use crate::run::Identity;
use crate::tasks::Levels;
use crate::{Cell, Compression, ExperimentError, Plan};
use junkdna_difficulty::suite::{Item, Variant};
use junkdna_difficulty::{JudgeConfig, Verdict, judge};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What an experiment found about one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of junkdna that wrote it.
    pub version: String,
    /// What was asked for.
    pub plan: Plan,
    /// What was asked, and where.
    pub provenance: Provenance,
    /// The task variants, by family and rising difficulty.
    pub variants: Vec<VariantRow>,
    /// Every compressed model on every variant, the dense model first.
    pub rows: Vec<Row>,
    /// What each compressed model took, in the plan's order.
    pub costs: Vec<ModelCost>,
    /// The claims of the hypothesis, judged.
    pub verdicts: Vec<Verdict>,
    /// Every question with every answer; a file of its own.
    #[serde(skip)]
    pub asked: Vec<Asked>,
}

/// Where the numbers come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The model's source, its revision, and the precision of the checkpoint it started from.
    pub model: String,
    /// SHA-256 of the model's files.
    pub checksum: String,
    /// SHA-256 of all questions.
    pub questions: String,
    /// The device.
    pub device: String,
    /// Seconds that the last run took; less than the whole where it resumed another.
    pub seconds: f64,
}

/// What one compressed model took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCost {
    /// The compression's name.
    pub compression: String,
    /// Seconds of compressing.
    pub compressing: f64,
    /// Seconds of scoring.
    pub scoring: f64,
    /// Seconds of training.
    #[serde(default)]
    pub training: f64,
    /// Tokens scored and trained on.
    pub tokens: usize,
}

/// The questions of a variant, and what every model chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The variant.
    pub variant: String,
    /// The questions.
    pub items: Vec<Item>,
    /// The models, dense first.
    pub answers: Vec<Chosen>,
}

/// What one model chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// The compression's name.
    pub compression: String,
    /// The choice of each question; none where a free answer is wrong.
    pub choice: Vec<Option<usize>>,
    /// Whether it is right.
    pub correct: Vec<bool>,
}

impl Provenance {
    pub(crate) fn new(model: String, identity: &Identity, took: Duration) -> Self {
        Self {
            model,
            checksum: identity.checksum.clone(),
            questions: String::new(),
            device: identity.device.clone(),
            seconds: took.as_secs_f64(),
        }
    }
}

impl Report {
    /// From the cells, dense first.
    pub(crate) fn new(plan: &Plan, provenance: Provenance, levels: &Levels) -> Result<Self, ExperimentError> {
        let Levels { variants, cells } = levels;
        let of_seeds = |seeds: &Vec<Cell>| seeds.iter().map(outcomes).collect::<Vec<_>>();
        let dense: Vec<Vec<_>> = cells.first().into_iter().flatten().map(of_seeds).collect();
        let rows = cells.iter().flat_map(|row| row.iter().zip(&dense).map(|(seeds, dense)| Row::new(seeds, dense)));
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        let study = study(variants, cells, &rows);
        let variant_rows = variants.iter().zip(&dense).map(|(variant, dense)| VariantRow::new(variant, dense));
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            plan: plan.clone(),
            provenance: Provenance { questions: questions(cells), ..provenance },
            variants: variant_rows.collect::<Result<_, _>>()?,
            rows,
            costs: cells.iter().filter_map(|row| cost(row)).collect(),
            verdicts: judge(&study, &JudgeConfig { seed: plan.seed(), ..JudgeConfig::default() })?,
            asked: variants.iter().enumerate().map(|(at, variant)| Asked::new(variant, at, cells)).collect(),
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

    /// The compressions of the plan, the dense model first.
    pub(super) fn compressions(&self) -> Vec<Compression> {
        self.plan.compressions().unwrap_or_default()
    }
}

impl Asked {
    /// With several seeds of training, the answers of the first.
    fn new(variant: &Variant, at: usize, cells: &[Vec<Vec<Cell>>]) -> Self {
        let chosen = |cell: &Cell| Chosen {
            compression: cell.spec.model_name(),
            choice: cell.answers.iter().map(crate::Answer::chosen).collect(),
            correct: cell.answers.iter().map(|answer| answer.correct).collect(),
        };
        let answers = cells.iter().filter_map(|row| row.get(at)?.first()).map(chosen).collect();
        Self { variant: variant.name.clone(), items: variant.items.clone(), answers }
    }
}

fn questions(cells: &[Vec<Vec<Cell>>]) -> String {
    let mut hash = Sha256::new();
    cells
        .first()
        .into_iter()
        .flatten()
        .filter_map(|seeds| seeds.first())
        .for_each(|cell| hash.update(cell.spec.questions.as_bytes()));
    hex(&hash.finalize())
}

fn cost(row: &[Vec<Cell>]) -> Option<ModelCost> {
    let of = |number: fn(&Cell) -> f64| row.iter().flatten().map(number);
    Some(ModelCost {
        compression: row.first()?.first()?.spec.model_name(),
        compressing: of(|cell| cell.cost.compressing).fold(0.0, f64::max),
        scoring: of(|cell| cell.cost.scoring).sum(),
        training: of(|cell| cell.cost.training).sum(),
        tokens: row.iter().flatten().map(|cell| cell.cost.tokens).sum(),
    })
}
