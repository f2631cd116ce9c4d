//! Compressing and what it prints, on a model small enough for every test run.

mod common;

use common::tiny::Tiny;
use common::{junkdna, names};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::tempdir;

/// 40 samples of 16 words.
fn samples(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("samples.jsonl");
    let line = |i: usize| {
        let ids: Vec<usize> = (0..16).map(|j| (i * 29 + j * j * 7 + j) % 64).collect();
        serde_json::json!({ "input_ids": ids }).to_string() + "\n"
    };
    std::fs::write(&file, (0..40).map(line).collect::<String>()).unwrap();
    file
}

#[test]
fn every_method_meets_its_target_and_leaves_the_rest() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let samples = samples(folder.path());
    for method in ["magnitude", "largest", "random", "taylor", "wanda", "ria", "sparsegpt"] {
        for target in ["--sparsity=0.5", "--pattern=2:4"] {
            let out = folder.path().join(format!("{method}{target}"));
            let mask = folder.path().join(format!("{method}{target}.safetensors"));
            let output = junkdna()
                .args(["prune", "--json", "--method", method, target, "--model"])
                .arg(&model)
                .arg("--calibration")
                .arg(&samples)
                .arg("--out")
                .arg(&out)
                .arg("--mask-out")
                .arg(&mask)
                .assert()
                .success()
                .get_output()
                .stdout
                .clone();
            let result: Value = serde_json::from_slice(&output).unwrap();
            let sparsity = result["sparsity"].as_f64().unwrap();
            assert!((sparsity - 0.5).abs() < 0.01, "{method} {target}: {sparsity}");
            assert_eq!(result["layers"].as_array().unwrap().len(), 14);
            assert!(mask.is_file());
            let files = ["config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json"];
            assert!(files.iter().all(|file| names(&out).contains(&(*file).to_owned())), "{:?}", names(&out));
        }
    }
}

#[test]
fn in_true_sequence_other_weights_go() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let samples = samples(folder.path());
    let mask = |method: &str, more: &[&str]| {
        let file = folder.path().join("mask.safetensors");
        let mut command = junkdna();
        command.args(["prune", "--method", method, "--sparsity=0.5"]).args(more).arg("--model").arg(&model);
        command
            .arg("--calibration")
            .arg(&samples)
            .arg("--out")
            .arg(folder.path().join(format!("{method}{}", more.len())));
        command.arg("--mask-out").arg(&file).assert().success();
        std::fs::read(file).unwrap()
    };
    for method in ["wanda", "ria", "sparsegpt"] {
        assert_ne!(mask(method, &[]), mask(method, &["--true-sequential"]), "{method}");
    }
}

#[test]
fn whole_outputs_can_go() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let arguments = ["prune", "--method", "magnitude", "--sparsity=0.5", "--blocks=1x*", "--scope=layer", "--model"];
    let output = junkdna().args(arguments).arg(&model).args(["--dry-run", "--json"]).assert().success();
    let result: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    for layer in result["layers"].as_array().unwrap() {
        let (weights, removed) = (layer["weights"].as_u64().unwrap(), layer["removed"].as_u64().unwrap());
        assert!(removed >= weights / 2, "{layer}"); // ties included, as the command line does
    }
}

#[test]
fn what_is_left_of_whole_channels_is_a_smaller_model() {
    let folder = tempdir().unwrap();
    let (model, out) = (Tiny::default().write(&folder), folder.path().join("smaller"));
    let arguments = ["prune", "--method=random", "--sparsity=0.5", "--blocks=1x*", "--scope=layer", "--shrink"];
    let output = junkdna()
        .args(arguments)
        .args(["--include=mlp.gate_proj", "--json", "--model"])
        .arg(&model)
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    let result: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let inspect = |folder: &Path| -> Value {
        let output = junkdna().args(["inspect", "--json", "--model"]).arg(folder).assert().success();
        serde_json::from_slice(&output.get_output().stdout).unwrap()
    };
    let (dense, smaller) = (inspect(&model)["parameters"].as_u64(), inspect(&out)["parameters"].as_u64());
    assert_eq!(smaller, result["parameters"].as_u64());
    let config = |folder: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap()
    };
    let size = |folder: &Path, field: &str| config(folder)[field].as_u64().unwrap();
    let channels = size(&model, "intermediate_size") - size(&out, "intermediate_size");
    assert!(channels >= size(&model, "intermediate_size") / 2);
    // A row of gate_proj and of up_proj, and a column of down_proj, in every layer.
    let of_channel = 3 * size(&model, "hidden_size") * size(&model, "num_hidden_layers");
    assert_eq!(dense.unwrap() - smaller.unwrap(), channels * of_channel);
}

/// The share of weights that went, by parameter path, and in all.
fn shares(model: &Path, samples: &Path, options: &[&str]) -> (BTreeMap<String, f64>, f64) {
    let mut command = junkdna();
    command.args(["prune", "--dry-run", "--json", "--calibration"]).arg(samples).arg("--model").arg(model);
    let result: Value = serde_json::from_slice(&command.args(options).assert().success().get_output().stdout).unwrap();
    let share = |layer: &Value| layer["removed"].as_f64().unwrap() / layer["weights"].as_f64().unwrap();
    let layers = result["layers"].as_array().unwrap().iter();
    let shares = layers.map(|layer| (layer["path"].as_str().unwrap().to_owned(), share(layer))).collect();
    (shares, result["sparsity"].as_f64().unwrap())
}

#[test]
fn matrices_lose_what_the_allocation_says() {
    let folder = tempdir().unwrap();
    let mut tiny = Tiny::default();
    // Outliers, for OWL.
    tiny.values("model.layers.1.mlp.up_proj.weight").iter_mut().step_by(16).for_each(|w| *w *= 50.0);
    let model = tiny.write(&folder);
    let samples = samples(folder.path());
    for method in ["magnitude", "taylor", "wanda", "ria", "sparsegpt"] {
        let shares =
            |allocation| shares(&model, &samples, &["--method", method, "--sparsity=0.5", "--allocation", allocation]);
        let (by_path, _) = shares("mlp=0.75,self_attn=0.25");
        for (path, share) in by_path {
            let expected = if path.contains("mlp") { 0.75 } else { 0.25 };
            assert!((share - expected).abs() < 0.02, "{method}: {path} lost {share}");
        }
        for allocation in ["erdos-renyi", "owl"] {
            let (by_path, all) = shares(allocation);
            let low = by_path.values().copied().fold(1.0, f64::min);
            let high = by_path.values().copied().fold(0.0, f64::max);
            assert!(high - low > 0.01, "{method} {allocation}: the same everywhere, {by_path:?}");
            // In a row of 16 inputs less than one may be missing.
            assert!((all - 0.5).abs() < 1.0 / 16.0, "{method} {allocation}: {all} in all");
        }
    }
}

#[test]
fn every_quantizer_keeps_to_its_bits() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let samples = samples(folder.path());
    let three = ["--bits", "3"].as_slice();
    // Beside a 16-bit scale a group has a zero point: of 3 bits, of 16 or none.
    for (name, method, codes, bits) in [
        ("rtn", "rtn", three, 3.0 + 19.0 / 8.0),
        ("searched", "rtn", &["--bits", "3", "--range", "least-error"], 3.0 + 19.0 / 8.0),
        ("gptq", "gptq", &["--bits", "3", "--act-order", "--keep-zeros"], 3.0 + 19.0 / 8.0),
        ("hqq", "hqq", three, 3.0 + 32.0 / 8.0),
        ("hqq that keeps zeros", "hqq", &["--bits", "3", "--keep-zeros"], 3.0 + 19.0 / 8.0),
        ("smoothquant", "smoothquant", three, 3.0 + 19.0 / 8.0),
        ("nf4", "rtn", &["--codebook", "nf4", "--scales", "f32"], 4.0 + 32.0 / 8.0),
        ("fp4", "gptq", &["--codebook", "fp4"], 4.0 + 16.0 / 8.0),
    ] {
        let out = folder.path().join(name);
        let arguments = ["quantize", "--json", "--group-size", "8", "--method", method, "--model"];
        let mut command = junkdna();
        command.args(arguments).arg(&model).arg("--out").arg(&out).arg("--calibration").arg(&samples).args(codes);
        let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
        let found = result["effective_bits"].as_f64().unwrap();
        assert!((found - bits).abs() < 1e-9, "{name}: {found}");
        let bytes = std::fs::read(out.join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        for tensor in file.names().into_iter().filter(|name| name.contains("proj")) {
            let values = file.tensor(tensor).unwrap().data().as_chunks::<4>().0;
            for group in values.chunks(8) {
                let distinct: std::collections::BTreeSet<_> = group.iter().collect();
                assert!(distinct.len() <= 1 << bits as u32, "{name}: {tensor} has {} values", distinct.len());
            }
        }
    }
}

#[test]
fn awq_changes_a_model_only_by_what_its_codes_lose() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let samples = samples(folder.path());
    let log_likelihoods = |model: &Path| -> Vec<f64> {
        let (requests, out) = (folder.path().join("requests.jsonl"), folder.path().join("scored.jsonl"));
        let line = r#"{"task":"t","doc":0,"context":"w3 w4 w5","continuations":[" w6"," w7 w8"],"gold":0}"#;
        std::fs::write(&requests, line).unwrap();
        let mut command = junkdna();
        command.arg("score").arg("--model").arg(model).arg("--requests").arg(&requests).arg("--out").arg(&out);
        command.assert().success();
        let scored: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
        scored["loglikelihood"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let dense = log_likelihoods(&model);
    for (method, widths) in [("awq", ["--width", "up_proj=7"].as_slice()), ("smoothquant", &[])] {
        let out = folder.path().join(method);
        let arguments = ["quantize", "--json", "--bits", "8", "--group-size", "8", "--method", method, "--model"];
        let mut command = junkdna();
        command.args(arguments).arg(&model).arg("--out").arg(&out).arg("--calibration").arg(&samples).args(widths);
        let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
        for layer in result["layers"].as_array().unwrap() {
            let narrow = layer["path"].as_str().unwrap().contains("up_proj") && method == "awq";
            assert_eq!(layer["bits"], if narrow { 7 } else { 8 }, "{layer}");
            assert!(layer["output_error"].as_f64().unwrap() < 0.02, "{layer}");
        }
        for (quantized, dense) in log_likelihoods(&out).iter().zip(&dense) {
            assert!((quantized - dense).abs() < 0.05, "{method}: {quantized} and {dense}");
        }
    }
}

#[test]
fn sparsegpt_rounds_what_it_keeps() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let (samples, out) = (samples(folder.path()), folder.path().join("out"));
    let arguments =
        ["prune", "--json", "--method", "sparsegpt", "--pattern", "2:4", "--bits", "3", "--group-size", "8", "--model"];
    let mut command = junkdna();
    command.args(arguments).arg(&model).arg("--out").arg(&out).arg("--calibration").arg(&samples);
    let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
    // A bit for each weight, codes of half of them, and a scale and a zero point for every 8; no file has that.
    assert_eq!(result["size"]["format"], "bitmask with codes");
    assert_eq!(result["size"]["bits_per_weight"].as_f64(), Some(1.0 + 3.0 / 2.0 + 19.0 / 8.0));
    let bytes = std::fs::read(out.join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for name in file.names().into_iter().filter(|name| name.contains("proj")) {
        let values: Vec<f32> =
            file.tensor(name).unwrap().data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        for group in values.chunks(8) {
            let distinct: std::collections::BTreeSet<u32> = group.iter().map(|v| v.to_bits()).collect();
            assert!(distinct.len() <= 5, "{name}: 4 of 8 may differ from zero: {group:?}");
            // Multiples of one step.
            let step = group.iter().filter(|v| **v != 0.0).fold(f32::INFINITY, |s, v| s.min(v.abs()));
            let on_grid =
                |v: &f32| (1..8).any(|k| ((v / (step / k as f32)).round() - v / (step / k as f32)).abs() < 1e-3);
            assert!(group.iter().all(on_grid), "{name}: {group:?}");
        }
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let before = names(folder.path());
    let arguments = ["prune", "--method", "magnitude", "--sparsity", "0.5", "--dry-run", "--model"];
    let output = junkdna().args(arguments).arg(&model).assert().success().get_output().stdout.clone();
    assert!(String::from_utf8(output).unwrap().contains("model.layers.1.mlp.down_proj.weight"));
    assert_eq!(names(folder.path()), before);
}

#[test]
fn whoever_reads_may_stop_reading() {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("junkdna"))
        .args(["list", "models"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
