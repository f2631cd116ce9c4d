//! A GGUF file as a checkpoint with Hugging Face's names and layout.

use super::{Checkpoint, check_finite, precision};
use crate::config::{LlamaConfig, ModelConfig};
use crate::error::ModelError;
use crate::gguf::{Gguf, TensorInfo};
use std::collections::BTreeMap;
use std::path::Path;

/// Tensors of a GGUF file of architecture `llama`, by their Hugging Face names.
///
/// Converters reorder the rows of the query and key projections, for rotary embeddings that turn neighbouring pairs;
/// Hugging Face's turn the two halves of a head. [`read`](Checkpoint::read) undoes it.
#[derive(Debug)]
pub struct GgufCheckpoint {
    gguf: Gguf,
    /// From Hugging Face names to the file's.
    names: BTreeMap<String, String>,
    heads: usize,
    key_value_heads: usize,
}

impl GgufCheckpoint {
    /// Reads a file's header.
    ///
    /// # Errors
    /// A broken file, or one of an unsupported architecture.
    pub fn open(path: impl Into<std::path::PathBuf>) -> Result<Self, ModelError> {
        Self::new(Gguf::open(path)?)
    }

    /// The tensors of an opened file.
    ///
    /// # Errors
    /// Metadata of an unsupported architecture, or two tensors that would have one name.
    pub fn new(gguf: Gguf) -> Result<Self, ModelError> {
        let ModelConfig::Llama(config) = ModelConfig::from_gguf(&gguf)? else {
            // Only Llama is read from GGUF files; `from_gguf` has refused all else.
            return Err(ModelError::format(gguf.path(), "general.architecture", "must be `llama`"));
        };
        let names = hugging_face_names(&gguf)?;
        let LlamaConfig { num_attention_heads: heads, num_key_value_heads: key_value_heads, .. } = config;
        Ok(Self { gguf, names, heads, key_value_heads })
    }

    /// The file, with its metadata.
    pub fn gguf(&self) -> &Gguf {
        &self.gguf
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.gguf.tensors().get(self.names.get(name)?)
    }

    /// The number of heads whose rows the converter reordered, for the projections where it did.
    fn reordered_heads(&self, name: &str) -> Option<usize> {
        if name.contains(".self_attn.q_proj.") {
            Some(self.heads)
        } else if name.contains(".self_attn.k_proj.") {
            Some(self.key_value_heads)
        } else {
            None
        }
    }
}

impl Checkpoint for GgufCheckpoint {
    fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.info(name)?.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let missing = || ModelError::MissingTensor { path: self.gguf.path().to_owned(), tensor: name.to_owned() };
        let stored = self.names.get(name).ok_or_else(missing)?;
        let rows = self.info(name).and_then(|info| info.shape.first().copied());
        let mut values = self.gguf.read(stored)?;
        if let (Some(heads), Some(rows)) = (self.reordered_heads(name), rows) {
            values = restore_row_order(&values, rows, heads).ok_or_else(|| {
                let problem = format!("has {rows} rows, {heads} heads need a multiple of {}", 2 * heads);
                ModelError::format(self.gguf.path(), format!("tensor `{stored}`"), problem)
            })?;
        }
        check_finite(self.gguf.path(), name, &values)?;
        Ok(values)
    }

    fn dtype(&self, name: &str) -> Option<String> {
        Some(self.info(name)?.tensor_type.name().to_owned())
    }

    fn describe_precision(&self) -> String {
        let tensors = self.names.keys().filter_map(|name| self.info(name));
        precision::describe(tensors.map(|info| {
            let elements = info.shape.iter().product();
            (info.tensor_type.name().to_owned(), elements)
        }))
    }

    fn location(&self) -> &Path {
        self.gguf.path()
    }
}

/// Hugging Face names of all tensors; one that has none keeps its own.
fn hugging_face_names(gguf: &Gguf) -> Result<BTreeMap<String, String>, ModelError> {
    let mut names = BTreeMap::new();
    // The configuration has taken the rotary divisors in; they are no weights.
    let stored = gguf.tensors().keys().filter(|n| *n != "rope_freqs.weight");
    for stored in stored {
        let name = hugging_face_name(stored).unwrap_or_else(|| stored.clone());
        if let Some(other) = names.insert(name, stored.clone()) {
            let problem = format!("stands for the same weight as `{other}`");
            return Err(ModelError::format(gguf.path(), format!("tensor `{stored}`"), problem));
        }
    }
    Ok(names)
}

/// The Hugging Face name of a Llama tensor.
fn hugging_face_name(stored: &str) -> Option<String> {
    let (module, kind) = stored.rsplit_once('.')?;
    let module = match module {
        "token_embd" => "model.embed_tokens".to_owned(),
        "output_norm" => "model.norm".to_owned(),
        "output" => "lm_head".to_owned(),
        block => {
            let (layer, part) = block.strip_prefix("blk.")?.split_once('.')?;
            let layer: u32 = layer.parse().ok()?;
            format!("model.layers.{layer}.{}", block_part(part)?)
        }
    };
    Some(format!("{module}.{kind}"))
}

/// The parts of a decoder block: GGUF's name and Hugging Face's.
const BLOCK_PARTS: [(&str, &str); 9] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The Hugging Face name of a part of a decoder block.
fn block_part(part: &str) -> Option<&'static str> {
    BLOCK_PARTS.iter().find(|(stored, _)| *stored == part).map(|(_, name)| *name)
}

/// The name in GGUF files of a Llama tensor of Hugging Face.
pub(crate) fn gguf_name(name: &str) -> Option<String> {
    let (module, kind) = name.rsplit_once('.')?;
    let module = match module {
        "model.embed_tokens" => "token_embd".to_owned(),
        "model.norm" => "output_norm".to_owned(),
        "lm_head" => "output".to_owned(),
        block => {
            let (layer, part) = block.strip_prefix("model.layers.")?.split_once('.')?;
            let (stored, _) = BLOCK_PARTS.iter().find(|(_, name)| *name == part)?;
            format!("blk.{layer}.{stored}")
        }
    };
    Some(format!("{module}.{kind}"))
}

/// Which row of Hugging Face's query or key projection is stored at each place: of every head the first row of each half,
/// then the second of each, and so on.
pub(crate) fn gguf_row_order(rows: usize, heads: usize) -> Vec<usize> {
    let pairs = rows / heads / 2;
    let of_head =
        |head: usize| (0..pairs).flat_map(move |pair| (0..2).map(move |half| (head * 2 + half) * pairs + pair));
    (0..heads).flat_map(of_head).collect()
}

/// Undoes the reordering of each head's rows: stored as (first half, second half) of pair 0, of pair 1, …; wanted as all
/// first halves, then all second halves. `None` if the heads do not share the rows evenly.
fn restore_row_order(values: &[f32], rows: usize, heads: usize) -> Option<Vec<f32>> {
    let pairs = rows.checked_div(heads)? / 2;
    if pairs.checked_mul(2)?.checked_mul(heads)? != rows {
        return None;
    }
    let width = values.len().checked_div(rows)?;
    let mut restored = Vec::with_capacity(values.len());
    for head in 0..heads {
        for half in 0..2 {
            for pair in 0..pairs {
                let row = (head * pairs + pair) * 2 + half;
                restored.extend_from_slice(&values[row * width..(row + 1) * width]);
            }
        }
    }
    Some(restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hugging_face() {
        for (stored, name) in [
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("output.weight", "lm_head.weight"),
            ("output_norm.weight", "model.norm.weight"),
            ("blk.12.attn_q.weight", "model.layers.12.self_attn.q_proj.weight"),
            ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"),
            ("blk.3.attn_k.bias", "model.layers.3.self_attn.k_proj.bias"),
        ] {
            assert_eq!(hugging_face_name(stored).as_deref(), Some(name));
            assert_eq!(gguf_name(name).as_deref(), Some(stored));
        }
        for unknown in ["blk.x.attn_q.weight", "blk.1.ffn_gate_exps.weight", "nothing"] {
            assert_eq!(hugging_face_name(unknown), None);
        }
    }

    #[test]
    fn rows_of_each_head_return_to_halves() {
        // Two heads of four rows of one element; pairs are (0, 1) and (2, 3).
        let stored = [0., 1., 2., 3., 10., 11., 12., 13.];
        let restored = restore_row_order(&stored, 8, 2).unwrap();
        assert_eq!(restored, [0., 2., 1., 3., 10., 12., 11., 13.]);
        let again: Vec<f32> = gguf_row_order(8, 2).into_iter().map(|row| restored[row]).collect();
        assert_eq!(again, stored);
        assert_eq!(restore_row_order(&stored, 8, 3), None);
        assert_eq!(restore_row_order(&stored, 8, 0), None);
    }
}
