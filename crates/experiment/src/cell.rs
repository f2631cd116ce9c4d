//! The smallest piece of an experiment: one compressed model on one task variant.

use crate::{Compression, ExperimentError, write_whole};
use junkdna_backend::TokenTree;
use junkdna_difficulty::suite::Variant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Rises whenever scoring gives other numbers than before.
const ENGINE_VERSION: u32 = 1;

/// Everything that decides the numbers of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellSpec {
    /// The model's source, its revision, and the precision of its checkpoint.
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
    /// Version of the compression methods.
    pub method_version: u32,
    /// Version of the scoring.
    pub engine_version: u32,
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
    /// One per question, in the suite's order.
    pub answers: Vec<Answer>,
}

/// What the model made of one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The base item.
    pub id: String,
    /// The right choice.
    pub gold: usize,
    /// ln p of each choice.
    pub loglikelihood: Vec<f64>,
    /// Whether the likeliest choice is the right one.
    pub correct: bool,
    /// Whether the choice that is likeliest per character is the right one.
    pub correct_normalized: bool,
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
            method_version: compression.version(),
            engine_version: ENGINE_VERSION,
        }
    }

    /// A hash of all of it: the name of the cell's file.
    pub fn key(&self) -> String {
        // Field order is fixed by the struct, so equal specs have equal JSON.
        hex(&Sha256::digest(serde_json::to_vec(self).unwrap_or_default())[..16])
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join("cells").join(format!("{}.json", self.key()))
    }
}

impl Cell {
    /// The cell of this spec, if it was finished before.
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

    /// Writes the cell; whole or not at all.
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
