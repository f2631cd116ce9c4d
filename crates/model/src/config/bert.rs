//! The configuration of BERT models.

use super::check_divides;
use super::fields::Fields;
use crate::error::ModelError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Each class gets a name when a configuration is written.
const MAX_LABELS: usize = 1 << 16;

/// Encoders of BERT's shape that differ in positions, heads and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BertFamily {
    /// Positions count from 0, the pooler reads the first token.
    #[default]
    Bert,
    /// Positions count from after the padding token's id; no pooler.
    Roberta,
}

impl BertFamily {
    /// The `model_type`, and the name that task models keep the encoder under.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
        }
    }

    /// How the names of its classes begin.
    pub fn class_prefix(self) -> &'static str {
        match self {
            Self::Bert => "Bert",
            Self::Roberta => "Roberta",
        }
    }
}

/// Sizes and constants of a BERT encoder, named as in Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct BertConfig {
    /// BERT or RoBERTa.
    pub family: BertFamily,
    /// The class that the checkpoint belongs to, such as `BertModel` or `BertForSequenceClassification`.
    pub architecture: String,
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of encoder layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads; divides the hidden size.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// The activation of the feed-forward layer; `gelu` (exact) is the one supported.
    pub hidden_act: String,
    /// Rows of the position embedding table.
    pub max_position_embeddings: usize,
    /// Rows of the segment embedding table.
    pub type_vocab_size: usize,
    /// Added to the variance in the norms.
    pub layer_norm_eps: f64,
    /// Dropout of the hidden states in training.
    pub hidden_dropout_prob: f64,
    /// Dropout of the attention weights in training.
    pub attention_probs_dropout_prob: f64,
    /// The token that fills batches.
    pub pad_token_id: Option<u32>,
    /// Number of classes of a classification head, where the configuration says it.
    pub num_labels: Option<usize>,
    /// Their names, where they are known.
    pub labels: Option<Vec<String>>,
}

impl BertConfig {
    pub(super) fn from_fields(fields: &Fields<'_>, family: BertFamily) -> Result<Self, ModelError> {
        check_positions(fields)?;
        let labels = fields.optional_count("num_labels")?;
        let unnamed = |names: &Vec<String>| names.iter().enumerate().all(|(i, name)| *name == label(i));
        let names = fields.names("id2label")?.filter(|names| !unnamed(names));
        let encoder = format!("{}Model", family.class_prefix());
        let config = Self {
            family,
            architecture: fields.first_text("architectures")?.unwrap_or(&encoder).to_owned(),
            vocab_size: fields.count("vocab_size")?,
            hidden_size: fields.count("hidden_size")?,
            num_hidden_layers: fields.count("num_hidden_layers")?,
            num_attention_heads: fields.count("num_attention_heads")?,
            intermediate_size: fields.count("intermediate_size")?,
            hidden_act: fields.text("hidden_act")?.unwrap_or("gelu").to_owned(),
            max_position_embeddings: fields.count("max_position_embeddings")?,
            type_vocab_size: fields.optional_count("type_vocab_size")?.unwrap_or(2),
            layer_norm_eps: fields.positive("layer_norm_eps")?.unwrap_or(1e-12),
            hidden_dropout_prob: fields.probability("hidden_dropout_prob")?.unwrap_or(0.1),
            attention_probs_dropout_prob: fields.probability("attention_probs_dropout_prob")?.unwrap_or(0.1),
            pad_token_id: fields.tokens("pad_token_id")?.first().copied(),
            num_labels: labels.or(fields.entries("id2label")?),
            labels: names,
        };
        config.validate(fields.path())?;
        Ok(config)
    }

    /// Whether checkpoints of its class hold a head.
    pub fn has_head(&self) -> bool {
        self.architecture.ends_with("ForSequenceClassification")
    }

    /// The row of the position table that the first token takes.
    pub fn first_position(&self) -> usize {
        match self.family {
            BertFamily::Bert => 0,
            BertFamily::Roberta => self.pad_token_id.map_or(0, |pad| pad as usize) + 1,
        }
    }

    /// The longest sequence that the position table has rows for.
    pub fn context_length(&self) -> usize {
        self.max_position_embeddings.saturating_sub(self.first_position())
    }

    /// Checks that the sizes fit one another; `path` is said in errors.
    ///
    /// # Errors
    /// A size of zero, heads that do not divide evenly, or an unsupported activation.
    pub fn validate(&self, path: &Path) -> Result<(), ModelError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(ModelError::config(path, *field, "is 0, it must be positive"));
        }
        if self.num_labels.is_some_and(|labels| labels > MAX_LABELS) {
            let problem = format!("must be at most {MAX_LABELS}");
            return Err(ModelError::config(path, "num_labels", problem));
        }
        if self.hidden_act != "gelu" {
            let problem = format!("is `{}`, it must be `gelu`", self.hidden_act);
            return Err(ModelError::config(path, "hidden_act", problem));
        }
        check_divides(path, "num_attention_heads", self.num_attention_heads, "hidden_size", self.hidden_size)
    }

    /// The contents of a `config.json` that Hugging Face Transformers loads.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "architectures": [self.architecture],
            "model_type": self.family.model_type(),
            "torch_dtype": "float32",
            "dtype": "float32",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act,
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": self.type_vocab_size,
            "layer_norm_eps": self.layer_norm_eps,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "position_embedding_type": "absolute",
            "pad_token_id": self.pad_token_id,
        });
        if let Some(count) = self.num_labels {
            let name = |i: usize| self.labels.as_ref().and_then(|l| l.get(i).cloned()).unwrap_or_else(|| label(i));
            value["id2label"] = Value::Object((0..count).map(|i| (i.to_string(), json!(name(i)))).collect());
            value["label2id"] = Value::Object((0..count).map(|i| (name(i), i.into())).collect());
        }
        value
    }
}

impl TryFrom<Value> for BertConfig {
    type Error = ModelError;

    fn try_from(value: Value) -> Result<Self, ModelError> {
        let fields = Fields::new(&value, Path::new("config.json"))?;
        let roberta = fields.text("model_type")? == Some("roberta");
        Self::from_fields(&fields, if roberta { BertFamily::Roberta } else { BertFamily::Bert })
    }
}

impl From<BertConfig> for Value {
    fn from(config: BertConfig) -> Self {
        config.to_json()
    }
}

/// The name that Transformers gives to a class without one.
fn label(index: usize) -> String {
    format!("LABEL_{index}")
}

fn check_positions(fields: &Fields<'_>) -> Result<(), ModelError> {
    match fields.text("position_embedding_type")? {
        None | Some("absolute") => Ok(()),
        Some(other) => Err(fields.error("position_embedding_type", format!("is `{other}`, it must be `absolute`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Value {
        json!({
            "model_type": "bert", "vocab_size": 32, "hidden_size": 12, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 16,
        })
    }

    fn with(field: &str, value: Value) -> Result<BertConfig, String> {
        let mut config = tiny();
        config[field] = value;
        BertConfig::try_from(config).map_err(|error| error.to_string())
    }

    #[test]
    fn a_configuration_survives_being_written_and_read() {
        let config = with("num_labels", json!(3)).unwrap();
        assert_eq!(config.num_labels, Some(3));
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.contains("LABEL_2"));
        assert_eq!(serde_json::from_str::<BertConfig>(&text).unwrap(), config);
    }

    #[test]
    fn impossible_fields_are_errors_that_name_them() {
        for (field, value, words) in [
            ("hidden_size", json!(0), "field `hidden_size`: is 0"),
            ("num_attention_heads", json!(5), "must divide hidden_size"),
            ("hidden_act", json!("relu"), "must be `gelu`"),
            ("position_embedding_type", json!("relative_key"), "must be `absolute`"),
            ("hidden_dropout_prob", json!(1.5), "from 0 to below 1"),
            ("layer_norm_eps", json!(0), "a positive number"),
            ("id2label", json!([1]), "field `id2label`"),
        ] {
            let message = with(field, value).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
