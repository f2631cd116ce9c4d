//! A model folder small enough to make for each test.

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const WORDS: usize = 64;
const HIDDEN: usize = 16;

/// A Llama folder; each field can be spoiled before it is written.
pub struct Tiny {
    pub config: Value,
    pub tokenizer: Value,
    pub settings: Value,
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Default for Tiny {
    fn default() -> Self {
        Self::with_hidden_size(HIDDEN)
    }
}

impl Tiny {
    /// Of a width that 16 divides.
    pub fn with_hidden_size(hidden: usize) -> Self {
        let settings = json!({ "eos_token": "w1" });
        Self { config: config(hidden), tokenizer: tokenizer(), settings, tensors: tensors(hidden) }
    }

    /// With bytes for tokens, a digit at a time, as SmolLM2 splits texts.
    pub fn with_byte_level_tokens(mut self) -> Self {
        let mut vocabulary: Vec<String> = ["<|end|>", "w", "Ġ", "Ġw"].map(str::to_owned).to_vec();
        vocabulary.extend((0..10).map(|digit| digit.to_string()));
        let unused = vocabulary.len()..WORDS;
        vocabulary.extend(unused.map(|i| format!("<{i}>")));
        let ids: serde_json::Map<String, Value> = vocabulary.into_iter().zip((0..).map(Value::from)).collect();
        let byte_level =
            json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        self.tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
            "added_tokens": [{
                "id": 0, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            }],
            "pre_tokenizer": {
                "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, byte_level],
            },
            "decoder": byte_level,
            "model": { "type": "BPE", "vocab": ids, "merges": [["Ġ", "w"]], "unk_token": null, "fuse_unk": false,
                "continuing_subword_prefix": null, "end_of_word_suffix": null, "byte_fallback": false, "dropout": null },
        });
        self.settings = json!({ "eos_token": "<|end|>" });
        self
    }

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

/// JSON lines of prompts of four or five words, the target of which are the successor of the last and a word that is always
/// the same. From w20 on, for Transformers reads the end-of-text token `w1` at the start of `w10`, too.
pub fn pairs(folder: &Path, name: &str, range: std::ops::Range<usize>) {
    let line = |i: usize| {
        let words: Vec<String> = (0..3 + i % 2).map(|j| format!("w{}", 20 + (i * 31 + j * 17 + i * j) % 40)).collect();
        let last = 20 + i * 7 % 20;
        json!({ "prompt": format!("{} w{last}", words.join(" ")), "target": format!(" w{} w63", last + 1) }).to_string()
    };
    std::fs::write(folder.join(name), range.map(|i| line(i) + "\n").collect::<String>()).unwrap();
}

fn config(hidden: usize) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": 2,
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

fn tensors(hidden: usize) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let (key_value, feed_forward) = (hidden / 2, 2 * hidden);
    let mut shapes = vec![("model.embed_tokens.weight".to_owned(), vec![WORDS, hidden])];
    for layer in 0..2 {
        let linears = [
            ("self_attn.q_proj", [hidden, hidden]),
            ("self_attn.k_proj", [key_value, hidden]),
            ("self_attn.v_proj", [key_value, hidden]),
            ("self_attn.o_proj", [hidden, hidden]),
            ("mlp.gate_proj", [feed_forward, hidden]),
            ("mlp.up_proj", [feed_forward, hidden]),
            ("mlp.down_proj", [hidden, feed_forward]),
        ];
        shapes.extend(linears.map(|(name, shape)| (format!("model.layers.{layer}.{name}.weight"), shape.to_vec())));
        let norms = ["input_layernorm", "post_attention_layernorm"];
        shapes.extend(norms.map(|name| (format!("model.layers.{layer}.{name}.weight"), vec![hidden])));
    }
    shapes.push(("model.norm.weight".to_owned(), vec![hidden]));
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
