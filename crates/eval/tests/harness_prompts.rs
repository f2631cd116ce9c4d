//! Prompts against those that lm-evaluation-harness 0.4.13 built from the same task files and documents (`harness/`).

use junkdna_eval::{EvalError, FEWSHOT_SEED, Gold, Request, Task};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/harness")
}

fn arguments(request: &Request) -> Value {
    match request {
        Request::LogLikelihood { context, continuation } => json!([context, continuation]),
        Request::Classify { first, second } => json!([first, second]),
        Request::Rolling { text } => json!([text]),
        Request::Generate { context } => json!([context]),
    }
}

#[test]
fn parity_prompts_of_every_output_type() {
    let prompts = std::fs::read_to_string(folder().join("prompts.jsonl")).unwrap();
    let mut expected: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in prompts.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let task = line["task"].as_str().unwrap().to_owned();
        expected.entry(task).or_default().push(line["requests"].take());
    }
    assert_eq!(expected.len(), 6);
    for (name, expected) in expected {
        let task = Task::load(&folder().join(format!("{name}.yaml"))).unwrap();
        let examples = task.examples(FEWSHOT_SEED, None).unwrap();
        let requests = examples.iter().map(|example| example.requests.iter().map(arguments).collect::<Value>());
        for (doc, (got, expected)) in requests.zip(&expected).enumerate() {
            assert_eq!(got, *expected, "{name}, document {doc}");
        }
        assert_eq!(examples.len(), expected.len(), "{name}");
        let few = task.examples(FEWSHOT_SEED, Some(3)).unwrap();
        assert_eq!(few, examples[..3], "{name}: a limit changes no prompt");
    }
}

#[test]
fn right_answers_are_choices_or_texts() {
    let gold = |task: &str| Task::load(&folder().join(task)).unwrap().examples(0, None).unwrap()[1].gold.clone();
    assert_eq!(gold("choice_first.yaml"), Gold::Choice(0));
    assert_eq!(gold("contexts.yaml"), Gold::Choice(1));
    assert_eq!(gold("several.yaml"), Gold::Texts(vec!["heron".into(), "the heron".into()]));
    assert_eq!(gold("words.yaml"), Gold::Text(" 2 legs".into()));
}

/// The error of a task in YAML with these keys, over three documents.
fn error(keys: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    std::fs::write(folder.path().join("d.jsonl"), "{\"q\": \"a\", \"g\": 0}\n{\"q\": \"b\", \"g\": 9}\n").unwrap();
    std::fs::write(&path, keys).unwrap();
    let task = Task::load(&path).and_then(|task| task.examples(0, None));
    task.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named() {
    let good = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n\
                output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [x, y]\ndoc_to_target: 0\n";
    let with = |key: &str, line: &str| {
        let others: Vec<&str> = good.lines().filter(|other| !other.starts_with(&format!("{key}:"))).collect();
        error(&format!("{}\n{line}\n", others.join("\n")))
    };
    for (key, line, parts) in [
        ("process_docs", "process_docs: !function utils.f", ["process_docs", "!function utils.f"]),
        ("metric_list", "metric_list: [{metric: !function m.f}]", ["metric_list.metric", "m.f"]),
        ("colour", "colour: red", ["t.yaml", "colour"]),
        ("doc_to_text", "", ["doc_to_text", "missing"]),
        ("doc_to_text", "doc_to_text: '{{nothing}}'", ["task `t`, document 0: doc_to_text: template", "{{nothing}}"]),
        ("doc_to_target", "doc_to_target: '{{q.x.y}}'", ["task `t`, document 0: doc_to_target: template", "{{q.x.y}}"]),
        ("doc_to_choice", "doc_to_choice: '{{p}}'", ["task `t`, document 0: doc_to_choice: template", "{{p}}"]),
        ("doc_to_target", "doc_to_target: g", ["document 1", "`9`"]),
        ("doc_to_choice", "doc_to_choice: '{{q}}'", ["document 0", "doc_to_choice"]),
        ("doc_to_choice", "doc_to_choice: [x]", ["document 0", "at least two"]),
        ("test_split", "", ["test_split", "missing"]),
        ("test_split", "test_split: dev", ["task `t`, test_split: there is no split `dev`", "data_files"]),
        ("dataset_path", "dataset_path: no/hub/data", ["task `t`, test_split", "`no/hub/data` is no folder"]),
        ("output_type", "output_type: guess", ["output_type", "guess"]),
        ("num_fewshot", "num_fewshot: 3", ["document 0", "3 examples"]),
        ("num_fewshot", "num_fewshot: many", ["num_fewshot", "a text"]),
        ("metric_list", "metric_list: [{metric: bleurt}]", ["metric_list", "bleurt"]),
        ("metric_list", "metric_list: [{metric: perplexity}]", ["perplexity", "MultipleChoice"]),
        ("filter_list", "filter_list: [{name: f, filter: [{function: custom}]}]", ["filter_list", "custom"]),
        ("fewshot_config", "fewshot_config: {sampler: wild}", ["fewshot_config.sampler", "wild"]),
        ("repeats", "repeats: 8", ["repeats", "1"]),
        ("task", "group: g", ["group", "Suite::load"]),
        ("include", "include: t.yaml", ["include", "itself"]),
        ("include", "include: absent.yaml", ["absent.yaml", "o such file"]),
    ] {
        let message = with(key, line);
        assert!(parts.iter().all(|part| message.contains(part)) && !message.contains('\n'), "{line}: {message}");
    }
}

#[test]
fn toml_brings_its_documents_and_takes_the_first_as_examples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.toml");
    let text = "task = \"t\"\nnum_fewshot = 2\ndoc_to_text = \"{{q}}:\"\ndoc_to_choice = [\"x\", \"y\"]\ndoc_to_target = \"g\"\n\
                docs = [{q = \"a\", g = 0}, {q = \"b\", g = 1}, {q = \"c\", g = 0}]\n";
    std::fs::write(&path, text).unwrap();
    let (task, documents) = Task::read(&path, None).unwrap();
    assert_eq!((task.task.as_str(), task.num_fewshot), ("t", 2));
    let contexts: Vec<&str> = documents.iter().map(|document| document.context.as_str()).collect();
    assert_eq!(contexts, ["b: y\n\nc: x\n\na:", "a: x\n\nc: x\n\nb:", "a: x\n\nb: y\n\nc:"]);
    assert_eq!(documents[1].continuations, [" x", " y"]);
    assert_eq!(documents[1].gold, 1);
    assert_eq!(Task::read(&path, Some(0)).unwrap().1[0].context, "a:");
    assert!(matches!(Task::read(&path, Some(3)), Err(EvalError::Document { doc: 0, .. })));
    assert!(matches!(Task::read(Path::new("absent.toml"), None), Err(EvalError::Io { .. })));
}

#[test]
fn a_folder_stands_for_a_data_set_of_the_hub() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    let keys = "task: t\ndataset_path: org/name\nvalidation_split: dev\ntraining_split: train\n\
                output_type: generate_until\ndoc_to_text: q\ndoc_to_target: a\n\
                fewshot_config: {sampler: first_n}\n";
    std::fs::write(&path, keys).unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("dev-00000-of-00002.csv"), "q,a\none,1\n").unwrap();
    std::fs::write(data.join("dev-00001-of-00002.csv"), "q,a\ntwo,2\n").unwrap();
    std::fs::write(data.join("train.jsonl"), "{\"q\": \"three\", \"a\": \"3\"}\n").unwrap();
    let mut task = Task::load(&path).unwrap();
    assert!(task.examples(0, None).unwrap_err().to_string().contains("org/name"));
    task.set_folder(&data);
    task.set_shots(Some(1));
    let examples = task.examples(0, None).unwrap();
    let contexts: Vec<Value> = examples.iter().map(|example| arguments(&example.requests[0])).collect();
    assert_eq!(contexts, [json!(["three 3\n\none"]), json!(["three 3\n\ntwo"])]);
    assert_eq!(examples[1].gold, Gold::Text("2".into()));
}
