//! Runs that are killed, and disks that are full.

mod common;

use common::tiny::Tiny;
use common::{junkdna, names, plan};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

fn run(plan: &Path, out: &Path) -> String {
    let output = junkdna().arg("run").arg(plan).arg("--out").arg(out).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
}

/// The report without the time that it took.
fn report(folder: &Path) -> Value {
    let mut report: Value = serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    report["provenance"].as_object_mut().unwrap().remove("seconds").expect("the report says how long it took");
    report.as_object_mut().unwrap().remove("costs").expect("the report says what each model took");
    report
}

#[test]
fn a_run_writes_its_report_and_is_not_repeated() {
    let folder = tempdir().unwrap();
    let plan = plan(folder.path(), &Tiny::default().write(&folder));
    let out = folder.path().join("results");
    run(&plan, &out);
    let tables = ["answers", "scores", "verdicts"].map(|table| [format!("{table}.csv"), format!("{table}.parquet")]);
    let others = ["answers.json", "cells", "plan.toml", "plots", "report.html", "report.json"].map(str::to_owned);
    let mut expected = [tables.concat(), others.to_vec()].concat();
    expected.sort();
    assert_eq!(names(&out), expected);
    assert!(["heat.svg", "contrast.svg"].iter().all(|file| names(&out.join("plots")).contains(&(*file).to_owned())));
    let first = report(&out);
    assert!(run(&plan, &out).contains("0 models to go"));
    assert_eq!(report(&out), first);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let folder = tempdir().unwrap();
    let plan = plan(folder.path(), &Tiny::default().write(&folder));
    let whole = folder.path().join("whole");
    run(&plan, &whole);
    let all = names(&whole.join("cells")).len();

    let killed = folder.path().join("killed");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("junkdna"))
        .args(["run".as_ref(), plan.as_os_str(), "--out".as_ref(), killed.as_os_str()])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while names(&killed.join("cells")).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What is there is whole.
    for cell in names(&killed.join("cells")).iter().filter(|name| name.ends_with(".json")) {
        let text = std::fs::read(killed.join("cells").join(cell)).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap();
    }
    run(&plan, &killed);
    assert_eq!(report(&killed), report(&whole));

    // Half of the cells gone: only those are computed.
    for cell in names(&whole.join("cells")).iter().take(all / 2) {
        std::fs::remove_file(whole.join("cells").join(cell)).unwrap();
    }
    assert!(run(&plan, &whole).contains(&format!("{} of {all} cells are finished", all - all / 2)));
    assert_eq!(report(&killed), report(&whole));
}

#[test]
fn a_damaged_cell_is_named() {
    let folder = tempdir().unwrap();
    let plan = plan(folder.path(), &Tiny::default().write(&folder));
    let out = folder.path().join("results");
    run(&plan, &out);
    let cell = out.join("cells").join(&names(&out.join("cells"))[0]);
    std::fs::write(&cell, "{").unwrap();
    let output = junkdna().arg("run").arg(&plan).arg("--out").arg(&out).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(cell.to_str().unwrap()) && stderr.contains("delete it"), "{stderr}");
}

/// Runs the binary in a shell that lets it write files of at most 4 KiB: further writes fail, as on a full disk.
#[cfg(unix)]
fn on_a_full_disk(arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "bash"])
        .arg(assert_cmd::cargo::cargo_bin("junkdna"))
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let plan = plan(folder.path(), &model);
    let [out, results, mask] = ["out", "results", "mask"].map(|name| folder.path().join(name));
    let before = names(folder.path());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let prune = ["prune", "--model", &text(&model), "--method", "magnitude", "--sparsity", "0.5", "--out", &text(&out)];
    let (status, stderr) = on_a_full_disk(&prune);
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.lines().last().unwrap().starts_with("junkdna: ") && stderr.contains("too large"), "{stderr}");
    assert_eq!(names(folder.path()), before);

    let (status, stderr) = on_a_full_disk(&["run", &text(&plan), "--out", &text(&results)]);
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("results") && stderr.contains("too large"), "{stderr}");
    let left = [names(&results), names(&results.join("cells"))].concat();
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
    assert!(!mask.exists());
}

#[cfg(unix)]
#[test]
fn samples_that_do_not_fit_leave_those_that_were_there() {
    let folder = tempdir().unwrap();
    let model = Tiny::default().write(&folder);
    let questions = (0..100).map(|i| format!("{{\"q\": \"w{}\", \"g\": {}}}\n", 10 + i % 9, i % 2));
    std::fs::write(folder.path().join("d.jsonl"), questions.collect::<String>()).unwrap();
    let task = folder.path().join("t.toml");
    let keys = "task = \"t\"\ndata = \"d.jsonl\"\ndoc_to_text = \"q\"\n";
    std::fs::write(&task, format!("{keys}doc_to_choice = [\"w2\", \"w3\"]\ndoc_to_target = \"g\"\n")).unwrap();
    let samples = folder.path().join("s.jsonl");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (model, task, out) = (text(&model), text(&task), text(&samples));
    // Said before a model is looked for.
    let nowhere = text(&folder.path().join("d.jsonl/s.jsonl"));
    let early = ["eval", "--model", "missing", "--task", &task, "--samples", &nowhere];
    junkdna().args(early).assert().failure().stderr(predicates::str::contains("d.jsonl/s.jsonl"));
    let eval = ["eval", "--model", &model, "--task", &task, "--samples", &out];
    let before = names(folder.path());
    let (status, stderr) = on_a_full_disk(&eval);
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("s.jsonl") && stderr.contains("too large"), "{stderr}");
    assert_eq!(names(folder.path()), before);

    std::fs::write(&samples, "earlier").unwrap();
    on_a_full_disk(&eval);
    assert_eq!(std::fs::read_to_string(&samples).unwrap(), "earlier");
    junkdna().args(eval).assert().success();
    let doc = |line: &str| serde_json::from_str::<Value>(line).unwrap()["doc_id"].as_u64().unwrap();
    let docs: Vec<u64> = std::fs::read_to_string(&samples).unwrap().lines().map(doc).collect();
    assert_eq!(docs, (0..100).collect::<Vec<u64>>());
    assert_eq!(names(folder.path()).len(), before.len() + 1);
}
