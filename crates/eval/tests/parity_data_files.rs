//! Data files as Python's libraries write them, against what a template of lm-evaluation-harness makes of them.

mod harness;

use junkdna_eval::{Prompting, Request, Task};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What a template is for the documents of a file.
fn rendered(file: &Path, template: &Value) -> Vec<Value> {
    let format = if file.to_str().unwrap().contains(".jsonl") { "json" } else { "parquet" };
    let task = json!({
        "task": "t", "dataset_path": format, "dataset_kwargs": { "data_files": { "test": file } }, "test_split": "test",
        "doc_to_text": template, "doc_to_target": "so",
    });
    let rendered = Task::from_json("t", &task).unwrap().render(&Prompting::default()).unwrap();
    let context = |request: &Request| match request {
        Request::Generate { context } => json!(context),
        other => panic!("{other:?}"),
    };
    rendered.examples.iter().map(|example| context(&example.requests[0])).collect()
}

#[cfg(feature = "parquet")]
#[test]
fn parity_values_and_codecs() {
    let Some(python) = harness::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let lines = harness::run(&python, "data_files.py", &[folder.path()]);
    assert_eq!(lines.len(), 8);
    for line in &lines {
        let file = PathBuf::from(line["file"].as_str().unwrap());
        assert_eq!(&rendered(&file, &line["template"]), line["rendered"].as_array().unwrap(), "{}", file.display());
    }
    // The other library that compresses lines; `datasets` needs one more package to read them.
    let [.., gzip] = lines.as_slice() else { unreachable!() };
    let zstd = folder.path().join("lines.jsonl.zst");
    assert_eq!(&rendered(&zstd, &gzip["template"]), gzip["rendered"].as_array().unwrap());
}
