//! What is written in few bits is read back as the values that it stands for, by this binary and by Python.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::tiny::Tiny;
use common::{junkdna, tiny_bert};
use junkdna_backend::kernels::round_tokens;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// A model whose numbers are all exact in half precision, so that formats that store some so lose nothing.
fn exact() -> Tiny {
    let mut tiny = Tiny::default();
    tiny.tensors.iter_mut().flat_map(|(_, _, values)| values).for_each(|x| *x = (*x * 256.0).round() / 256.0);
    tiny
}

/// Runs a compression of `model` that writes `name`.
fn write(folder: &TempDir, model: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let out = folder.path().join(name);
    junkdna().args(arguments).arg("--model").arg(model).arg("--out").arg(&out).assert().success();
    out
}

/// Two documents for `score`; one has nothing before its continuations.
fn requests(folder: &Path) -> PathBuf {
    let file = common::requests(folder);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("w1 w2 w4", "", 1)).unwrap();
    file
}

/// The log-likelihoods of a few requests.
fn score(folder: &TempDir, model: &Path) -> Vec<f64> {
    let (requests, out) = (requests(folder.path()), folder.path().join("scored.jsonl"));
    junkdna()
        .args(["score", "--model"])
        .arg(model)
        .arg("--requests")
        .arg(requests)
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    let text = std::fs::read_to_string(out).unwrap();
    let numbers = |line: &str| -> Vec<f64> {
        let line: Value = serde_json::from_str(line).unwrap();
        line["loglikelihood"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    text.lines().flat_map(numbers).collect()
}

fn assert_close(expected: &[f64], found: &[f64], what: &str) {
    assert_within(1e-4, expected, found, what);
}

fn assert_within(tolerance: f64, expected: &[f64], found: &[f64], what: &str) {
    assert_eq!(expected.len(), found.len(), "{what}");
    for (expected, found) in expected.iter().zip(found) {
        assert!((expected - found).abs() < tolerance, "{what}: {found}, not {expected}");
    }
}

/// Every kind of packed codes: arguments beside `quantize --method rtn`.
const PACKED: [&[&str]; 6] = [
    &["--bits=4", "--group-size=8", "--symmetric"],
    &["--bits=4", "--group-size=16"],
    &["--bits=2", "--group-size=8"],
    &["--bits=3", "--group-size=8"],
    &["--bits=8"],
    &["--bits=5", "--symmetric"],
];

/// Every sparse layout: arguments beside `prune --method magnitude`.
const SPARSE: [&[&str]; 3] = [
    &["--sparsity=0.6", "--format=sparse-bitmask"],
    &["--pattern=2:4", "--format=sparse-bitmask"],
    &["--pattern=2:4", "--format=sparse-24-bitmask"],
];

fn quantize<'a>(arguments: &[&'a str], format: &'a str) -> Vec<&'a str> {
    [&["quantize", "--method=rtn", "--format", format][..], arguments].concat()
}

fn prune<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["prune", "--method=magnitude"][..], arguments].concat()
}

#[test]
fn packed_codes_score_as_the_floats_that_they_stand_for() {
    for (number, arguments) in PACKED.iter().enumerate() {
        let folder = tempdir().unwrap();
        let model = exact().write(&folder);
        let float = write(&folder, &model, "float", &quantize(arguments, "float"));
        let packed = write(&folder, &model, "packed", &quantize(arguments, "compressed-tensors"));
        assert_close(&score(&folder, &float), &score(&folder, &packed), &format!("{arguments:?}"));
        let size = |folder: &Path| std::fs::metadata(folder.join("model.safetensors")).unwrap().len();
        assert!(size(&packed) < size(&float), "{number}");
        // Compressed again, it is the same model.
        let again = ["prune", "--method=magnitude", "--sparsity=0.5", "--format=float"];
        let of_float = write(&folder, &float, "float-again", &again);
        let of_packed = write(&folder, &packed, "packed-again", &again);
        assert_close(&score(&folder, &of_float), &score(&folder, &of_packed), "pruned");
    }
}

#[test]
fn sparse_layouts_score_as_the_floats_that_they_stand_for() {
    for arguments in SPARSE {
        let folder = tempdir().unwrap();
        let model = exact().write(&folder);
        let float = write(&folder, &model, "float", &prune(&[arguments[0], "--format=float"]));
        let sparse = write(&folder, &model, "sparse", &prune(arguments));
        assert_close(&score(&folder, &float), &score(&folder, &sparse), &format!("{arguments:?}"));
    }
}

/// Every type of GGUF blocks: arguments beside `quantize --method rtn`.
const GGUF: [&[&str]; 3] = [&["--bits=8", "--symmetric"], &["--bits=4", "--symmetric"], &["--bits=4"]];

/// A model whose rows are whole blocks, in a GGUF file and as floats.
fn gguf(folder: &TempDir, arguments: &[&str]) -> [PathBuf; 2] {
    let arguments = [arguments, &["--group-size=32"]].concat();
    let mut model = Tiny::with_hidden_size(64).with_byte_level_tokens();
    model.values("model.embed_tokens.weight").iter_mut().for_each(|x| *x = (*x * 256.0).round() / 256.0);
    let model = model.write(folder);
    let float = write(folder, &model, "float", &quantize(&arguments, "float"));
    [write(folder, &model, "model.gguf", &quantize(&arguments, "gguf")), float]
}

#[test]
fn gguf_blocks_score_as_the_floats_that_they_stand_for() {
    for arguments in GGUF {
        let folder = tempdir().unwrap();
        let [gguf, float] = gguf(&folder, arguments);
        // Q4_1 rounds minima to half precision.
        let tolerance = if arguments.contains(&"--symmetric") { 1e-4 } else { 2e-2 };
        assert_within(tolerance, &score(&folder, &float), &score(&folder, &gguf), &format!("{arguments:?}"));
    }
}

#[test]
fn parity_python_reads_gguf_files() {
    for arguments in GGUF {
        let folder = tempdir().unwrap();
        let [gguf, _] = gguf(&folder, arguments);
        let Some(found) = python(&folder, &gguf) else { return };
        assert_close(&score(&folder, &gguf), &found, &format!("{arguments:?}"));
    }
}

#[test]
fn a_format_for_another_compression_is_refused() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    for (arguments, words) in [
        (prune(&["--sparsity=0.5", "--format=compressed-tensors"]), "without codes"),
        (quantize(&["--bits=4"], "sparse-bitmask"), "not pruned"),
        (quantize(&["--bits=4", "--group-size=8"], "gguf"), "groups of 32"),
        (quantize(&["--bits=8", "--activations=8"], "float"), "inputs are rounded"),
        (quantize(&["--bits=8", "--activations=9"], "compressed-tensors"), "--activations"),
        (quantize(&["--bits=8", "--activations=8", "--include=q_proj"], "compressed-tensors"), "share an input"),
        (prune(&["--sparsity=0.5", "--format=zip"]), "unknown format `zip`"),
        (prune(&["--sparsity=0.5", "--format=sparse-24-bitmask"]), "--pattern 2:4"),
    ] {
        let out = folder.path().join("out");
        let output = junkdna().args(&arguments).arg("--model").arg(&model).arg("--out").arg(&out).assert().code(2);
        let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(message.contains(words), "{message}");
        assert!(!out.exists());
    }
}

/// Weights of 8 bits, which are stored in bytes, and of others, which are packed; all read inputs of 8 bits.
const ACTIVATIONS: [&[&str]; 4] = [
    &["--bits=8", "--symmetric", "--activations=8"],
    &["--bits=8", "--symmetric", "--group-size=8", "--activations=8"],
    &["--bits=4", "--symmetric", "--group-size=8", "--activations=8"],
    &["--bits=8", "--activations=8"],
];

#[test]
fn inputs_are_rounded_where_a_folder_says_so() {
    for arguments in ACTIVATIONS {
        let folder = tempdir().unwrap();
        let model = exact().write(&folder);
        let without: Vec<&str> = arguments.iter().copied().filter(|a| !a.starts_with("--activations")).collect();
        let plain = score(&folder, &write(&folder, &model, "plain", &quantize(&without, "compressed-tensors")));
        let rounding = score(&folder, &write(&folder, &model, "rounding", &quantize(arguments, "compressed-tensors")));
        assert_within(0.1, &plain, &rounding, &format!("{arguments:?}"));
        assert!(plain.iter().zip(&rounding).any(|(a, b)| (a - b).abs() > 1e-4), "{arguments:?}: {plain:?}");
    }
}

#[test]
fn parity_python_rounds_inputs_too() {
    for arguments in &ACTIVATIONS {
        let folder = tempdir().unwrap();
        let model = exact().write(&folder);
        let written = write(&folder, &model, "rounding", &quantize(arguments, "compressed-tensors"));
        let Some(found) = python(&folder, &written) else { return };
        assert_within(A_STEP, &score(&folder, &written), &found, &format!("{arguments:?}"));
    }
}

/// What a step of one input's codes moves a log-likelihood or a logit of these models by. A token's largest input lies on the
/// tie between two codes (127.5) where it is negative, so that it takes one or the other by the last bit of what computed it.
const A_STEP: f64 = 1e-2;

#[test]
fn parity_python_rounds_tokens_to_the_same_values() {
    for bits in [4, 8] {
        let folder = tempdir().unwrap();
        // Largest magnitudes of either sign.
        let rows: Vec<Vec<f32>> = (0..64)
            .map(|row| (0..33).map(|i| ((row * 37 + i * i) as f32 * 0.71).sin() * (row + 1) as f32).collect())
            .collect();
        let file = folder.path().join("inputs.json");
        std::fs::write(&file, serde_json::json!({ "bits": bits, "rows": rows }).to_string()).unwrap();
        let Some(theirs) = run_python("round_tokens.py", [&file]) else { return };
        let theirs: Vec<Vec<f32>> = serde_json::from_str(&theirs).unwrap();
        let inputs = Tensor::from_data(TensorData::new(rows.concat(), [64, 33]), &Device::flex());
        let ours: Vec<f32> = round_tokens(inputs, bits).into_data().iter().collect();
        assert_eq!(ours, theirs.concat(), "{bits} bits");
    }
}

/// Packed codes, and codes and inputs of 8 bits: arguments beside `quantize --method rtn`, and how far logits may differ.
const ENCODERS: [(&[&str], f64); 3] = [
    (&["--bits=4", "--symmetric", "--group-size=8"], 1e-4),
    (&["--bits=8", "--symmetric", "--activations=8", "--include=encoder"], A_STEP),
    (&["--bits=8", "--activations=8", "--include=encoder"], A_STEP),
];

/// Some texts, and the logits that an encoder gives them.
fn classify(folder: &TempDir, model: &Path) -> (Vec<Value>, Vec<f64>) {
    let (task, samples) = (tiny_bert::task(folder.path(), 8), folder.path().join("samples.jsonl"));
    let limit = ["--limit", "6", "--samples"];
    junkdna().args(["eval", "--model"]).arg(model).arg("--task").arg(task).args(limit).arg(&samples).assert().success();
    let text = std::fs::read_to_string(samples).unwrap();
    let samples = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (texts, logits): (Vec<_>, Vec<Vec<f64>>) = samples
        .map(|sample| {
            let logits = serde_json::from_value(sample["resps"][0][0].clone()).unwrap();
            (sample["arguments"]["gen_args_0"]["arg_0"].clone(), logits)
        })
        .unzip();
    (texts, logits.concat())
}

#[test]
fn encoders_round_inputs_where_a_folder_says_so() {
    let folder = tempdir().unwrap();
    let model = tiny_bert::write_classifier(&folder);
    let logits = |name: &str, arguments: &[&str]| {
        classify(&folder, &write(&folder, &model, name, &quantize(arguments, "compressed-tensors"))).1
    };
    let [plain, rounding] = [logits("plain", &["--bits=8", "--include=encoder"]), logits("rounding", ENCODERS[2].0)];
    assert_within(0.1, &plain, &rounding, "rounded");
    assert!(plain.iter().zip(&rounding).any(|(a, b)| (a - b).abs() > 1e-5), "{plain:?} and {rounding:?}");
    let [written, task, out] = ["rounding", "SST-2", "trained"].map(|name| folder.path().join(name));
    let mut train = junkdna();
    train.args(["finetune", "--model"]).arg(written).arg("--task").arg(task).arg("--out").arg(out);
    let message = String::from_utf8(train.assert().code(2).get_output().stderr.clone()).unwrap();
    assert!(message.contains("no gradient"), "{message}");
    // What follows the blocks is read as it is.
    let all = quantize(&["--bits=8", "--activations=8"], "compressed-tensors");
    let output = junkdna().args(all).arg("--model").arg(&model).arg("--out").arg(folder.path().join("all")).assert();
    let message = String::from_utf8(output.code(2).get_output().stderr.clone()).unwrap();
    assert!(message.contains("the linears in its blocks"), "{message}");
}

#[test]
fn parity_python_reads_encoders() {
    for (arguments, tolerance) in ENCODERS {
        let folder = tempdir().unwrap();
        let model = tiny_bert::write_classifier(&folder);
        let written = write(&folder, &model, "written", &quantize(arguments, "compressed-tensors"));
        let (texts, logits) = classify(&folder, &written);
        let file = folder.path().join("texts.json");
        std::fs::write(&file, serde_json::to_string(&texts).unwrap()).unwrap();
        let Some(found) = run_python("classify.py", [&written, &file]) else { return };
        let found: Vec<Vec<f64>> = serde_json::from_str(&found).unwrap();
        assert_within(tolerance, &logits, &found.concat(), &format!("{arguments:?}"));
    }
}

/// What Python makes of a model; `None` where there is no Python to ask.
fn python(folder: &TempDir, model: &Path) -> Option<Vec<f64>> {
    let text = run_python("read_back.py", [model, &requests(folder.path())])?;
    Some(text.lines().flat_map(|line| serde_json::from_str::<Vec<f64>>(line).unwrap()).collect())
}

/// What a script prints; `None` where there is no Python to run it.
fn run_python(script: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Option<String> {
    let Ok(python) = std::env::var("JUNKDNA_PYTHON") else {
        eprintln!("skipped: JUNKDNA_PYTHON names no Python with transformers and compressed-tensors");
        return None;
    };
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python")).join(script);
    let mut command = std::process::Command::new(python);
    let output = command.env("OMP_NUM_THREADS", "1").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn parity_python_reads_what_is_written() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let packed = PACKED.iter().map(|arguments| quantize(arguments, "compressed-tensors"));
    let commands = packed.chain(SPARSE.iter().map(|arguments| prune(arguments)));
    for (number, command) in commands.enumerate() {
        let written = write(&folder, &model, &number.to_string(), &command);
        let Some(found) = python(&folder, &written) else { return };
        // With zero points it multiplies in the half precision of the scales.
        let halves = command.contains(&"compressed-tensors") && !command.contains(&"--symmetric");
        let tolerance = if halves { 2e-3 } else { 1e-4 };
        assert_within(tolerance, &score(&folder, &written), &found, &format!("{command:?}"));
    }
}
