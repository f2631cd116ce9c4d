//! A model folder small enough to make for each test.

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const WORDS: usize = 64;
const HIDDEN: usize = 16;
const KEY_VALUE: usize = 8;
const FEED_FORWARD: usize = 32;

/// A Llama folder; each field can be spoiled before it is written.
pub struct Tiny {
    pub config: Value,
    pub tokenizer: Value,
    pub settings: Value,
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Default for Tiny {
    fn default() -> Self {
        Self { config: config(), tokenizer: tokenizer(), settings: json!({ "eos_token": "w1" }), tensors: tensors() }
    }
}

impl Tiny {
    /// The values of a tensor.
    pub fn values(&mut self, name: &str) -> &mut Vec<f32> {
        &mut self.tensors.iter_mut().find(|(n, _, _)| n == name).unwrap().2
    }

    /// Writes the folder `model` into `parent`.
    pub fn write(&self, parent: &TempDir) -> PathBuf {
        let folder = parent.path().join("model");
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, value: &Value| std::fs::write(folder.join(name), value.to_string()).unwrap();
        file("config.json", &self.config);
        file("tokenizer.json", &self.tokenizer);
        file("tokenizer_config.json", &self.settings);
        self.write_tensors(&folder.join("model.safetensors"));
        folder
    }

    fn write_tensors(&self, path: &Path) {
        let bytes: Vec<Vec<u8>> =
            self.tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
        let views = self.tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        safetensors::serialize_to_file(views, None, path).unwrap();
    }
}

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": FEED_FORWARD, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": WORDS,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
    })
}

/// Words are tokens; every word that is not `w0` to `w63` is `w0`.
fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> = (0..WORDS).map(|i| (format!("w{i}"), i.into())).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "w0" },
    })
}

fn tensors() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut shapes = vec![("model.embed_tokens.weight".to_owned(), vec![WORDS, HIDDEN])];
    for layer in 0..2 {
        let linears = [
            ("self_attn.q_proj", [HIDDEN, HIDDEN]),
            ("self_attn.k_proj", [KEY_VALUE, HIDDEN]),
            ("self_attn.v_proj", [KEY_VALUE, HIDDEN]),
            ("self_attn.o_proj", [HIDDEN, HIDDEN]),
            ("mlp.gate_proj", [FEED_FORWARD, HIDDEN]),
            ("mlp.up_proj", [FEED_FORWARD, HIDDEN]),
            ("mlp.down_proj", [HIDDEN, FEED_FORWARD]),
        ];
        shapes.extend(linears.map(|(name, shape)| (format!("model.layers.{layer}.{name}.weight"), shape.to_vec())));
        let norms = ["input_layernorm", "post_attention_layernorm"];
        shapes.extend(norms.map(|name| (format!("model.layers.{layer}.{name}.weight"), vec![HIDDEN])));
    }
    shapes.push(("model.norm.weight".to_owned(), vec![HIDDEN]));
    // Any fixed numbers without a pattern do: fractional parts of multiples of the golden ratio.
    let mut count = 0u32;
    let mut number = || {
        count += 1;
        (f64::from(count) * 0.618_033_988_749_895).fract() as f32 - 0.5
    };
    shapes
        .into_iter()
        .map(|(name, shape)| {
            let values = (0..shape.iter().product()).map(|_| number()).collect();
            (name, shape, values)
        })
        .collect()
}
