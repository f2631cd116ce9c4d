//! A model of any supported architecture, with its tokenizer.

use crate::checkpoint::Checkpoint;
use crate::source::Resolved;
use crate::{Bert, BertConfig, LinearName, Llama, ModelConfig, ModelError, SparseLayout, Storage, Tokenizer};
use crate::{export, export_as, linears, load, load_compact, write_folder};
use burn::module::Module;
use burn::tensor::Device;
use junkdna_backend::{Blocks, HostMatrix, Selection, TokenCodec, weights};
use std::collections::{BTreeMap, BTreeSet};
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
            ModelConfig::Llama(config) => {
                let model = load(Llama::new(config, device), checkpoint, str::to_owned)?;
                with_rounded_inputs(model, checkpoint, str::to_owned).map(Self::Llama)
            }
            ModelConfig::Bert(config) => bert(config, checkpoint, device).map(Self::Bert),
        }
    }

    /// As [`load`](Self::load), but what the checkpoint stores in few bits stays so: for scoring.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_compact(
        config: &ModelConfig,
        checkpoint: &dyn Checkpoint,
        device: &Device,
    ) -> Result<Self, ModelError> {
        match config {
            ModelConfig::Llama(config) => {
                let model = load_compact(Llama::new(config, device), checkpoint, str::to_owned)?;
                with_rounded_inputs(model, checkpoint, str::to_owned).map(Self::Llama)
            }
            // Encoders are small, and nothing scores them yet.
            ModelConfig::Bert(_) => Self::load(config, checkpoint, device),
        }
    }

    /// Its linears as Transformers has them, in its order: a head that is the embedding table is one too.
    pub fn linears(&self) -> Vec<LinearName> {
        match self {
            Self::Llama(model) => {
                let mut all = linears(model, str::to_owned);
                if model.lm_head.is_none() {
                    all.push(LinearName { path: "lm_head.weight".into(), module: "lm_head".into() });
                }
                all
            }
            Self::Bert(model) => linears(model, |path| model.tensor_name(path)),
        }
    }

    /// How the linears that `paths` names, by parameter path, are stored in a sparse layout of compressed-tensors.
    ///
    /// # Errors
    /// [`ModelError::Sparse`] for a weight that the layout cannot hold.
    pub fn sparse(&self, layout: SparseLayout, paths: &BTreeSet<String>) -> Result<Storage, ModelError> {
        let selection = Selection::default();
        let all = match self {
            Self::Llama(model) => weights(model, &selection),
            Self::Bert(model) => weights(model, &selection),
        };
        let chosen = all.into_iter().filter(|weight| paths.contains(&weight.path));
        let chosen: Vec<_> = chosen.map(|w| (w.path, HostMatrix::from_weight(w.value))).collect();
        layout.storage(chosen, &self.linears())
    }

    /// The sizes and constants it was made with.
    pub fn config(&self) -> ModelConfig {
        match self {
            Self::Llama(model) => ModelConfig::Llama(model.config().clone()),
            Self::Bert(model) => ModelConfig::Bert(model.config().clone()),
        }
    }

    /// Whether some linears read their inputs in few bits.
    pub fn rounds_inputs(&self) -> bool {
        match self {
            Self::Llama(model) => model.rounds_inputs(),
            Self::Bert(model) => model.rounds_inputs(),
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

/// The model with inputs of linears rounded as the checkpoint says; `path` is the parameter path of a tensor.
fn with_rounded_inputs<M: Blocks>(
    mut model: M,
    checkpoint: &dyn Checkpoint,
    path: impl Fn(&str) -> String,
) -> Result<M, ModelError> {
    let mut by_bits: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for name in checkpoint.names() {
        if let Some(bits) = checkpoint.input_bits(&name) {
            by_bits.entry(bits).or_default().insert(path(&name));
        }
    }
    for (bits, weights) in by_bits {
        model = model.with_rounded_inputs(&weights, bits).ok_or_else(|| {
            let problem = "says that inputs are rounded which this cannot round: of linears outside the blocks, or of some of those \
                           that share an input";
            ModelError::config(&checkpoint.location().join("config.json"), "quantization_config", problem)
        })?;
    }
    Ok(model)
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
    let path = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).replace(".self.", ".self_attention.");
    with_rounded_inputs(load(empty.clone(), checkpoint, name)?, checkpoint, path)
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

    /// As [`from_resolved`](Self::from_resolved), with the model of [`Model::load_compact`].
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn compact_from_resolved(resolved: Resolved, device: &Device) -> Result<Self, ModelError> {
        Ok(Self {
            model: Model::load_compact(&resolved.config, resolved.checkpoint.as_ref(), device)?,
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
        self.save_with(folder, None)
    }

    /// As [`save`](Self::save), with weights stored as `storage` has them.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_as(&self, folder: &Path, storage: &Storage) -> Result<(), ModelError> {
        self.save_with(folder, Some(storage))
    }

    fn save_with(&self, folder: &Path, storage: Option<&Storage>) -> Result<(), ModelError> {
        if storage.is_none() && self.model.rounds_inputs() {
            tracing::warn!("{}: a folder of floats does not say that inputs of linears are rounded", folder.display());
        }
        write_folder(folder, |folder| {
            let mut config = self.model.config().to_json();
            if let Some(storage) = storage {
                config["quantization_config"] = storage.quantization_config.clone();
            }
            let path = folder.join("config.json");
            std::fs::write(&path, format!("{config:#}\n")).map_err(|source| ModelError::Io { path, source })?;
            let weights = folder.join("model.safetensors");
            match (&self.model, storage) {
                (Model::Llama(model), None) => export(model, &weights, str::to_owned)?,
                (Model::Bert(model), None) => export(model, &weights, |path| model.tensor_name(path))?,
                (Model::Llama(model), Some(storage)) => export_as(model, &weights, str::to_owned, storage)?,
                (Model::Bert(model), Some(storage)) => {
                    export_as(model, &weights, |path| model.tensor_name(path), storage)?;
                }
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
