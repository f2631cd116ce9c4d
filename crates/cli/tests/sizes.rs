//! Sizes that are printed are those of the files that are written.

mod common;

use common::junkdna;
use common::tiny::Tiny;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// What a command that writes `name` prints.
fn json(folder: &TempDir, model: &Path, name: &str, arguments: &[&str]) -> (Value, PathBuf) {
    let out = folder.path().join(name);
    let mut command = junkdna();
    command.args(arguments).arg("--json").arg("--model").arg(model).arg("--out").arg(&out);
    (serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap(), out)
}

/// The bytes of all that the projections of a folder are stored as.
fn stored(folder: &Path) -> u64 {
    let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let of_projections = file.tensors().into_iter().filter(|(name, _)| name.contains("_proj."));
    of_projections.map(|(_, tensor)| tensor.data().len() as u64).sum()
}

#[test]
fn the_size_that_is_said_is_the_files() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    for (name, arguments) in [
        ("grouped", ["quantize", "--method=rtn", "--bits=3", "--group-size=8", "--format=compressed-tensors"]),
        ("symmetric", ["quantize", "--method=rtn", "--bits=5", "--symmetric", "--format=compressed-tensors"]),
        ("wide", ["quantize", "--method=hqq", "--bits=8", "--keep-zeros", "--format=compressed-tensors"]),
        ("mixed", ["quantize", "--method=rtn", "--bits=4", "--width=mlp=7", "--format=compressed-tensors"]),
        ("sparse", ["prune", "--method=magnitude", "--sparsity=0.6", "--scope=layer", "--format=sparse-bitmask"]),
        ("two", ["prune", "--method=magnitude", "--pattern=2:4", "--scope=layer", "--format=sparse-24-bitmask"]),
    ] {
        let (result, out) = json(&folder, &model, name, &arguments);
        assert_eq!(result["size"]["bytes"].as_u64(), Some(stored(&out)), "{name}: {}", result["size"]);
    }
}

#[test]
fn gguf_blocks_are_counted_as_they_are_stored() {
    let folder = tempdir().unwrap();
    let model = Tiny::with_hidden_size(64).with_byte_level_tokens().write(&folder);
    let common = ["quantize", "--method=rtn", "--group-size=32", "--format=gguf"];
    let size = |name: &str, more: &[&str]| {
        let (result, file) = json(&folder, &model, name, &[common.as_slice(), more].concat());
        (result["size"]["bytes"].as_u64().unwrap(), std::fs::metadata(file).unwrap().len())
    };
    // All else in the file is the same.
    let (eight, four) = (size("8.gguf", &["--bits=8", "--symmetric"]), size("4.gguf", &["--bits=4", "--symmetric"]));
    assert_eq!(eight.0 - four.0, eight.1 - four.1);
}

#[test]
fn a_width_and_a_sparsity_of_one_size_find_each_other() {
    let folder = tempdir().unwrap();
    let model = Tiny::with_hidden_size(64).write(&folder);
    for sparsity in ["0.62", "0.75", "0.8"] {
        let prune = ["prune", "--method=magnitude", "--scope=layer", "--format=sparse-bitmask", "--sparsity", sparsity];
        let (pruned, sparse) = json(&folder, &model, &format!("pruned-{sparsity}"), &prune);
        let quantize = ["quantize", "--method=rtn", "--format=compressed-tensors", "--match-sparsity", sparsity];
        let (quantized, packed) = json(&folder, &model, &format!("quantized-{sparsity}"), &quantize);
        let bits = pruned["size"]["same_size"]["bits"].as_u64();
        assert_eq!(quantized["layers"][0]["bits"].as_u64(), bits);
        assert_eq!(pruned["size"]["same_size"]["bytes"].as_u64(), Some(stored(&packed)));
        // No other width is nearer.
        let off = stored(&packed).abs_diff(stored(&sparse)) as f64 * 8.0 / (2.0 * 64.0 * 64.0 * 9.0);
        assert!(off <= 0.5, "{sparsity}: {off} bits a weight apart");
        let back = quantized["size"]["same_size"]["sparsity"].as_f64().unwrap();
        assert!((back - sparsity.parse::<f64>().unwrap()).abs() <= 0.5 / 16.0 + 1e-3, "{sparsity} came back as {back}");
    }
    for (arguments, words) in [
        (["--match-sparsity=0.5", "--bits=4"], "cannot be used with"),
        (["--match-sparsity=1.5", "--symmetric"], "--match-sparsity"),
        (["--match-sparsity=0.5", "--group-size=7"], "group size 7 does not divide"),
    ] {
        let mut command = junkdna();
        command.args(["quantize", "--method=rtn", "--dry-run", "--model"]).arg(&model).args(arguments);
        let output = command.assert().code(2);
        let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(message.contains(words), "{message}");
    }
}
