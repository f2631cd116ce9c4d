//! What a checkpoint's architecture is and how large its parts are.

mod bert;
mod fields;
mod gguf;
mod llama;

pub use bert::{BertConfig, BertFamily};
pub(crate) use gguf::published_llama3_divisors;
pub use llama::{LlamaConfig, RopeScaling};

use crate::checkpoint::read_text;
use crate::error::ModelError;
use crate::gguf::Gguf;
use fields::Fields;
use serde_json::Value;
use std::path::Path;

/// The architectures that are implemented, by their Hugging Face `model_type`.
const SUPPORTED: &str = "llama (LlamaForCausalLM), bert (BertModel) and roberta (RobertaModel)";

/// The configuration of a model of any supported architecture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ModelConfig {
    /// A decoder: Llama, SmolLM, TinyLlama and others of that shape.
    Llama(LlamaConfig),
    /// An encoder: BERT, MiniLM and others of that shape.
    Bert(BertConfig),
}

impl ModelConfig {
    /// Reads `config.json` of a Hugging Face folder.
    ///
    /// # Errors
    /// A missing or malformed file, an unsupported architecture, a field that is missing or impossible.
    pub fn from_folder(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        Self::from_json(&read_json(&path)?, &path)
    }

    /// Reads the contents of a `config.json`; `path` is said in errors.
    ///
    /// # Errors
    /// An unsupported architecture, a field that is missing or impossible.
    pub fn from_json(value: &Value, path: &Path) -> Result<Self, ModelError> {
        let fields = Fields::new(value, path)?;
        match model_type(&fields)?.as_str() {
            "llama" => LlamaConfig::from_fields(&fields).map(Self::Llama),
            "bert" => BertConfig::from_fields(&fields, BertFamily::Bert).map(Self::Bert),
            "roberta" => BertConfig::from_fields(&fields, BertFamily::Roberta).map(Self::Bert),
            other => Err(unknown_architecture(path, other)),
        }
    }

    /// Reads the metadata of a GGUF file.
    ///
    /// # Errors
    /// An unsupported architecture, a field that is missing or impossible.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        match gguf.text("general.architecture")? {
            "llama" => gguf::llama(gguf).map(Self::Llama),
            other => Err(ModelError::UnknownArchitecture {
                path: gguf.path().to_owned(),
                found: other.to_owned(),
                supported: "llama (in GGUF files)".to_owned(),
            }),
        }
    }

    /// The contents of a `config.json` that Hugging Face Transformers loads.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Llama(config) => config.to_json(),
            Self::Bert(config) => config.to_json(),
        }
    }

    /// The number of tokens that the embedding table has rows for.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Llama(config) => config.vocab_size,
            Self::Bert(config) => config.vocab_size,
        }
    }
}

/// How the weights of a folder are stored, where they are not floats.
pub(crate) fn quantization_config(folder: &Path) -> Result<Option<Value>, ModelError> {
    let config = read_json(&folder.join("config.json"))?;
    // Releases of compressed-tensors before 0.5 wrote the second name.
    let found = ["quantization_config", "compression_config"].into_iter().find_map(|key| config.get(key));
    Ok(found.filter(|value| !value.is_null()).cloned())
}

fn read_json(path: &Path) -> Result<Value, ModelError> {
    serde_json::from_str(&read_text(path)?).map_err(|error| ModelError::format(path, "JSON", error.to_string()))
}

/// `model_type`, or for old configurations the first of `architectures`.
fn model_type(fields: &Fields<'_>) -> Result<String, ModelError> {
    if let Some(found) = fields.text("model_type")? {
        return Ok(found.to_owned());
    }
    let first = fields.first_text("architectures")?.unwrap_or("none");
    Ok(if first.starts_with("Llama") {
        "llama".to_owned()
    } else if first.starts_with("Bert") {
        "bert".to_owned()
    } else if first.starts_with("Roberta") {
        "roberta".to_owned()
    } else {
        first.to_owned()
    })
}

fn unknown_architecture(path: &Path, found: &str) -> ModelError {
    ModelError::UnknownArchitecture { path: path.to_owned(), found: found.to_owned(), supported: SUPPORTED.to_owned() }
}

/// Checks that attention heads share a width evenly.
fn check_divides(path: &Path, field: &str, divisor: usize, of: &str, whole: usize) -> Result<(), ModelError> {
    if divisor != 0 && whole.is_multiple_of(divisor) {
        return Ok(());
    }
    let problem = format!("is {divisor}, it must divide {of}, which is {whole}");
    Err(ModelError::config(path, field, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(value: Value) -> String {
        let path = Path::new("config.json");
        ModelConfig::from_json(&value, path).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_architecture_lists_the_supported_ones() {
        let message = error(json!({"model_type": "mamba"}));
        assert_eq!(
            message,
            "config.json: architecture `mamba` is not supported; supported are llama (LlamaForCausalLM), bert (BertModel) and roberta (RobertaModel)"
        );
        assert!(error(json!({})).contains("architecture `none`"));
        assert!(error(json!([1])).contains("must be a JSON object"));
    }

    #[test]
    fn the_class_name_stands_in_for_a_missing_model_type() {
        let message = error(json!({"architectures": ["LlamaForCausalLM"]}));
        assert!(message.contains("field `hidden_size`"), "{message}");
    }
}
