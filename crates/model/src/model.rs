//! A model of any supported architecture, with its tokenizer.

use crate::checkpoint::Checkpoint;
use crate::source::Resolved;
use crate::{Bert, BertConfig, Llama, ModelConfig, ModelError, Tokenizer, export, load, write_folder};
use burn::module::Module;
use burn::tensor::Device;
use junkdna_backend::TokenCodec;
use std::path::Path;

/// A model of one of the supported architectures.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one model at a time, and its weights are behind pointers anyway"
)]
pub enum Model {
    /// A decoder.
    Llama(Llama),
    /// An encoder.
    Bert(Bert),
}

/// A model on a device, its tokenizer, and where both came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The model.
    pub model: Model,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The source as the user wrote it.
    pub source: String,
    /// The types that the weights were stored in, for reports.
    pub precision: String,
}

impl Model {
    /// The model of a checkpoint.
    ///
    /// # Errors
    /// Tensors that are missing, have another shape, hold a NaN or an infinity, or have no place in the architecture.
    pub fn load(config: &ModelConfig, checkpoint: &dyn Checkpoint, device: &Device) -> Result<Self, ModelError> {
        match config {
            ModelConfig::Llama(config) => load(Llama::new(config, device), checkpoint, str::to_owned).map(Self::Llama),
            ModelConfig::Bert(config) => bert(config, checkpoint, device).map(Self::Bert),
        }
    }

    /// The sizes and constants it was made with.
    pub fn config(&self) -> ModelConfig {
        match self {
            Self::Llama(model) => ModelConfig::Llama(model.config().clone()),
            Self::Bert(model) => ModelConfig::Bert(model.config().clone()),
        }
    }

    /// How many numbers it consists of.
    pub fn num_parameters(&self) -> usize {
        match self {
            Self::Llama(model) => model.num_params(),
            Self::Bert(model) => model.num_params(),
        }
    }
}

fn bert(config: &BertConfig, checkpoint: &dyn Checkpoint, device: &Device) -> Result<Bert, ModelError> {
    let names = checkpoint.names();
    let family = format!("{}.", config.family.model_type());
    let prefix = if names.iter().any(|name| name.starts_with(&family)) { family } else { String::new() };
    let with_pooler = names.contains(&format!("{prefix}pooler.dense.weight"));
    let empty = Bert::new(config, with_pooler, config.has_head(), device);
    let name = |path: &str| {
        let name = empty.tensor_name(path);
        // An encoder that was saved out of a task model has the prefix without the head.
        if name.starts_with("classifier.") || name.starts_with(&prefix) { name } else { format!("{prefix}{name}") }
    };
    load(empty.clone(), checkpoint, name)
}

impl Loaded {
    /// The same function with less, see [`Llama::shrink`] and [`Bert::shrink`].
    pub fn shrink(self) -> Self {
        Self { model: self.model.shrink(), ..self }
    }

    /// Loads what a source was resolved to.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_resolved(resolved: Resolved, device: &Device) -> Result<Self, ModelError> {
        Ok(Self {
            model: Model::load(&resolved.config, resolved.checkpoint.as_ref(), device)?,
            precision: resolved.checkpoint.describe_precision(),
            tokenizer: resolved.tokenizer,
            source: resolved.source,
        })
    }

    /// Writes a Hugging Face folder that Transformers loads: `config.json`, `model.safetensors` in `F32`, the tokenizer.
    ///
    /// # Errors
    /// A folder that exists already, or a file that cannot be written; nothing is left half-written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        write_folder(folder, |folder| {
            let config = format!("{:#}\n", self.model.config().to_json());
            let path = folder.join("config.json");
            std::fs::write(&path, config).map_err(|source| ModelError::Io { path, source })?;
            let weights = folder.join("model.safetensors");
            match &self.model {
                Model::Llama(model) => export(model, &weights, str::to_owned)?,
                Model::Bert(model) => export(model, &weights, |path| model.tensor_name(path))?,
            }
            self.tokenizer.save(folder)
        })
    }
}

impl TokenCodec for Tokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.encode(text).map_err(|error| error.to_string())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.decode(tokens, false).map_err(|error| error.to_string())
    }

    fn prefix_token(&self) -> Option<u32> {
        self.bos().or(self.eos())
    }

    fn end_token(&self) -> Option<u32> {
        self.eos()
    }
}
