//! A BERT folder and a task small enough to make for each test.

use super::tiny::Tiny;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const WORDS: usize = 64;
const HIDDEN: usize = 16;
const FEED_FORWARD: usize = 32;

/// The folder `model` in `parent`.
pub fn write(parent: &TempDir) -> PathBuf {
    let settings = json!({ "pad_token": "w0", "cls_token": "w1", "sep_token": "w2", "unk_token": "w3" });
    Tiny { config: config(), tokenizer: tokenizer(), settings, tensors: tensors() }.write(parent)
}

/// The same as a RoBERTa: one segment, and positions that count from after the padding token's id.
pub fn write_roberta(parent: &TempDir) -> PathBuf {
    let mut config = config();
    config["model_type"] = json!("roberta");
    config["architectures"] = json!(["RobertaModel"]);
    config["type_vocab_size"] = json!(1);
    let mut tensors = tensors();
    for (name, shape, values) in &mut tensors {
        if name.ends_with("token_type_embeddings.weight") {
            shape[0] = 1;
            values.truncate(HIDDEN);
        }
    }
    let settings = json!({ "pad_token": "w0", "cls_token": "w1", "sep_token": "w2", "unk_token": "w3" });
    Tiny { config, tokenizer: tokenizer(), settings, tensors }.write(parent)
}

/// The same with a head for the classes `0` and `1`.
pub fn write_classifier(parent: &TempDir) -> PathBuf {
    let mut config = config();
    config["architectures"] = json!(["BertForSequenceClassification"]);
    config["id2label"] = json!({ "0": "0", "1": "1" });
    config["label2id"] = json!({ "0": 0, "1": 1 });
    let mut tensors: Vec<_> =
        tensors().into_iter().map(|(name, shape, v)| (format!("bert.{name}"), shape, v)).collect();
    let waves = |count: usize| (0..count).map(|i| ((i * i) as f32 * 0.37).sin() * 0.2).collect::<Vec<f32>>();
    tensors.push(("bert.pooler.dense.weight".into(), vec![HIDDEN, HIDDEN], waves(HIDDEN * HIDDEN)));
    tensors.push(("bert.pooler.dense.bias".into(), vec![HIDDEN], waves(HIDDEN)));
    tensors.push(("classifier.weight".into(), vec![2, HIDDEN], waves(2 * HIDDEN)));
    tensors.push(("classifier.bias".into(), vec![2], waves(2)));
    let settings = json!({ "pad_token": "w0", "cls_token": "w1", "sep_token": "w2", "unk_token": "w3" });
    Tiny { config, tokenizer: tokenizer(), settings, tensors }.write(parent)
}

/// A folder `SST-2` of sentences that are of class 1 where they hold more words from w34 on than below.
pub fn task(parent: &Path, train: usize) -> PathBuf {
    let folder = parent.join("SST-2");
    std::fs::create_dir_all(&folder).unwrap();
    let row = |i: usize| {
        let words: Vec<usize> = (0..3 + i % 5).map(|j| 4 + (i * 31 + j * j * 17 + j * 7) % 60).collect();
        let high = words.iter().filter(|&&word| word >= 34).count();
        let text: Vec<String> = words.iter().map(|word| format!("w{word}")).collect();
        format!("{}\t{}\n", text.join(" "), usize::from(2 * high > words.len()))
    };
    let table = |rows: std::ops::Range<usize>| format!("sentence\tlabel\n{}", rows.map(row).collect::<String>());
    std::fs::write(folder.join("train.tsv"), table(0..train)).unwrap();
    std::fs::write(folder.join("dev.tsv"), table(train..train + 40)).unwrap();
    folder
}

fn config() -> Value {
    json!({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": HIDDEN, "intermediate_size": FEED_FORWARD, "num_hidden_layers": 2, "num_attention_heads": 4,
        "vocab_size": WORDS, "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "pad_token_id": 0,
    })
}

fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> = (0..WORDS).map(|i| (format!("w{i}"), i.into())).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": { "type": "BertProcessing", "sep": ["w2", 2], "cls": ["w1", 1] }, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "w3" },
    })
}

fn tensors() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![WORDS, HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![32, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
    ];
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..2 {
        let path = |name: &str| format!("encoder.layer.{layer}.{name}");
        let mut linear = |name: &str, d_out: usize, d_in: usize| {
            shapes.push((format!("{}.weight", path(name)), vec![d_out, d_in]));
            shapes.push((format!("{}.bias", path(name)), vec![d_out]));
        };
        for name in ["query", "key", "value"] {
            linear(&format!("attention.self.{name}"), HIDDEN, HIDDEN);
        }
        linear("attention.output.dense", HIDDEN, HIDDEN);
        linear("intermediate.dense", FEED_FORWARD, HIDDEN);
        linear("output.dense", HIDDEN, FEED_FORWARD);
        norms.extend(["attention.output.LayerNorm", "output.LayerNorm"].map(path));
    }
    let mut count = 0u32;
    let mut number = || {
        count += 1;
        (f64::from(count) * 0.618_033_988_749_895).fract() as f32 - 0.5
    };
    let mut tensors: Vec<_> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let values = (0..shape.iter().product()).map(|_| number() * 0.3).collect();
            (name, shape, values)
        })
        .collect();
    for norm in norms {
        tensors.push((format!("{norm}.weight"), vec![HIDDEN], vec![1.0; HIDDEN]));
        tensors.push((format!("{norm}.bias"), vec![HIDDEN], vec![0.0; HIDDEN]));
    }
    tensors
}
