//! What the end-to-end tests share.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod tiny;
pub mod tiny_bert;

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// The binary under test.
pub fn junkdna() -> Command {
    Command::cargo_bin("junkdna").unwrap()
}

/// A file of published numbers; where it is absent the test says so and passes.
pub fn reference(file: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var("JUNKDNA_REFERENCE_DIR").unwrap_or_else(|_| default.into());
    let path = PathBuf::from(folder).join(file);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

/// Two documents for `score`.
pub fn requests(folder: &Path) -> PathBuf {
    let file = folder.join("requests.jsonl");
    let line = |doc: usize, context: &str| {
        serde_json::json!({
            "task": "t", "doc": doc, "context": context, "continuations": [" w5 w6", " w7"], "gold": 0,
        })
    };
    std::fs::write(&file, format!("{}\n{}\n", line(0, "w1 w2 w3"), line(1, "w1 w2 w4"))).unwrap();
    file
}

/// A plan that compares the model with four compressed versions of itself in well under a second.
pub fn plan(folder: &Path, model: &Path) -> PathBuf {
    let file = folder.join("plan.toml");
    let text = format!(
        "name = \"tiny\"\nmodel = {model:?}\n\n[suite]\nfamilies = [\"facts\", \"agreement\"]\nitems = 12\n\n\
         [[compression]]\nmethod = \"magnitude\"\nsparsity = [0.3, 0.6]\n\n\
         [[compression]]\nmethod = \"random\"\nsparsity = [0.3]\n\n\
         [[compression]]\nmethod = \"rtn\"\nbits = [4]\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// The names in a folder, sorted; empty where there is none.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
