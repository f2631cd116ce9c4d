//! A Llama configuration from the metadata of a GGUF file.

use super::llama::{LlamaConfig, RopeScaling, head_dim};
use crate::error::ModelError;
use crate::gguf::Gguf;

/// The tensor in which converters store the effect of Llama 3.1's frequency scaling.
const ROPE_FREQS: &str = "rope_freqs.weight";
/// What every published Llama 3.1 to 3.3 has: low and high frequency factor, and context length of pre-training.
const LLAMA3: (f64, f64, usize) = (1.0, 4.0, 8192);

/// Reads the configuration of architecture `llama`.
pub(super) fn llama(gguf: &Gguf) -> Result<LlamaConfig, ModelError> {
    refuse_experts(gguf)?;
    let hidden_size = gguf.count("llama.embedding_length")?;
    let num_attention_heads = gguf.count("llama.attention.head_count")?;
    let head_dim = match gguf.optional_count("llama.attention.key_length")? {
        Some(head_dim) => head_dim,
        None => head_dim(gguf.path(), hidden_size, num_attention_heads)?,
    };
    refuse_partial_rotary(gguf, head_dim)?;
    let rope_theta = gguf.positive("llama.rope.freq_base")?.unwrap_or(10_000.0);
    let has = |tensor: &str| gguf.tensors().contains_key(tensor);
    let config = LlamaConfig {
        vocab_size: vocab_size(gguf)?,
        hidden_size,
        intermediate_size: gguf.count("llama.feed_forward_length")?,
        num_hidden_layers: gguf.count("llama.block_count")?,
        num_attention_heads,
        num_key_value_heads: gguf.optional_count("llama.attention.head_count_kv")?.unwrap_or(num_attention_heads),
        head_dim,
        max_position_embeddings: gguf.count("llama.context_length")?,
        rms_norm_eps: gguf
            .positive("llama.attention.layer_norm_rms_epsilon")?
            .ok_or_else(|| gguf.missing("llama.attention.layer_norm_rms_epsilon"))?,
        rope_theta,
        rope_scaling: rope_scaling(gguf, head_dim, rope_theta)?,
        tie_word_embeddings: !has("output.weight"),
        attention_bias: has("blk.0.attn_q.bias"),
        mlp_bias: has("blk.0.ffn_gate.bias"),
        bos_token_id: gguf.token("tokenizer.ggml.bos_token_id")?,
        eos_token_ids: gguf.token("tokenizer.ggml.eos_token_id")?.into_iter().collect(),
        pad_token_id: gguf.token("tokenizer.ggml.padding_token_id")?,
    };
    config.validate(gguf.path())?;
    Ok(config)
}

/// Mixtures of experts call themselves `llama` too.
fn refuse_experts(gguf: &Gguf) -> Result<(), ModelError> {
    match gguf.optional_count("llama.expert_count")? {
        None | Some(0) => Ok(()),
        Some(experts) => Err(ModelError::config(
            gguf.path(),
            "llama.expert_count",
            format!("is {experts}, mixtures of experts are not supported"),
        )),
    }
}

/// Llama rotates whole heads.
fn refuse_partial_rotary(gguf: &Gguf, head_dim: usize) -> Result<(), ModelError> {
    match gguf.optional_count("llama.rope.dimension_count")? {
        Some(rotated) if rotated != head_dim => Err(ModelError::config(
            gguf.path(),
            "llama.rope.dimension_count",
            format!("is {rotated}, it must be the head width, {head_dim}"),
        )),
        _ => Ok(()),
    }
}

/// The rows of the embedding table, or where there is none the metadata's word for it.
fn vocab_size(gguf: &Gguf) -> Result<usize, ModelError> {
    let rows = gguf.tensors().get("token_embd.weight").and_then(|info| info.shape.first().copied());
    match rows {
        Some(rows) => Ok(rows),
        None => gguf.count("llama.vocab_size"),
    }
}

fn rope_scaling(gguf: &Gguf, head_dim: usize, theta: f64) -> Result<RopeScaling, ModelError> {
    if gguf.tensors().contains_key(ROPE_FREQS) {
        return llama3(gguf, head_dim, theta);
    }
    let key = "llama.rope.scaling.type";
    match gguf.optional_text(key)? {
        None | Some("none") => Ok(RopeScaling::None),
        Some("linear") => {
            let factor = "llama.rope.scaling.factor";
            let factor = gguf.positive(factor)?.ok_or_else(|| gguf.missing(factor))?;
            Ok(RopeScaling::Linear { factor })
        }
        Some(other) => {
            Err(ModelError::config(gguf.path(), key, format!("is `{other}`, it must be `none` or `linear`")))
        }
    }
}

/// Converters keep the divisors of the frequencies, not the parameters that gave them; the largest divisor is the factor,
/// and the divisors must be those that Llama 3.1's parameters give with it.
fn llama3(gguf: &Gguf, head_dim: usize, theta: f64) -> Result<RopeScaling, ModelError> {
    let divisors = gguf.read(ROPE_FREQS)?;
    let factor = f64::from(divisors.iter().copied().fold(0.0, f32::max));
    // The header's word for the width is not yet believed: only as many are computed as are stored.
    let expected = llama3_divisors(divisors.len(), head_dim, theta, factor);
    let close = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= 1e-3 * b;
    if divisors.len() != head_dim / 2 || !divisors.iter().zip(&expected).all(close) {
        return Err(ModelError::format(
            gguf.path(),
            format!("tensor `{ROPE_FREQS}`"),
            "does not follow Llama 3.1's frequency scaling, other scalings are not supported",
        ));
    }
    let (low_freq_factor, high_freq_factor, original_max_position_embeddings) = LLAMA3;
    Ok(RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings })
}

/// What converters store of a model whose frequencies are scaled as in the published Llama 3.1 to 3.3; `None` for others.
pub(crate) fn published_llama3_divisors(config: &LlamaConfig) -> Option<Vec<f64>> {
    match config.rope_scaling {
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings }
            if (low_freq_factor, high_freq_factor, original_max_position_embeddings) == LLAMA3 =>
        {
            Some(llama3_divisors(config.head_dim / 2, config.head_dim, config.rope_theta, factor))
        }
        _ => None,
    }
}

/// The divisor of each rotary frequency: 1 for short wavelengths, `factor` for long ones, harmonic between.
fn llama3_divisors(count: usize, head_dim: usize, theta: f64, factor: f64) -> Vec<f64> {
    let (low, high, original) = LLAMA3;
    let original = original as f64;
    let divisor = |i: usize| {
        let frequency = theta.powf(-2.0 * i as f64 / head_dim as f64);
        let periods = original * frequency / std::f64::consts::TAU;
        if periods > high {
            1.0
        } else if periods < low {
            factor
        } else {
            let smooth = (periods - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    (0..count).map(divisor).collect()
}
