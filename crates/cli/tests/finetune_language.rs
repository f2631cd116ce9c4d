//! Fine-tuning of causal language models from the command line.

mod common;

use common::junkdna;
use common::tiny::{Tiny, pairs};
use predicates::str::contains;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::{TempDir, tempdir};

fn prepared(count: usize) -> TempDir {
    let folder = tempdir().unwrap();
    Tiny::default().write(&folder);
    pairs(folder.path(), "pairs.jsonl", 0..count);
    folder
}

fn finetune(folder: &TempDir, task: &str, out: &str) -> assert_cmd::Command {
    let mut command = at_rate(folder, "1e-2", task, out);
    command.args(["--batch-size", "8"]);
    command
}

fn at_rate(folder: &TempDir, rate: &str, task: &str, out: &str) -> assert_cmd::Command {
    let mut command = junkdna();
    command.args(["finetune", "--json", "--learning-rate", rate, "--model"]);
    command.arg(folder.path().join("model")).arg("--task").arg(folder.path().join(task));
    command.arg("--out").arg(folder.path().join(out));
    command
}

fn result(command: &mut assert_cmd::Command) -> Value {
    serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap()
}

fn weights(model: &Path) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(model.join("model.safetensors")).unwrap();
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    SafeTensors::deserialize(&bytes).unwrap().iter().map(|(name, t)| (name.to_owned(), floats(t.data()))).collect()
}

/// What a Python with PyTorch, Transformers and PEFT says; nothing where there is none.
fn python(arguments: &[&Path], more: &[&str]) -> Option<Value> {
    let Ok(python) = std::env::var("JUNKDNA_PYTHON") else {
        eprintln!("skipped: JUNKDNA_PYTHON names no Python with transformers and peft");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/train_language.py");
    let output = std::process::Command::new(python).arg(script).args(arguments).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn training_learns_what_follows_prompts() {
    let folder = prepared(200);
    let result = result(finetune(&folder, "pairs.jsonl", "out").args(["--epochs", "8"]));
    assert_eq!(
        (&result["task"], &result["metric"], &result["examples"]),
        (&"pairs".into(), &"loss".into(), &180.into())
    );
    let evaluations = result["evaluations"].as_array().unwrap();
    let metric = |at: usize, name: &str| evaluations[at]["metrics"][name].as_f64().unwrap();
    assert!(metric(7, "loss") < metric(0, "loss") / 2.0, "{evaluations:?}");
    assert!((metric(7, "loss").exp() - metric(7, "perplexity")).abs() < 1e-9);
    assert!(metric(7, "exact") > 0.5, "{evaluations:?}");
    let (before, after) = (weights(&folder.path().join("model")), weights(&folder.path().join("out")));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
}

/// Three steps from the same weights on the same pairs.
#[test]
fn parity_steps_of_transformers() {
    let folder = prepared(2);
    pairs(folder.path(), "train.jsonl", 0..24);
    let task = "train = \"train.jsonl\"\nvalidation = \"train.jsonl\"\nprompt = \"prompt\"\ntarget = \"target\"\n";
    std::fs::write(folder.path().join("task.toml"), task).unwrap();
    let recipe = folder.path().join("recipe.toml");
    let text = "epochs = 3\nbatch-size = 24\nlabel-smoothing = 0.1\n[adamw]\nweight_decay = 0.1\n";
    std::fs::write(&recipe, text).unwrap();
    let result = result(at_rate(&folder, "1e-3", "task.toml", "out").arg("--recipe").arg(&recipe));
    assert_eq!(result["evaluations"][2]["best"], true);
    let path = |name: &str| folder.path().join(name);
    let arguments = [&*path("model"), &path("train.jsonl"), &path("out")];
    let Some(theirs) = python(&arguments, &["3", "1e-3", "0.1", "0.1"]) else { return };
    let metrics = std::fs::read_to_string(path("out-run/metrics.jsonl")).unwrap();
    let steps = metrics.lines().filter_map(|line| serde_json::from_str::<Value>(line).unwrap().get("step").cloned());
    let ours: Vec<f64> = steps.map(|step| step["loss"].as_f64().unwrap()).collect();
    assert_eq!(ours.len(), 3);
    for (ours, theirs) in ours.iter().zip(theirs["losses"].as_array().unwrap()) {
        let theirs = theirs.as_f64().unwrap();
        assert!((ours - theirs).abs() < 1e-5 * theirs, "{ours} {theirs}");
    }
    assert!(theirs["off"].as_f64().unwrap() < 1e-5, "{theirs}");
    assert_eq!(theirs["weights"], 20);
}

#[test]
fn every_mode_trains_language_models() {
    let folder = prepared(40);
    let path = |name: &str| folder.path().join(name);
    let mut prune = junkdna();
    prune.args(["prune", "--method", "magnitude", "--sparsity", "0.5", "--model"]).arg(path("model"));
    prune.arg("--mask-out").arg(path("mask")).arg("--out").arg(path("pruned")).assert().success();
    let (dense, pruned) = (weights(&path("model")), weights(&path("pruned")));
    for mode in ["full", "sparse", "dense-frozen", "sparse-to-dense", "lora", "dora"] {
        let mut command = finetune(&folder, "pairs.jsonl", mode);
        command.args(["--epochs", "1", "--mode", mode]);
        if !["full", "lora", "dora"].contains(&mode) {
            command.arg("--mask").arg(path("mask"));
        }
        assert_eq!(result(&mut command)["mode"], mode);
        let trained = weights(&path(mode));
        let (mut gone, mut zero, mut same) = (0, 0, 0);
        for (name, cut) in pruned.iter().filter(|(name, _)| name.contains("_proj")) {
            for ((cut, before), after) in cut.iter().zip(&dense[name]).zip(&trained[name]) {
                gone += usize::from(*cut == 0.0);
                zero += usize::from(*cut == 0.0 && *after == 0.0);
                same += usize::from(*cut == 0.0 && after.to_bits() == before.to_bits());
            }
        }
        assert!(gone > 1000);
        assert_eq!((zero == gone, same == gone), (mode == "sparse", mode == "dense-frozen"), "{mode}");
    }
}

#[test]
fn parity_adapters_of_peft() {
    let folder = prepared(40);
    let path = |name: &str| folder.path().join(name);
    for (kind, mode, more) in
        [("lora", "lora", &[][..]), ("rslora", "lora", &["--rank-stabilized"]), ("dora", "dora", &[])]
    {
        let (out, adapter) = (kind.to_owned(), format!("{kind}-adapter"));
        let mut command = finetune(&folder, "pairs.jsonl", &out);
        command.args(["--mode", mode, "--epochs", "2", "--rank", "2", "--target", "_proj", "--adapter-out"]);
        assert_eq!(result(command.arg(path(&adapter)).args(more))["merged"]["matrices"], 14);
        let same = |adapter: &str, out: &str| {
            let Some(found) = python(&[&path("model"), &path(adapter), &path(out)], &[]) else { return false };
            let number = |name: &str| found[name].as_f64().unwrap();
            assert!(number("off") < 1e-4 && number("moved") > 1e-2, "{kind}: {found}");
            true
        };
        if !same(&adapter, &out) {
            return;
        }
        // And PEFT's in ours: at a rate of nothing what is written is what was read.
        let (out, adapter) = (format!("{kind}-again"), format!("{kind}-theirs"));
        python(&[&path("model"), &path(&adapter)], &[kind]).unwrap();
        let mut command = at_rate(&folder, "1e-30", "pairs.jsonl", &out);
        command.args(["--mode", mode, "--epochs", "1", "--adapter"]).arg(path(&adapter)).assert().success();
        assert!(same(&adapter, &out));
    }
}

/// Under adapters the linears are the codes that `quantize` gives, before and after; PEFT has the adapters on what they stand for.
#[test]
fn parity_adapters_on_a_quantized_base() {
    let folder = prepared(40);
    let path = |name: &str| folder.path().join(name);
    let mut quantize = junkdna();
    quantize.args(["quantize", "--method", "rtn", "--codebook", "nf4", "--group-size", "16", "--format", "float"]);
    quantize.arg("--model").arg(path("model")).arg("--out").arg(path("nf4")).assert().success();
    let base = weights(&path("nf4"));
    for mode in ["lora", "dora"] {
        let (out, adapter) = (mode.to_owned(), format!("{mode}-adapter"));
        let mut command = finetune(&folder, "pairs.jsonl", &out);
        command.args(["--mode", mode, "--epochs", "2", "--rank", "2", "--target", "[qv]_proj", "--adapter-out"]);
        command.arg(path(&adapter)).args(["--quantized-base", "nf4", "--group-size", "16"]);
        let result = result(&mut command);
        assert_eq!(
            (&result["base"]["scheme"], &result["base"]["matrices"]),
            (&"NF4 per group of 16".into(), &14.into())
        );
        let bytes = |name: &str| result["base"][name].as_u64().unwrap();
        assert!(6 * bytes("bytes") < bytes("float_bytes"), "{result}");
        let loss = |at: usize| result["evaluations"][at]["metrics"]["loss"].as_f64().unwrap();
        assert!(loss(1) < loss(0), "{result}");
        let trained = weights(&path(&out));
        for (name, before) in &base {
            let adapted = name.contains("q_proj") || name.contains("v_proj");
            assert_eq!(before != &trained[name], adapted, "{name}");
        }
        let Some(found) = python(&[&path("nf4"), &path(&adapter), &path(&out)], &[]) else { continue };
        assert!(found["off"].as_f64().unwrap() < 1e-4 && found["moved"].as_f64().unwrap() > 1e-2, "{mode}: {found}");
    }
    let wrong = |arguments: &[&str], words: &str| {
        finetune(&folder, "pairs.jsonl", "a").args(arguments).assert().failure().code(2).stderr(contains(words));
    };
    wrong(&["--quantized-base", "nf4"], "--quantized-base is for modes lora and dora, not full");
    wrong(&["--mode", "lora", "--quantized-base", "nf5"], "`nf5` are no codes: use nf4, fp4, or 2 to 8");
    wrong(&["--mode", "lora", "--quantized-base", "4"], "q_proj.weight: the group size 64 does not divide");
}

/// The recipes of `examples/language`, each in its mode.
#[test]
fn recipes_of_the_examples_train() {
    let folder = prepared(40);
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/language");
    for (file, mode, targets) in [("full.toml", "full", 0), ("lora.toml", "lora", 4), ("gradual.toml", "sparse", 0)] {
        let mut command = junkdna();
        command.args(["finetune", "--json", "--batch-size", "1", "--model"]).arg(folder.path().join("model"));
        command.arg("--task").arg(folder.path().join("pairs.jsonl")).arg("--recipe").arg(recipes.join(file));
        let result = result(command.arg("--out").arg(folder.path().join(mode)));
        assert_eq!(result["mode"], mode);
        assert_eq!(result["merged"]["matrices"].as_u64().unwrap_or(0), targets);
        let sparsity = result["sparsity"].as_f64().unwrap();
        assert!((sparsity - if mode == "sparse" { 0.5 } else { 0.0 }).abs() < 1e-3, "{mode}: {sparsity}");
    }
}

/// While training and killed in between: after every step as many weights are zero as the schedule says.
#[test]
fn pruning_while_training_takes_what_the_schedule_says() {
    let folder = prepared(40);
    let path = |name: &str| folder.path().join(name);
    let gradual = |out: &str| {
        let mut command = finetune(&folder, "pairs.jsonl", out);
        command.args(["--epochs", "3", "--gradual", "0.8"]);
        command
    };
    let result = result(&mut gradual("out"));
    assert_eq!(result["mode"], "sparse");
    assert!((result["sparsity"].as_f64().unwrap() - 0.8).abs() < 1e-3, "{result}");
    let best = result["evaluations"].as_array().unwrap().iter().find(|e| e["best"] == true).unwrap();
    assert!(best["step"].as_u64().unwrap() > 10, "the best is as sparse as the last: {best}");
    let regrow = path("regrow.toml");
    let text = "[pruning]\nmethod = \"regrow\"\nsparsity = 0.5\nmove = { fraction = 0.3, frequency = 2, end = 12 }\n";
    let pruned = |out: &str| -> Vec<bool> {
        let layers = weights(&path(out)).into_iter().filter(|(name, _)| name.contains("_proj"));
        layers.flat_map(|(_, values)| values).map(|value| value == 0.0).collect()
    };
    for (grow, out) in [("gradient", "rigl"), ("random", "set")] {
        std::fs::write(&regrow, format!("{text}grow = \"{grow}\"\n")).unwrap();
        let mut command = finetune(&folder, "pairs.jsonl", out);
        command.args(["--epochs", "3", "--recipe"]).arg(&regrow).assert().success();
        let zeros = pruned(out);
        assert_eq!(zeros.iter().filter(|zero| **zero).count() * 2, zeros.len(), "{grow}");
    }
    assert_ne!(pruned("rigl"), pruned("set"));

    let wrong = |command: &mut assert_cmd::Command, words: &str| {
        command.assert().failure().code(2).stderr(contains(words));
    };
    wrong(gradual("a").args(["--mode", "lora"]), "pruning while training is for mode sparse, not lora");
    wrong(finetune(&folder, "pairs.jsonl", "a").args(["--gradual", "1.5"]), "1.5");
    std::fs::write(&regrow, format!("{text}grow = \"any\"\n")).unwrap();
    wrong(finetune(&folder, "pairs.jsonl", "a").arg("--recipe").arg(&regrow), "unknown variant `any`");
    let schedule = "schedule = { kind = \"cubic\", initial = 0.0, target = 0.5, start = 0, end = 900, frequency = 9 }";
    std::fs::write(&regrow, format!("[pruning]\nmethod = \"gradual\"\n{schedule}\n")).unwrap();
    wrong(
        finetune(&folder, "pairs.jsonl", "a").arg("--recipe").arg(&regrow),
        "is not done after the 15 steps of the run",
    );
}

/// A file of the evaluation with a training split: the right answers are the targets.
#[test]
fn tasks_of_the_evaluation_train() {
    let folder = prepared(2);
    let path = |name: &str| folder.path().join(name);
    let line = |i: usize| {
        format!("{{\"q\": \"w{} w{}\", \"a\": [\"w7\", \"w8\", \"w9\"], \"gold\": {}}}\n", i % 9 + 2, i % 3 + 20, i % 3)
    };
    let lines = |range: std::ops::Range<usize>| range.map(line).collect::<String>();
    std::fs::write(path("train.jsonl"), lines(0..120)).unwrap();
    std::fs::write(path("test.jsonl"), lines(120..150)).unwrap();
    let yaml = "task: chosen\ndataset_path: json\ndataset_kwargs:\n  data_files: {train: train.jsonl, test: test.jsonl}\n\
                training_split: train\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: \"{{q}}\"\n\
                doc_to_choice: a\ndoc_to_target: gold\n";
    std::fs::write(path("chosen.yaml"), yaml).unwrap();
    let trained = result(finetune(&folder, "chosen.yaml", "out").args(["--epochs", "6"]));
    assert_eq!((&trained["metric"], &trained["examples"]), (&"accuracy".into(), &120.into()));
    let best = trained["evaluations"].as_array().unwrap().iter().rfind(|e| e["best"] == true).unwrap().clone();
    assert!(best["metrics"]["accuracy"].as_f64().unwrap() > 0.9, "{best}");
    // The evaluation finds what training found.
    let mut eval = junkdna();
    eval.args(["eval", "--json", "--model"]).arg(path("out")).arg("--task").arg(path("chosen.yaml"));
    assert_eq!(result(&mut eval)["results"]["chosen"]["acc,none"], best["metrics"]["accuracy"]);
    // Its training split is asked for by name.
    std::fs::write(path("chosen.yaml"), yaml.replace("training_split: train\n", "")).unwrap();
    let mut command = finetune(&folder, "chosen.yaml", "other");
    command.assert().failure().code(2).stderr(contains("training_split: is missing"));
}

/// Rounding has no slope: what is before it would not train.
#[test]
fn a_model_that_rounds_what_it_reads_is_refused() {
    let folder = prepared(20);
    let path = |name: &str| folder.path().join(name);
    for method in ["rtn", "smoothquant"] {
        let mut quantize = junkdna();
        quantize.args(["quantize", "--method", method, "--bits", "8", "--symmetric", "--activations", "8", "--model"]);
        quantize.arg(path("model")).args(["--format", "compressed-tensors", "--out"]).arg(path(method));
        std::fs::write(path("text.txt"), "w20 w21 w22 w23 w24 w25 w26 w27 w28 ".repeat(20)).unwrap();
        quantize.arg("--calibration").arg(path("text.txt")).args(["--samples", "4", "--length", "16"]);
        quantize.assert().success();
        for mode in ["full", "lora"] {
            let mut command = junkdna();
            command.args(["finetune", "--mode", mode, "--model"]).arg(path(method));
            command.arg("--task").arg(path("pairs.jsonl")).arg("--out").arg(path("out"));
            let words = "reads inputs in few bits, which no gradient passes; train it before it is quantized";
            command.assert().failure().code(2).stderr(contains(words));
        }
    }
    assert!(!path("out").exists());
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let folder = prepared(20);
    let wrong = |command: &mut assert_cmd::Command, words: &str| {
        command.assert().failure().code(2).stderr(contains(words));
    };
    std::fs::write(folder.path().join("bad.jsonl"), "{\"prompt\": \"w1\", \"target\": \"w2\"}\n{\"prompt\": \"w1\"}\n")
        .unwrap();
    wrong(&mut finetune(&folder, "bad.jsonl", "a"), "bad.jsonl: line 2: there is no field `target`");
    wrong(
        finetune(&folder, "pairs.jsonl", "a").args(["--max-length", "3"]),
        "pairs: a target of 3 tokens does not fit the 3 tokens of --max-length",
    );
    let recipe = folder.path().join("recipe.toml");
    std::fs::write(&recipe, "dropout = 0.1\n").unwrap();
    wrong(finetune(&folder, "pairs.jsonl", "a").arg("--recipe").arg(&recipe), "dropout must be left out");
    let encoder = tempdir().unwrap();
    let model = common::tiny_bert::write(&encoder);
    let mut command = junkdna();
    command.arg("finetune").arg("--model").arg(model).arg("--task").arg(folder.path().join("pairs.jsonl"));
    wrong(command.arg("--out").arg(folder.path().join("b")), "prompts with targets train decoders");
}
