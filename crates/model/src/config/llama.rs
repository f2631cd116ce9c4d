//! The configuration of Llama models.

use super::check_divides;
use super::fields::Fields;
use crate::error::ModelError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Sizes and constants of a Llama decoder, named as in Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct LlamaConfig {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of decoder blocks.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads; divides the number of query heads.
    pub num_key_value_heads: usize,
    /// Width of one head, an even number.
    pub head_dim: usize,
    /// The longest sequence that the model was trained for.
    pub max_position_embeddings: usize,
    /// Added to the mean square in the norms.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding's frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies are stretched beyond the pre-training length.
    pub rope_scaling: RopeScaling,
    /// Whether the LM head is the embedding table.
    pub tie_word_embeddings: bool,
    /// Whether the projections of the attention have biases.
    pub attention_bias: bool,
    /// Whether the projections of the feed-forward layer have biases.
    pub mlp_bias: bool,
    /// The token that begins a sequence.
    pub bos_token_id: Option<u32>,
    /// The tokens that end a sequence; the first is the one to train with.
    pub eos_token_ids: Vec<u32>,
    /// The token that fills batches.
    pub pad_token_id: Option<u32>,
}

/// How rotary frequencies are stretched for long contexts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum RopeScaling {
    /// Frequencies as trained.
    #[default]
    None,
    /// All positions divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by a factor, high ones kept, a ramp between.
    Llama3 {
        /// The divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_max_position_embeddings / low_freq_factor` are stretched fully.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_position_embeddings / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// The context length of pre-training.
        original_max_position_embeddings: usize,
    },
}

impl LlamaConfig {
    pub(super) fn from_fields(fields: &Fields<'_>) -> Result<Self, ModelError> {
        check_activation(fields)?;
        let hidden_size = fields.count("hidden_size")?;
        let num_attention_heads = fields.count("num_attention_heads")?;
        let config = Self {
            vocab_size: fields.count("vocab_size")?,
            hidden_size,
            intermediate_size: fields.count("intermediate_size")?,
            num_hidden_layers: fields.count("num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: fields.optional_count("num_key_value_heads")?.unwrap_or(num_attention_heads),
            head_dim: match fields.optional_count("head_dim")? {
                Some(head_dim) => head_dim,
                None => head_dim(fields.path(), hidden_size, num_attention_heads)?,
            },
            max_position_embeddings: fields.optional_count("max_position_embeddings")?.unwrap_or(2048),
            rms_norm_eps: fields.positive("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope_theta(fields)?,
            rope_scaling: rope_scaling(fields)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            attention_bias: fields.flag("attention_bias")?.unwrap_or(false),
            mlp_bias: fields.flag("mlp_bias")?.unwrap_or(false),
            bos_token_id: fields.tokens("bos_token_id")?.first().copied(),
            eos_token_ids: fields.tokens("eos_token_id")?,
            pad_token_id: fields.tokens("pad_token_id")?.first().copied(),
        };
        config.validate(fields.path())?;
        Ok(config)
    }

    /// Checks that the sizes fit one another; `path` is said in errors.
    ///
    /// # Errors
    /// A size of zero, heads that do not divide evenly, or an odd head width.
    pub fn validate(&self, path: &Path) -> Result<(), ModelError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(ModelError::config(path, *field, "is 0, it must be positive"));
        }
        if !self.head_dim.is_multiple_of(2) {
            let problem = format!("is {}, rotary embeddings need an even number", self.head_dim);
            return Err(ModelError::config(path, "head_dim", problem));
        }
        check_divides(
            path,
            "num_key_value_heads",
            self.num_key_value_heads,
            "num_attention_heads",
            self.num_attention_heads,
        )
    }

    /// The token that ends a sequence in training; [`eos_token_ids`](Self::eos_token_ids) has all.
    pub fn eos_token_id(&self) -> Option<u32> {
        self.eos_token_ids.first().copied()
    }

    /// The contents of a `config.json` that Hugging Face Transformers loads.
    pub fn to_json(&self) -> Value {
        // `rope_theta` and `rope_scaling` are read by every version of Transformers, `rope_parameters` since 5.
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "torch_dtype": "float32",
            "dtype": "float32",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": self.rope_scaling.to_json(),
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.attention_bias,
            "mlp_bias": self.mlp_bias,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": one_or_many(&self.eos_token_ids),
            "pad_token_id": self.pad_token_id,
            "use_cache": true,
        })
    }
}

impl TryFrom<Value> for LlamaConfig {
    type Error = ModelError;

    fn try_from(value: Value) -> Result<Self, ModelError> {
        Self::from_fields(&Fields::new(&value, Path::new("config.json"))?)
    }
}

impl From<LlamaConfig> for Value {
    fn from(config: LlamaConfig) -> Self {
        config.to_json()
    }
}

impl RopeScaling {
    fn to_json(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Linear { factor } => {
                json!({"type": "linear", "rope_type": "linear", "factor": factor})
            }
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_max_position_embeddings,
            }),
        }
    }
}

/// A list of token ids as Transformers writes it: nothing, the one, or all.
fn one_or_many(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [id] => json!(id),
        ids => json!(ids),
    }
}

fn check_activation(fields: &Fields<'_>) -> Result<(), ModelError> {
    match fields.text("hidden_act")? {
        None | Some("silu" | "swish") => Ok(()),
        Some(other) => Err(fields.error("hidden_act", format!("is `{other}`, it must be `silu`"))),
    }
}

/// The width of a head where the heads share the hidden size.
pub(super) fn head_dim(path: &Path, hidden: usize, heads: usize) -> Result<usize, ModelError> {
    check_divides(path, "num_attention_heads", heads, "hidden_size", hidden)?;
    Ok(hidden / heads)
}

/// The rotary base: since Transformers 5 it may stand inside `rope_parameters`.
fn rope_theta(fields: &Fields<'_>) -> Result<f64, ModelError> {
    let nested = match fields.object("rope_parameters.")? {
        Some(rope) => rope.positive("rope_theta")?,
        None => None,
    };
    Ok(nested.or(fields.positive("rope_theta")?).unwrap_or(10_000.0))
}

fn rope_scaling(fields: &Fields<'_>) -> Result<RopeScaling, ModelError> {
    let object = match fields.object("rope_parameters.")? {
        None => fields.object("rope_scaling.")?,
        found => found,
    };
    let Some(rope) = object else {
        return Ok(RopeScaling::None);
    };
    // Older configurations call it `type`.
    let kind = match rope.text("rope_type")? {
        None => rope.text("type")?,
        found => found,
    };
    match kind {
        None | Some("default") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear { factor: rope.required_positive("factor")? }),
        Some("llama3") => llama3(&rope),
        Some(other) => {
            Err(rope.error("rope_type", format!("is `{other}`, it must be `default`, `linear` or `llama3`")))
        }
    }
}

fn llama3(rope: &Fields<'_>) -> Result<RopeScaling, ModelError> {
    let low_freq_factor = rope.required_positive("low_freq_factor")?;
    let high_freq_factor = rope.required_positive("high_freq_factor")?;
    if high_freq_factor <= low_freq_factor {
        let problem = format!("is {high_freq_factor}, it must be above low_freq_factor");
        return Err(rope.error("high_freq_factor", problem));
    }
    Ok(RopeScaling::Llama3 {
        factor: rope.required_positive("factor")?,
        low_freq_factor,
        high_freq_factor,
        original_max_position_embeddings: rope.count("original_max_position_embeddings")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Value {
        json!({
            "model_type": "llama", "vocab_size": 32, "hidden_size": 12, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1,
            "rms_norm_eps": 1e-5, "eos_token_id": [2, 3], "pad_token_id": -1,
        })
    }

    fn parse(value: Value) -> Result<LlamaConfig, String> {
        LlamaConfig::try_from(value).map_err(|error| error.to_string())
    }

    fn with(field: &str, value: Value) -> Result<LlamaConfig, String> {
        let mut config = tiny();
        config[field] = value;
        parse(config)
    }

    #[test]
    fn absent_fields_have_the_defaults_of_transformers() {
        let config = parse(tiny()).unwrap();
        assert_eq!((config.head_dim, config.max_position_embeddings), (4, 2048));
        assert_eq!(config.rope_theta, 10_000.0);
        assert_eq!(config.eos_token_ids, [2, 3]);
        assert_eq!(config.pad_token_id, None);
        assert!(!config.tie_word_embeddings);
    }

    #[test]
    fn a_configuration_survives_being_written_and_read() {
        for scaling in [
            RopeScaling::None,
            RopeScaling::Linear { factor: 2.0 },
            RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_position_embeddings: 8192,
            },
        ] {
            let mut config = parse(tiny()).unwrap();
            config.rope_scaling = scaling;
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<LlamaConfig>(&text).unwrap(), config);
        }
    }

    #[test]
    fn rotary_fields_of_transformers_5_are_read() {
        let config = with("rope_parameters", json!({"rope_type": "default", "rope_theta": 100000}));
        assert_eq!(config.unwrap().rope_theta, 100_000.0);
    }

    #[test]
    fn impossible_fields_are_errors_that_name_them() {
        for (field, value, words) in [
            ("vocab_size", json!(0), "field `vocab_size`: is 0"),
            ("vocab_size", json!(u64::MAX), "field `vocab_size`"),
            ("hidden_size", json!("12"), "field `hidden_size`: is \"12\""),
            ("num_attention_heads", json!(5), "must divide hidden_size, which is 12"),
            ("num_key_value_heads", json!(2), "must divide num_attention_heads"),
            ("head_dim", json!(3), "even number"),
            ("hidden_act", json!("gelu"), "must be `silu`"),
            ("rms_norm_eps", json!(-1.0), "field `rms_norm_eps`"),
            ("tie_word_embeddings", json!("yes"), "true or false"),
            ("eos_token_id", json!("</s>"), "field `eos_token_id`"),
            ("rope_scaling", json!(3), "field `rope_scaling`: must be a JSON object"),
            ("rope_scaling", json!({"type": "yarn"}), "field `rope_scaling.rope_type`: is `yarn`"),
            ("rope_scaling", json!({"type": "linear"}), "field `rope_scaling.factor`: is missing"),
        ] {
            let message = with(field, value).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
