//! Samples of real text, for methods that go by what the weights multiply.

use crate::ExperimentError;
use junkdna_backend::calibration::batches;
use junkdna_backend::{Seed, TokenTree};
use junkdna_eval::Task;
use junkdna_model::Tokenizer;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Tokens that a block computes at once.
const BATCH_TOKENS: usize = 1024;

/// Where calibration samples come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// A text file; a task file (`.toml`), whose questions with their right answers are the text; or JSON lines (`.jsonl`),
    /// each with `text`, or with `input_ids`, which is a sample as it is.
    pub file: PathBuf,
    /// How many samples.
    #[serde(default = "Calibration::default_samples")]
    pub samples: usize,
    /// Tokens of a sample.
    #[serde(default = "Calibration::default_length")]
    pub length: usize,
    /// Which of the text's windows are taken.
    #[serde(default)]
    pub seed: u64,
}

/// A line of JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Text { text: String },
    Tokens { input_ids: Vec<u32> },
}

/// What a file holds.
enum Found {
    Text(String),
    Samples(Vec<Vec<u32>>),
}

impl Calibration {
    fn default_samples() -> usize {
        128
    }

    fn default_length() -> usize {
        256
    }

    /// `length` tokens of a file, 128 times.
    pub fn of(file: PathBuf) -> Self {
        Self { file, samples: Self::default_samples(), length: Self::default_length(), seed: 0 }
    }

    /// The samples, packed: windows of the file's tokens that do not overlap, drawn with the seed.
    ///
    /// # Errors
    /// A file that cannot be read or is not what its ending says, by line; one that is shorter than a sample; a token that
    /// the model does not know.
    pub fn read(&self, tokenizer: &Tokenizer, vocab_size: usize) -> Result<Vec<TokenTree>, ExperimentError> {
        let wrong = |problem: String| ExperimentError::Calibration { path: self.file.clone(), problem };
        if self.length < 2 || self.samples == 0 {
            return Err(wrong(format!(
                "{} samples of {} tokens; at least 1 of 2 is needed",
                self.samples, self.length
            )));
        }
        let mut samples = match read(&self.file)? {
            Found::Text(text) => windows(&tokenizer.encode(&text)?, self.length),
            Found::Samples(samples) => samples,
        };
        if samples.is_empty() {
            return Err(wrong(format!("is shorter than one sample of {} tokens", self.length)));
        }
        if let Some(token) = samples.iter().flatten().find(|&&token| token as usize >= vocab_size) {
            return Err(wrong(format!("token {token} is not one of the {vocab_size} that the model knows")));
        }
        samples.shuffle(&mut Seed(self.seed).rng());
        if samples.len() < self.samples {
            tracing::warn!("{}: holds {} samples, {} were asked for", self.file.display(), samples.len(), self.samples);
        }
        samples.truncate(self.samples);
        samples.iter_mut().for_each(|sample| sample.truncate(self.length));
        Ok(batches(&samples, BATCH_TOKENS))
    }
}

fn windows(tokens: &[u32], length: usize) -> Vec<Vec<u32>> {
    tokens.chunks_exact(length).map(<[u32]>::to_vec).collect()
}

fn read(file: &Path) -> Result<Found, ExperimentError> {
    let text = || std::fs::read_to_string(file).map_err(|source| ExperimentError::Io { path: file.to_owned(), source });
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("toml") => {
            let (_, documents) = Task::read(file, None)?;
            let questions = documents.iter().map(|d| format!("{}{}\n\n", d.context, d.continuations[d.gold]));
            Ok(Found::Text(questions.collect()))
        }
        Some("jsonl") => lines(file, &text()?),
        _ => text().map(Found::Text),
    }
}

fn lines(file: &Path, text: &str) -> Result<Found, ExperimentError> {
    let (mut texts, mut samples) = (String::new(), Vec::new());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let problem = |error| format!("line {}: {error}; `text` or `input_ids` is expected", number + 1);
        let line = serde_json::from_str(line);
        match line.map_err(|e| ExperimentError::Calibration { path: file.to_owned(), problem: problem(e) })? {
            Line::Text { text } => texts.extend([text.as_str(), "\n\n"]),
            Line::Tokens { input_ids } => samples.push(input_ids),
        }
    }
    samples.retain(|sample| !sample.is_empty());
    match (texts.is_empty(), samples.is_empty()) {
        (false, false) => Err(ExperimentError::Calibration {
            path: file.to_owned(),
            problem: "has both `text` and `input_ids`; give one".into(),
        }),
        (false, true) => Ok(Found::Text(texts)),
        _ => Ok(Found::Samples(samples)),
    }
}
