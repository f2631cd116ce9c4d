//! GGUF files: block formats against numbers of the `gguf` package, and headers that lie.

mod common;

use common::gguf_file::{Builder, tiny_llama};
use junkdna_model::ModelError;
use junkdna_model::checkpoint::{Checkpoint, GgufCheckpoint};
use junkdna_model::config::{ModelConfig, RopeScaling};
use junkdna_model::gguf::{Gguf, TensorType};
use junkdna_model::tokenizer::Tokenizer;
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Blocks {
    bytes: String,
    values: Vec<f32>,
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&hexadecimal[i..i + 2], 16).unwrap();
    (0..hexadecimal.len()).step_by(2).map(digit).collect()
}

/// `tests/fixtures/blocks.json` holds random blocks of each type with finite scales, and what
/// `gguf.quants.dequantize` makes of them (Q8_K, which that package lacks: scale times code).
#[test]
fn parity_every_block_format() {
    let blocks: BTreeMap<String, Blocks> = serde_json::from_str(include_str!("fixtures/blocks.json")).unwrap();
    for tensor_type in TensorType::all() {
        let expected = &blocks[tensor_type.name()];
        let mut file = Builder::default();
        let shape = [expected.values.len() as u64];
        file.tensor("x", &shape, tensor_type.number(), &bytes_of(&expected.bytes));
        let (_folder, path) = file.write();
        let values = Gguf::open(path).unwrap().read("x").unwrap();
        assert_eq!(values.len(), expected.values.len());
        for (i, (value, expected)) in values.iter().zip(&expected.values).enumerate() {
            let close = (value - expected).abs() <= 1e-6 * expected.abs().max(1.0);
            assert!(close, "{} {i}: {value}, not {expected}", tensor_type.name());
        }
    }
}

#[test]
fn a_tiny_llama_has_hugging_face_names_shapes_and_sizes() {
    let (_folder, path) = tiny_llama().write();
    let checkpoint = GgufCheckpoint::open(&path).unwrap();
    let ModelConfig::Llama(config) = ModelConfig::from_gguf(checkpoint.gguf()).unwrap() else { panic!("not a Llama") };
    assert_eq!((config.hidden_size, config.head_dim), (8, 4));
    assert_eq!(config.rms_norm_eps, 1e-5);
    assert!(config.tie_word_embeddings && !config.attention_bias);
    assert_eq!(config.rope_scaling, RopeScaling::None);
    let names = checkpoint.names();
    assert_eq!(names.len(), 11);
    assert!(names.contains(&"model.layers.0.mlp.down_proj.weight".to_owned()));
    let query = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(checkpoint.shape(query), Some(vec![8, 8]));
    assert_eq!(checkpoint.dtype(query).as_deref(), Some("F32"));
    // Row r of the file holds r; each head's pairs return to halves.
    let first = checkpoint.read(query).unwrap().into_iter().step_by(8);
    assert_eq!(first.collect::<Vec<_>>(), [0., 2., 1., 3., 4., 6., 5., 7.]);
    assert_eq!(checkpoint.describe_precision(), "F32 (11 tensors)");
    assert!(matches!(checkpoint.read("model.layers.9.mlp.up_proj.weight"), Err(ModelError::MissingTensor { .. })));
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut file = tiny_llama();
        let mut values = [1f32; 8];
        values[5] = bad;
        file.replace("output_norm.weight", &values);
        let (_folder, path) = file.write();
        let checkpoint = GgufCheckpoint::open(&path).unwrap();
        let error = checkpoint.read("model.norm.weight").unwrap_err();
        assert!(
            matches!(&error, ModelError::NonFinite { tensor, index: 5, .. } if tensor == "model.norm.weight"),
            "{error}"
        );
    }
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    let bytes = tiny_llama().bytes();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truncated.gguf");
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = Gguf::open(&path).unwrap_err().to_string();
        assert!(error.contains("truncated.gguf") && !error.contains('\n'), "{error}");
    }
}

/// The bytes of tensor data at the end of a file: changing those changes numbers only.
fn tensor_bytes(bytes: &[u8]) -> usize {
    let (folder, path) = tiny_llama().write();
    let gguf = Gguf::open(path).unwrap();
    let first = gguf.tensors().values().map(|info| info.offset).min().unwrap();
    drop(folder);
    bytes.len() - first as usize
}

#[test]
fn no_single_byte_makes_a_panic() {
    let bytes = tiny_llama().bytes();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.gguf");
    let data = tensor_bytes(&bytes);
    for at in 0..bytes.len() - data {
        for value in [0, 0xFF, bytes[at].wrapping_add(1)] {
            let mut changed = bytes.clone();
            changed[at] = value;
            std::fs::write(&path, &changed).unwrap();
            let Ok(gguf) = Gguf::open(&path) else {
                continue;
            };
            let _ = Tokenizer::from_gguf(&gguf);
            if let Ok(checkpoint) = GgufCheckpoint::new(gguf) {
                for name in checkpoint.names() {
                    let _ = checkpoint.read(&name);
                }
            }
        }
    }
}

/// A header: version, tensor count, metadata count, and what follows.
fn header(version: u32, tensors: u64, entries: u64, rest: &[u8]) -> String {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    bytes.extend(rest);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lying.gguf");
    std::fs::write(&path, bytes).unwrap();
    Gguf::open(path).unwrap_err().to_string()
}

#[test]
fn headers_that_lie_are_errors_and_take_no_memory() {
    let key = |value_type: u32, value: &[u8]| {
        let mut bytes = 1u64.to_le_bytes().to_vec();
        bytes.extend(b"k");
        bytes.extend(value_type.to_le_bytes());
        bytes.extend(value);
        bytes
    };
    let huge = u64::MAX.to_le_bytes();
    let huge_array = [&8u32.to_le_bytes()[..], &huge].concat();
    let nested: Vec<u8> = (0..64).flat_map(|_| [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).collect();
    for (message, words) in [
        (header(1, 0, 0, &[]), "it must be 2 or 3"),
        (header(3 << 24, 0, 0, &[]), "big-endian"),
        (header(3, u64::MAX, 0, &[]), "`tensor count`"),
        (header(3, 0, u64::MAX, &[]), "`metadata count`"),
        (header(3, 0, 1, &huge.repeat(2)), "`metadata key`"),
        (header(3, 0, 1, &key(8, &huge)), "`k`"),
        (header(3, 0, 1, &key(9, &huge_array)), "`k`"),
        (header(3, 0, 1, &key(9, &nested)), "nested more than"),
        (header(3, 0, 1, &key(13, &huge)), "value type 13"),
        (header(3, 0, 1, &key(7, &[2])), "it must be 0 or 1"),
        (header(3, 0, 2, &key(7, &[1]).repeat(2)), "occurs twice"),
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn tensors_that_lie_are_errors() {
    let one = |shape: &[u64], number: u32, offset: Option<u64>| {
        let mut file = Builder::default();
        file.tensor("t", shape, number, &[0; 64]);
        file.lie_offset("t", offset);
        let (_folder, path) = file.write();
        Gguf::open(path).unwrap_err().to_string()
    };
    for (message, words) in [
        (one(&[1 << 40], 0, None), "past the end of the file"),
        (one(&[u64::MAX, 2], 0, None), "overflows"),
        (one(&[1 << 40, 1 << 40], 0, None), "overflows"),
        (one(&[16], 0, Some(u64::MAX - 3)), "past the end of the file"),
        (one(&[16], 0, Some(1 << 20)), "past the end of the file"),
        (one(&[33], 2, None), "needs a multiple of 32"),
        (one(&[1, 1, 1, 1, 1], 0, None), "5 dimensions"),
        (one(&[256], 16, None), "is stored as IQ2_XXS"),
        (one(&[256], 77, None), "type number 77"),
    ] {
        assert!(message.contains(words), "{message}");
    }
    let mut file = Builder::default();
    file.tensor("a", &[16], 0, &[0; 64]);
    file.tensor("b", &[16], 0, &[0; 64]);
    file.lie_offset("b", Some(32));
    let (_folder, path) = file.write();
    let message = Gguf::open(path).unwrap_err().to_string();
    assert!(message.contains("overlaps tensor `a`"), "{message}");
}

#[test]
fn metadata_of_other_models_are_refused_by_name() {
    let refused = |change: fn(&mut Builder)| {
        let mut file = tiny_llama();
        change(&mut file);
        let (_folder, path) = file.write();
        let message = GgufCheckpoint::open(path).unwrap_err().to_string();
        assert!(!message.contains('\n'));
        message
    };
    for (message, words) in [
        (refused(|f| f.text("general.architecture", "mamba")), "`mamba` is not supported"),
        (refused(|f| f.number("llama.expert_count", 8)), "mixtures of experts"),
        (refused(|f| f.number("llama.attention.head_count", 3)), "must divide hidden_size"),
        (refused(|f| f.number("llama.attention.head_count", 0)), "num_attention_heads"),
        (refused(|f| f.number("llama.rope.dimension_count", 2)), "llama.rope.dimension_count"),
        (refused(|f| f.text("llama.rope.scaling.type", "yarn")), "llama.rope.scaling.type"),
        (refused(|f| f.text("llama.block_count", "two")), "llama.block_count"),
        (refused(|f| f.remove("llama.context_length")), "llama.context_length"),
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn llama_3_scaling_is_recognized_by_its_divisors() {
    let with = |divisors: &[f32]| {
        let mut file = tiny_llama();
        let bytes: Vec<u8> = divisors.iter().flat_map(|d| d.to_le_bytes()).collect();
        file.tensor("rope_freqs.weight", &[divisors.len() as u64], 0, &bytes);
        let (_folder, path) = file.write();
        let checkpoint = GgufCheckpoint::open(path)?;
        assert_eq!(checkpoint.names().len(), 11);
        ModelConfig::from_gguf(checkpoint.gguf())
    };
    // Head width 4, base 10000: wavelengths 2π and 200π, both shorter than 8192 / 4.
    let Ok(ModelConfig::Llama(config)) = with(&[1.0, 1.0]) else { panic!("not read") };
    assert!(matches!(config.rope_scaling, RopeScaling::Llama3 { factor: 1.0, .. }));
    let message = with(&[1.0, 7.0]).unwrap_err().to_string();
    assert!(message.contains("rope_freqs.weight"), "{message}");
}
