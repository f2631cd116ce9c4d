//! Safetensors folders: one file or shards, every float type, and headers that lie.

use half::{bf16, f16};
use junkdna_model::ModelError;
use junkdna_model::checkpoint::{Checkpoint, SafetensorsCheckpoint};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::path::Path;

fn file(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name.to_string(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn open(folder: &Path, bytes: &[u8]) -> Result<SafetensorsCheckpoint, ModelError> {
    std::fs::write(folder.join("model.safetensors"), bytes).unwrap();
    SafetensorsCheckpoint::open(folder)
}

/// A file whose header is the given text.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn tensors_of_all_types_are_read_as_single_precision() {
    let folder = tempfile::tempdir().unwrap();
    let half = [f16::from_f32(0.5), f16::from_f32(-2.0)];
    let brain = [bf16::from_f32(0.5), bf16::from_f32(-2.0)];
    let bytes = file(&[
        ("a", Dtype::F32, vec![2, 3], floats(&[0., 1., 2., 3., 4., 5.])),
        ("b", Dtype::F16, vec![2], half.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("c", Dtype::BF16, vec![2], brain.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("position_ids", Dtype::I64, vec![1, 2], [0i64, 1].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ]);
    let checkpoint = open(folder.path(), &bytes).unwrap();
    assert_eq!(checkpoint.names(), ["a", "b", "c", "position_ids"]);
    assert_eq!(checkpoint.shape("a"), Some(vec![2, 3]));
    assert_eq!(checkpoint.read("a").unwrap(), [0., 1., 2., 3., 4., 5.]);
    assert_eq!(checkpoint.read("b").unwrap(), [0.5, -2.0]);
    assert_eq!(checkpoint.read("c").unwrap(), [0.5, -2.0]);
    assert_eq!(checkpoint.read("position_ids").unwrap(), [0.0, 1.0]);
    assert_eq!(checkpoint.dtype("c").as_deref(), Some("BF16"));
    assert!(checkpoint.describe_precision().starts_with("F32 (1 tensor), "));
    assert!(matches!(checkpoint.read("d"), Err(ModelError::MissingTensor { .. })));
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(&[
        ("nan", Dtype::F32, vec![3], floats(&[0., 1., f32::NAN])),
        ("large", Dtype::F64, vec![1], 1e300f64.to_le_bytes().to_vec()),
    ]);
    let checkpoint = open(folder.path(), &bytes).unwrap();
    let message = checkpoint.read("nan").unwrap_err().to_string();
    assert!(message.contains("tensor `nan` holds NaN at element 2"), "{message}");
    assert!(matches!(checkpoint.read("large"), Err(ModelError::NonFinite { index: 0, .. })));
}

#[test]
fn a_type_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(&[("x", Dtype::F8_E4M3, vec![1], vec![0])]);
    let message = open(folder.path(), &bytes).unwrap().read("x").unwrap_err().to_string();
    assert!(message.contains("F8_E4M3") && message.contains("BF16"), "{message}");
}

#[test]
fn shards_are_read_through_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, contents: &[u8]| std::fs::write(folder.path().join(name), contents).unwrap();
    write("m-1.safetensors", &file(&[("a", Dtype::F32, vec![1], floats(&[1.]))]));
    write("m-2.safetensors", &file(&[("b", Dtype::F32, vec![1], floats(&[2.]))]));
    let index = |map: &str| {
        write("model.safetensors.index.json", format!("{{\"weight_map\": {map}}}").as_bytes());
        SafetensorsCheckpoint::open(folder.path())
    };
    let checkpoint = index(r#"{"a": "m-1.safetensors", "b": "m-2.safetensors"}"#).unwrap();
    assert_eq!(checkpoint.read("b").unwrap(), [2.0]);
    for (map, words) in [
        (r#"{"a": "m-2.safetensors"}"#, "tensor `a` is missing"),
        (r#"{"a": "m-3.safetensors"}"#, "m-3.safetensors"),
        (r#"{"a": "../m-1.safetensors"}"#, "not the name of a file"),
        (r#"{"a": "/m-1.safetensors"}"#, "not the name of a file"),
        (r#"{"a": ".."}"#, "not the name of a file"),
        (r#"[]"#, "weight_map"),
    ] {
        let message = index(map).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let message = SafetensorsCheckpoint::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("model.safetensors.index.json"), "{message}");
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(&[("a", Dtype::F32, vec![4], floats(&[1.; 4]))]);
    for length in 0..bytes.len() {
        let message = open(folder.path(), &bytes[..length]).unwrap_err().to_string();
        assert!(message.contains("model.safetensors: header"), "{message}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(open(folder.path(), &longer).is_err());
}

#[test]
fn headers_that_lie_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |shape: &str, from: u64, to: u64| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
    };
    for bytes in [
        u64::MAX.to_le_bytes().to_vec(),
        with_header(&entry("[2]", 0, 4), 4),
        with_header(&entry("[1]", 4, 0), 4),
        with_header(&entry("[1]", 4, 8), 8),
        with_header(&entry("[1]", 0, u64::MAX), 4),
        with_header(&entry("[4294967296,4294967296,4294967296]", 0, 4), 4),
        with_header(&entry("[-1]", 0, 4), 4),
        with_header("{", 0),
        with_header("[]", 0),
    ] {
        assert!(matches!(open(folder.path(), &bytes), Err(ModelError::Format { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_change_makes_a_panic(at in 0usize..1000, value: u8, length in 0usize..1000) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = file(&[
            ("a", Dtype::F32, vec![2, 2], floats(&[1.; 4])),
            ("b", Dtype::I64, vec![1], vec![0; 8]),
        ]);
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(length.max(8));
        if let Ok(checkpoint) = open(folder.path(), &bytes) {
            for name in checkpoint.names() {
                let _ = checkpoint.read(&name);
            }
        }
    }
}
