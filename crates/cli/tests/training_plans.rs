//! Plans with training: setting 1, the three ways to train after pruning, and what training brings back.

mod common;

use common::{junkdna, names, tiny, tiny_bert};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};

/// Two levels, two sparsities, three modes, two seeds, on an encoder of two small layers.
fn plan(folder: &TempDir) -> PathBuf {
    let model = tiny_bert::write(folder);
    tiny_bert::task(folder.path(), 96);
    let file = folder.path().join("plan.toml");
    let text = format!(
        "name = \"trained\"\nmodel = {model:?}\ndata = \".\"\nseeds = [41, 42]\n\n[training]\n\
         modes = [\"sparse\", \"dense-frozen\", \"sparse-to-dense\"]\nmax_length = 16\n\
         recipe = {{ epochs = 2, batch-size = 8, learning-rate = 5e-3 }}\n\n[[training.task]]\nname = \"words\"\n\
         folder = \"SST-2\"\nexamples = [16, 96]\nitems = 20\n\n[[compression]]\nmethod = \"magnitude\"\nsparsity = [0.5, 0.9]\n\n\
         [[compression]]\nmethod = \"random\"\nsparsity = [0.9]\nseeds = [41]\n\n[[compression]]\nmethod = \"rtn\"\nbits = [4]\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn run(plan: &Path, out: &Path, more: &[&str]) -> String {
    let output = junkdna().arg("run").arg(plan).arg("--out").arg(out).args(more).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
}

fn cells(out: &Path) -> Vec<String> {
    names(&out.join("cells")).into_iter().filter(|name| name.ends_with(".json")).collect()
}

fn report(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap()
}

#[test]
fn models_are_compared_with_the_dense_model_trained_alike() {
    let folder = tempdir().unwrap();
    let (plan, out) = (plan(&folder), folder.path().join("results"));
    run(&plan, &out, &[]);
    // (dense, two sparsities, random, rounded, two sparsities in three modes) x two levels x two seeds.
    assert_eq!(cells(&out).len(), (5 + 6) * 2 * 2);
    assert_eq!(names(&out.join("cells/training")), [""; 0], "finished trainings leave no checkpoints");
    let found = report(&out);
    let variants: Vec<&str> =
        found["variants"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(variants, ["words/examples=96", "words/examples=16"], "easiest first");
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 11 * 2, "a line for all seeds together");
    let bits = |model: &str| {
        let row = rows.iter().find(|row| row["compression"] == model).unwrap();
        row["effective_bits"].as_f64().unwrap()
    };
    let saved = bits("magnitude 0.5 global, sparse") - bits("magnitude 0.9 global, sparse");
    assert!((saved - 16.0 * 0.4).abs() < 0.1, "half precision for each weight more that is kept, not {saved}");
    assert!(
        bits("magnitude 0.9 global, dense-frozen") == 16.0 && bits("magnitude 0.9 global, sparse-to-dense") == 16.0
    );
    let verdicts = found["verdicts"].as_array().unwrap();
    let repairs: Vec<&Value> = verdicts.iter().filter(|v| v["claim"] == "hard_losses_stay").collect();
    assert_eq!(repairs.len(), 3, "one for each way to train");
    assert!(repairs.iter().all(|v| v["outcome"] == "not_decided"), "two levels are too few to decide");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("What training brings back"));
}

#[test]
fn only_what_is_new_is_trained() {
    let folder = tempdir().unwrap();
    let (plan, out) = (plan(&folder), folder.path().join("results"));
    let part = run(&plan, &out, &["--only", "^dense, seed 41"]);
    assert!(part.contains("2 cells of 2 models"), "{part}");
    run(&plan, &out, &[]);
    let before = cells(&out);
    let more = ["--set", "compression.0.sparsity=[0.5, 0.7, 0.9]"];
    let trained = names(&out.join("cells/trained"));
    assert_eq!(trained.len(), 4, "a dense model for each level and seed");
    let said = run(&plan, &out, &more);
    assert!(said.contains("44 of 60 cells are finished, 16 models to go"), "{said}");
    let after = cells(&out);
    assert!(before.iter().all(|cell| after.contains(cell)) && after.len() == 60);
    assert_eq!(names(&out.join("cells/trained")), trained, "no dense model is trained again");
    let output = junkdna().arg("plan").arg(&plan).arg("--out").arg(&out).arg("--json").assert().success();
    let estimate: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!((&estimate["models"][0]["cells"], &estimate["models"][0]["finished"]), (&44.into(), &44.into()));
}

#[test]
fn what_cannot_be_trained_is_named_before_anything_is() {
    let folder = tempdir().unwrap();
    let (plan, out) = (plan(&folder), folder.path().join("results"));
    for (set, part) in [
        ("training.modes=[\"full\"]", "there is no mode `full` after pruning"),
        ("training.task.0.examples=[97, 10]", "holds 96 training examples, 97 are asked for"),
        ("training.task.0.examples=[10]", "at least 2 different numbers of examples"),
        ("training.task.0.items=400", "400 items of 2 classes take 200 of each"),
        ("training.recipe.epochs=0", "epochs"),
        ("training.task.0.folder=nowhere", "nowhere"),
        ("seeds=[41, 41]", "41 is there twice"),
        ("suite.items=10", "put others into a plan of their own"),
    ] {
        let output = junkdna().arg("run").arg(&plan).arg("--out").arg(&out).args(["--set", set]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{set}: {stderr}");
        assert!(stderr.contains(part), "{set}: {stderr}");
        assert_eq!(cells(&out), [""; 0], "nothing was computed");
    }
    let one = ["--set", "seeds=[41]", "--set", "over_seeds=true"];
    let output = junkdna().arg("run").arg(&plan).arg("--out").arg(&out).args(one).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("training: one seed"));
    let decoder = tempdir().unwrap();
    let decoder = format!("model={:?}", tiny::Tiny::default().write(&decoder));
    let output = junkdna().arg("run").arg(&plan).arg("--out").arg(&out).args(["--set", &decoder]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is a decoder"));
    let rounding = folder.path().join("rounding");
    let mut quantize = junkdna();
    quantize.args(["quantize", "--method", "rtn", "--bits", "8", "--symmetric", "--activations", "8", "--model"]);
    quantize.arg(folder.path().join("model")).args(["--format", "compressed-tensors", "--out"]).arg(&rounding);
    quantize.assert().success();
    let rounding = format!("model={rounding:?}");
    let output = junkdna().arg("run").arg(&plan).arg("--out").arg(&out).args(["--set", &rounding]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("reads inputs in few bits, which no gradient passes"));
    assert_eq!(cells(&out), [""; 0], "nothing was computed");
}
