//! GGUF files made for tests.

use std::path::PathBuf;
use tempfile::TempDir;

/// A file in the making; every tensor starts at a multiple of 32 bytes.
#[derive(Default, Clone)]
pub struct Builder {
    metadata: Vec<(String, Vec<u8>)>,
    tensors: Vec<Tensor>,
}

#[derive(Clone)]
struct Tensor {
    name: String,
    /// Innermost first, as in the file.
    shape: Vec<u64>,
    number: u32,
    bytes: Vec<u8>,
    offset: Option<u64>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl Builder {
    fn value(&mut self, key: &str, value_type: u32, value: Vec<u8>) {
        self.remove(key);
        let value = [&value_type.to_le_bytes()[..], &value].concat();
        self.metadata.push((key.to_owned(), value));
    }

    pub fn remove(&mut self, key: &str) {
        self.metadata.retain(|(other, _)| other != key);
    }

    pub fn number(&mut self, key: &str, number: u32) {
        self.value(key, 4, number.to_le_bytes().to_vec());
    }

    pub fn float(&mut self, key: &str, number: f32) {
        self.value(key, 6, number.to_le_bytes().to_vec());
    }

    pub fn flag(&mut self, key: &str, flag: bool) {
        self.value(key, 7, vec![flag.into()]);
    }

    pub fn text(&mut self, key: &str, text: &str) {
        self.value(key, 8, string(text));
    }

    fn array(&mut self, key: &str, value_type: u32, items: Vec<Vec<u8>>) {
        let mut bytes = value_type.to_le_bytes().to_vec();
        bytes.extend((items.len() as u64).to_le_bytes());
        bytes.extend(items.concat());
        self.value(key, 9, bytes);
    }

    pub fn texts(&mut self, key: &str, texts: &[&str]) {
        self.array(key, 8, texts.iter().map(|text| string(text)).collect());
    }

    pub fn floats(&mut self, key: &str, numbers: &[f32]) {
        let items = numbers.iter().map(|n| n.to_le_bytes().to_vec());
        self.array(key, 6, items.collect());
    }

    pub fn integers(&mut self, key: &str, numbers: &[i32]) {
        let items = numbers.iter().map(|n| n.to_le_bytes().to_vec());
        self.array(key, 5, items.collect());
    }

    pub fn tensor(&mut self, name: &str, shape: &[u64], number: u32, bytes: &[u8]) {
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            number,
            bytes: bytes.to_vec(),
            offset: None,
        });
    }

    /// Other values for an F32 tensor.
    pub fn replace(&mut self, name: &str, values: &[f32]) {
        let tensor = self.tensors.iter_mut().find(|t| t.name == name).unwrap();
        tensor.bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    }

    /// Says another offset in the header than the tensor has.
    pub fn lie_offset(&mut self, name: &str, offset: Option<u64>) {
        let tensor = self.tensors.iter_mut().find(|t| t.name == name).unwrap();
        tensor.offset = offset;
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            bytes.extend(string(key));
            bytes.extend(value);
        }
        let mut data: Vec<u8> = vec![];
        for tensor in &self.tensors {
            data.resize(data.len().next_multiple_of(32), 0);
            bytes.extend(string(&tensor.name));
            bytes.extend((tensor.shape.len() as u32).to_le_bytes());
            bytes.extend(tensor.shape.iter().flat_map(|size| size.to_le_bytes()));
            bytes.extend(tensor.number.to_le_bytes());
            bytes.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.bytes);
        }
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(data);
        bytes
    }

    pub fn write(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, self.bytes()).unwrap();
        (folder, path)
    }
}

/// One Llama block of width 8 with two heads and one key-value head; row r of every matrix holds r.
pub fn tiny_llama() -> Builder {
    let mut file = Builder::default();
    file.text("general.architecture", "llama");
    file.number("llama.block_count", 1);
    file.number("llama.context_length", 64);
    file.number("llama.embedding_length", 8);
    file.number("llama.feed_forward_length", 16);
    file.number("llama.attention.head_count", 2);
    file.number("llama.attention.head_count_kv", 1);
    file.float("llama.attention.layer_norm_rms_epsilon", 1e-5);
    tiny_byte_level(&mut file);
    for (name, rows, columns) in [
        ("token_embd", 6, 8),
        ("blk.0.attn_q", 8, 8),
        ("blk.0.attn_k", 4, 8),
        ("blk.0.attn_v", 4, 8),
        ("blk.0.attn_output", 8, 8),
        ("blk.0.ffn_gate", 16, 8),
        ("blk.0.ffn_up", 16, 8),
        ("blk.0.ffn_down", 8, 16),
    ] {
        let row = |r: u64| (r as f32).to_le_bytes().repeat(columns as usize);
        let bytes: Vec<u8> = (0..rows).flat_map(row).collect();
        file.tensor(&format!("{name}.weight"), &[columns, rows], 0, &bytes);
    }
    for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] {
        file.tensor(&format!("{name}.weight"), &[8], 0, &1f32.to_le_bytes().repeat(8));
    }
    file
}

/// A byte-level tokenizer that knows `a`, `b`, a space and `ab`.
pub fn tiny_byte_level(file: &mut Builder) {
    file.text("tokenizer.ggml.model", "gpt2");
    file.text("tokenizer.ggml.pre", "smollm");
    file.texts("tokenizer.ggml.tokens", &["<s>", "</s>", "a", "b", "Ġ", "ab"]);
    file.integers("tokenizer.ggml.token_type", &[3, 3, 1, 1, 1, 1]);
    file.texts("tokenizer.ggml.merges", &["a b"]);
    file.number("tokenizer.ggml.bos_token_id", 0);
    file.number("tokenizer.ggml.eos_token_id", 1);
}
