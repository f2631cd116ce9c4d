//! The smallest piece of an experiment: one compressed model on one task variant.

use crate::compression::series_name;
use crate::{Compression, ExperimentError, write_whole};
use junkdna_backend::TokenTree;
use junkdna_difficulty::Series;
use junkdna_difficulty::suite::{Form, Variant};
use junkdna_eval::Outcome;
use junkdna_finetune::Recipe;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Rises whenever scoring gives other numbers than before.
const ENGINE_VERSION: u32 = 1;

/// Everything that decides the numbers of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellSpec {
    /// The SHA-256 of the model's files: wherever they lie, the same model has the same cells.
    pub model: String,
    /// The device's name.
    pub device: String,
    /// The compression.
    pub compression: Compression,
    /// SHA-256 of the calibration samples, where the compression needs some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// The name of the task variant.
    pub variant: String,
    /// SHA-256 of the variant's questions.
    pub questions: String,
    /// How the model was trained, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingSpec>,
    /// Version of the compression methods.
    pub method_version: u32,
    /// Version of the scoring.
    pub engine_version: u32,
}

/// Everything about its training that decides the numbers of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingSpec {
    /// How the pruned model trained; none where the dense model was trained, and compressed then.
    pub mode: Option<String>,
    /// SHA-256 of the training examples.
    pub examples: String,
    /// Tokens of a text.
    pub max_length: usize,
    /// The budget, with the seed.
    pub recipe: Recipe,
    /// Version of the training.
    pub version: u32,
}

/// A finished cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What it is.
    pub spec: CellSpec,
    /// Bits per compressed weight.
    pub effective_bits: f64,
    /// The share of compressed weights that are zero.
    pub sparsity: f64,
    /// What it took.
    #[serde(default)]
    pub cost: Cost,
    /// One per question, in the variant's order.
    pub answers: Vec<Answer>,
}

/// Time spent, which decides no number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Tokens scored, shared beginnings once.
    pub tokens: usize,
    /// Seconds of scoring.
    pub scoring: f64,
    /// Seconds of compressing the model, once for all its cells of one run.
    pub compressing: f64,
    /// Seconds of training.
    #[serde(default)]
    pub training: f64,
}

/// What the model made of one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The base item.
    pub id: String,
    /// The right choice.
    pub gold: usize,
    /// ln p of each choice; of a free answer, of each right one.
    pub loglikelihood: Vec<f64>,
    /// Of a free answer: whether greedy decoding would give each right one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greedy: Option<Vec<bool>>,
    /// Whether the likeliest choice is the right one, or greedy decoding gives a right answer.
    pub correct: bool,
    /// Whether the choice that is likeliest per character is the right one.
    pub correct_normalized: bool,
}

impl Answer {
    pub(crate) fn new(id: &str, form: Form, outcome: &Outcome) -> Self {
        let free = form == Form::Free;
        let greedy = outcome.is_greedy.iter().any(|&greedy| greedy);
        Self {
            id: id.to_owned(),
            gold: outcome.gold,
            correct: if free { greedy } else { outcome.correct() },
            correct_normalized: if free { greedy } else { outcome.correct_normalized() },
            greedy: free.then(|| outcome.is_greedy.clone()),
            loglikelihood: outcome.loglikelihood.clone(),
        }
    }

    /// The choice that the model takes: the likeliest; of a free answer the right one that it gives, if it gives one.
    pub fn chosen(&self) -> Option<usize> {
        match &self.greedy {
            Some(greedy) => greedy.iter().position(|&greedy| greedy),
            None => {
                let first = (None, f64::NEG_INFINITY);
                let best =
                    |best: (Option<usize>, f64), (at, &l): (usize, &f64)| if l > best.1 { (Some(at), l) } else { best };
                self.loglikelihood.iter().enumerate().fold(first, best).0
            }
        }
    }

    /// Choices to guess among; 0 where nothing can be guessed.
    pub fn choices(&self) -> usize {
        if self.greedy.is_some() { 0 } else { self.loglikelihood.len() }
    }
}

impl CellSpec {
    pub(crate) fn new(
        model: &str,
        device: &str,
        compression: &Compression,
        samples: &[TokenTree],
        variant: &Variant,
    ) -> Self {
        let questions = serde_json::to_vec(&variant.items).unwrap_or_default();
        Self {
            model: model.to_owned(),
            device: device.to_owned(),
            compression: compression.clone(),
            calibration: compression.needs_calibration().then(|| digest(samples)),
            variant: variant.name.clone(),
            questions: hex(&Sha256::digest(questions)),
            training: None,
            method_version: compression.version(),
            engine_version: ENGINE_VERSION,
        }
    }

    /// The compressed model's name, with how it was trained; models that differ in their seed of training share it.
    pub fn model_name(&self) -> String {
        match self.mode() {
            None => self.compression.name(),
            Some(mode) => format!("{}, {mode}", self.compression.name()),
        }
    }

    /// The line of the report that the model is a point of; `None` for the dense model.
    pub fn series(&self) -> Option<Series> {
        let series = self.compression.series()?;
        Some(match self.mode() {
            None => series,
            Some(mode) => Series::Other(format!("{}, {mode}", series_name(&series))),
        })
    }

    /// How the pruned model trained, if it did.
    pub fn mode(&self) -> Option<&str> {
        self.training.as_ref()?.mode.as_deref()
    }

    /// The seed of training.
    pub fn seed(&self) -> Option<u64> {
        Some(self.training.as_ref()?.recipe.seed)
    }

    /// A hash of all of it: the name of the cell's file.
    pub fn key(&self) -> String {
        // Field order is fixed by the struct, so equal specs have equal JSON.
        hex(&Sha256::digest(serde_json::to_vec(self).unwrap_or_default())[..16])
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.key()))
    }
}

impl Cell {
    /// The cell of this spec, if it was finished before, in a folder of cells.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or is not that cell.
    pub fn find(spec: &CellSpec, folder: &Path) -> Result<Option<Self>, ExperimentError> {
        let path = spec.file(folder);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ExperimentError::Io { path, source }),
        };
        let broken = |problem: String| ExperimentError::Results { path: path.clone(), problem };
        let cell: Self = serde_json::from_str(&text)
            .map_err(|error| broken(format!("is no result: {error}; delete it to compute it again")))?;
        if cell.spec != *spec {
            return Err(broken("holds the result of another cell; delete it to compute it again".into()));
        }
        Ok(Some(cell))
    }

    /// Writes the cell into a folder of cells; whole or not at all.
    ///
    /// # Errors
    /// [`ExperimentError::Io`], for example on a full disk.
    pub fn save(&self, folder: &Path) -> Result<(), ExperimentError> {
        let text = serde_json::to_vec(self).map_err(|error| ExperimentError::Render(error.to_string()))?;
        write_whole(&self.spec.file(folder), &text)
    }
}

fn digest(samples: &[TokenTree]) -> String {
    let mut hash = Sha256::new();
    for sample in samples {
        hash.update((sample.len() as u64).to_le_bytes());
        sample.tokens().iter().for_each(|token| hash.update(token.to_le_bytes()));
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
