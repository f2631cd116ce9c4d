//! Plans: what is new is computed, what is there is not; parts, overrides, estimates, and what cannot be is named first.

mod common;

use common::tiny::Tiny;
use common::{junkdna, names, plan};
use serde_json::Value;
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// What the binary says on standard error.
fn run(plan: &Path, out: &Path, more: &[&str]) -> String {
    let output = junkdna().arg("run").arg(plan).arg("--out").arg(out).args(more).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
}

/// What a run that must not begin says.
fn refused(plan: &Path, out: &Path, more: &[&str]) -> String {
    let output = junkdna().arg("run").arg(plan).arg("--out").arg(out).args(more).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(names(&out.join("cells")), [""; 0], "nothing was computed");
    stderr
}

fn estimate(plan: &Path, out: &Path, more: &[&str]) -> Value {
    let output = junkdna().arg("plan").arg(plan).arg("--out").arg(out).args(more).arg("--json").assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn tiny() -> (TempDir, std::path::PathBuf) {
    let folder = tempdir().unwrap();
    let plan = plan(folder.path(), &Tiny::default().write(&folder));
    (folder, plan)
}

#[test]
fn one_more_sparsity_is_its_cells_alone() {
    let (folder, plan) = tiny();
    let out = folder.path().join("results");
    run(&plan, &out, &[]);
    let before = names(&out.join("cells"));
    let more = ["--set", "compression.0.sparsity=[0.3, 0.45, 0.6]"];
    let expected = estimate(&plan, &out, &more)["models"][0].clone();
    let variants = expected["variants"].as_u64().unwrap() as usize;
    assert_eq!(expected["compressions"], 1);
    assert!(run(&plan, &out, &more).contains(&format!(
        "{} of {} cells are finished, 1 models to go",
        before.len(),
        before.len() + variants
    )));
    let after = names(&out.join("cells"));
    assert_eq!(after.len(), before.len() + variants);
    assert!(before.iter().all(|cell| after.contains(cell)));
    assert!(expected["tokens_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn experiments_share_cells() {
    let (folder, plan) = tiny();
    let cells = folder.path().join("cells");
    let shared = ["--cells", cells.to_str().unwrap()];
    run(&plan, &folder.path().join("one"), &shared);
    assert!(run(&plan, &folder.path().join("two"), &shared).contains("0 models to go"));
    // The same model in another place is the same model.
    let text = std::fs::read_to_string(&plan).unwrap();
    let model = folder.path().join("model");
    std::fs::rename(&model, folder.path().join("moved")).unwrap();
    std::fs::write(&plan, text.replace(model.to_str().unwrap(), folder.path().join("moved").to_str().unwrap()))
        .unwrap();
    assert!(run(&plan, &folder.path().join("three"), &shared).contains("0 models to go"));
}

#[test]
fn a_part_is_computed_alone() {
    let (folder, plan) = tiny();
    let out = folder.path().join("results");
    run(&plan, &out, &["--only", "dense", "--only", "^magnitude 0.3 .* facts/"]);
    let variants = estimate(&plan, &out, &[])["models"][0]["variants"].as_u64().unwrap() as usize;
    let part = names(&out.join("cells")).len();
    assert!(part > variants && part < 2 * variants, "{part}");
    assert!(!out.join("report.html").exists());
    assert!(run(&plan, &out, &[]).contains(&format!("{part} of {} cells are finished", 5 * variants)));
}

#[test]
fn a_page_holds_nothing_from_elsewhere_and_everything_to_read_on() {
    let (folder, plan) = tiny();
    let out = folder.path().join("results");
    run(&plan, &out, &[]);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let rows = page.matches("<tr data-variant").count();
    let scores = std::fs::read_to_string(out.join("scores.csv")).unwrap();
    assert_eq!(rows, scores.lines().count() - 1);
    let first = std::fs::read(out.join("report.html")).unwrap();
    junkdna().arg("report").arg(&out).assert().success();
    assert_eq!(std::fs::read(out.join("report.html")).unwrap(), first);
}

const TASK: &str = "task = \"towns\"\ndoc_to_text = \"{{q}}\"\ndoc_to_target = \"{{gold}}\"\n\
    doc_to_choice = \"{{options}}\"\n";

/// A plan with one task of eight questions, `words` of them with `</script>` in it.
fn with_task(folder: &TempDir, setting: &str) -> std::path::PathBuf {
    let model = Tiny::default().write(folder);
    let docs: String = (0..8)
        .map(|i| {
            format!(
                "[[docs]]\nq = \"w{i} </script><script>alert(1)</script> w{}\"\ngold = {}\noptions = [\"w1\", \"w2\", \"w3\", \"w4\"]\n",
                i + 9,
                i % 4
            )
        })
        .collect();
    std::fs::write(folder.path().join("towns.toml"), format!("{TASK}{docs}")).unwrap();
    let plan = folder.path().join("plan.toml");
    let text = format!(
        "name = \"tiny\"\nmodel = {model:?}\ndata = \".\"\n[[compression]]\nmethod = \"magnitude\"\nsparsity = [0.5]\n\
         [[task]]\nname = \"towns\"\nitems = 6\nsource = {{ format = \"task\", file = \"towns.toml\" }}\nsetting = {setting}\n"
    );
    std::fs::write(&plan, text).unwrap();
    plan
}

#[test]
fn texts_from_data_cannot_inject() {
    let folder = tempdir().unwrap();
    let plan = with_task(&folder, "{ knob = \"form\", options = [2, 4] }");
    let out = folder.path().join("results");
    run(&plan, &out, &[]);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert!(!page.contains("alert(1)</script>"));
    assert!(page.contains("towns/free") && page.contains("towns/options=2"));
}

#[test]
fn what_cannot_be_is_named_before_anything_runs() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("results");
    for (setting, parts) in [
        ("{ knob = \"options\", options = [2, 8] }", ["towns/", "has 4 options, 8 are asked for"]),
        ("{ knob = \"shots\", shots = [0, 3] }", ["task towns", "3 examples are asked for"]),
        ("{ knob = \"context\", tokens = [100] }", ["task towns", "no passage"]),
        ("{ knob = \"options\", options = [2] }", ["task towns", "at least 2"]),
        ("{ knob = \"length\" }", ["length", "plan.toml"]),
    ] {
        let plan = with_task(&folder, setting);
        let error = refused(&plan, &out, &[]);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let plan = with_task(&folder, "{ knob = \"options\", options = [2, 4] }");
    for (set, part) in [
        ("task.0.source.file=nowhere.toml", "nowhere.toml"),
        ("task.0.items=9", "8 questions, 9 are asked for"),
        ("task.0.colour=1", "colour"),
        ("nowhere", "path=value"),
        ("seeds=[]", "seeds"),
    ] {
        let error = refused(&plan, &out, &["--set", set]);
        assert!(error.contains(part), "{error}");
    }
    let text = std::fs::read_to_string(&plan).unwrap();
    let random = "over_seeds = true\n[[compression]]\nmethod = \"random\"\nsparsity = [0.5]\n[[compression]]";
    std::fs::write(&plan, text.replacen("[[compression]]", random, 1)).unwrap();
    assert!(refused(&plan, &out, &[]).contains("compression 1: one seed"));
    run(&plan, &out, &["--set", "seeds=[41, 42]"]);
}

/// The plan of `with_task` with another table in the place of its task.
fn with_table(folder: &TempDir, table: &str) -> std::path::PathBuf {
    let plan = with_task(folder, "{ knob = \"form\", options = [2, 4] }");
    let text = std::fs::read_to_string(&plan).unwrap();
    let (before, _) = text.split_once("[[task]]").unwrap();
    std::fs::write(&plan, format!("{before}{table}")).unwrap();
    plan
}

#[test]
fn a_context_holds_at_least_the_passage_with_the_answer() {
    let folder = tempdir().unwrap();
    let paragraph = |i: usize| {
        let (first, last) = (format!("w{i}"), format!("w{}", i + 20));
        let context = (i..=i + 20).map(|word| format!("w{word}")).collect::<Vec<_>>().join(" ");
        let answers = serde_json::json!([{ "text": last, "answer_start": context.rfind(&last) }]);
        let question = serde_json::json!({ "id": format!("q{i}"), "question": first, "answers": answers });
        serde_json::json!({ "context": context, "qas": [question] })
    };
    let paragraphs: Vec<_> = (1..7).map(paragraph).collect();
    let squad = serde_json::json!({ "version": "1.1", "data": [{ "title": "t", "paragraphs": paragraphs }] });
    std::fs::write(folder.path().join("squad.json"), squad.to_string()).unwrap();
    let table = "[[task]]\nname = \"squad\"\nitems = 4\nsource = { format = \"squad\", file = \"squad.json\" }\n\
        setting = { knob = \"context\", tokens = [10, 40], gold = \"middle\", options = 2 }\n";
    let error = refused(&with_table(&folder, table), &folder.path().join("results"), &[]);
    let said = [
        "task squad, question",
        "the passage with the answer has 2",
        "the text may have 10",
        "max_passage_tokens = 10",
    ];
    assert!(said.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn several_models_have_a_page_each() {
    let (folder, plan) = tiny();
    let out = folder.path().join("results");
    let model = folder.path().join("model");
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in names(&model) {
        std::fs::copy(model.join(&file), copy.join(&file)).unwrap();
    }
    let models = format!("model=[{model:?}, {copy:?}]");
    let stderr = run(&plan, &out, &["--set", &models]);
    assert!(stderr.contains("0 models to go"), "the copy has the same cells: {stderr}");
    let folders = names(&out);
    assert_eq!(folders.iter().filter(|name| out.join(name).join("report.html").is_file()).count(), 2, "{folders:?}");
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("<a href="));
    junkdna().arg("report").arg(&out).assert().success();
}
