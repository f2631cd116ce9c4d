//! Public task files of lm-evaluation-harness, as its Python package brings them, rendered as it renders them: on real data
//! that `harness/public_tasks.py` puts into the layouts of their data sets. Nothing of either is in this repository.

use junkdna_eval::{Example, FEWSHOT_SEED, Gold, OutputType, Request, Task};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python to ask and the folder of data; in CI both must be there.
fn surroundings() -> Option<(String, PathBuf)> {
    let data = std::env::var("JUNKDNA_DATA_DIR").unwrap_or_else(|_| "../../../shared/data".into());
    let found = std::env::var("JUNKDNA_PYTHON").ok().zip(std::fs::canonicalize(data).ok());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs JUNKDNA_PYTHON and JUNKDNA_DATA_DIR");
        eprintln!("skipped: needs JUNKDNA_PYTHON, a Python with lm_eval, and JUNKDNA_DATA_DIR");
    }
    found
}

fn rendered_there(python: &str, data: &Path, out: &Path) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/public_tasks.py");
    let output = Command::new(python).arg(script).arg(data).arg(out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let prompts = std::fs::read_to_string(out.join("prompts.jsonl")).unwrap();
    prompts.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The task of a line, with its data and shots.
fn task(line: &Value, out: &Path) -> Task {
    let text = |key: &str| line[key].as_str().unwrap();
    let mut task = Task::load(Path::new(text("file"))).unwrap();
    task.set_folder(&out.join("sets").join(text("set")));
    task.set_shots(line["shots"].as_u64().map(|shots| shots as usize));
    task
}

fn request(request: &Request) -> Value {
    match request {
        Request::LogLikelihood { context, continuation } => json!([context, continuation]),
        Request::Rolling { text } => json!([text]),
        Request::Generate { context } => json!([context]),
        Request::Classify { first, second } => json!([first, second]),
    }
}

fn output(output: OutputType) -> &'static str {
    match output {
        OutputType::MultipleChoice => "multiple_choice",
        OutputType::LogLikelihood => "loglikelihood",
        OutputType::LogLikelihoodRolling => "loglikelihood_rolling",
        OutputType::GenerateUntil => "generate_until",
        OutputType::Classification => "classification",
    }
}

/// A right answer as lm-evaluation-harness looks at it: where choices are given, a number or a text is one of them.
fn target(target: &Value, line: &Value) -> Value {
    let choices = line["choices"].as_array().unwrap();
    let generated = line["output"] == "generate_until";
    match target {
        Value::Number(number) if generated && !choices.is_empty() => choices[number.as_u64().unwrap() as usize].clone(),
        Value::String(_) if line["output"] == "multiple_choice" => {
            choices.iter().position(|choice| choice == target).unwrap().into()
        }
        other => other.clone(),
    }
}

fn gold(example: &Example) -> Value {
    match &example.gold {
        Gold::Choice(choice) => json!(choice),
        Gold::Choices(choices) => json!(choices),
        Gold::Text(text) => json!(text),
        Gold::Texts(texts) => json!(texts),
    }
}

#[test]
fn parity_public_task_files() {
    let Some((python, data)) = surroundings() else { return };
    let out = tempfile::tempdir().unwrap();
    let lines = rendered_there(&python, &data, out.path());
    let (mut tasks, mut outputs) = (BTreeSet::new(), BTreeSet::new());
    // All documents of a task with as many shots stand together.
    for lines in lines.chunk_by(|a, b| a["task"] == b["task"] && a["shots"] == b["shots"]) {
        let name = lines[0]["task"].as_str().unwrap();
        let task = task(&lines[0], out.path());
        assert_eq!(task.task, name);
        let examples = task.examples(FEWSHOT_SEED, Some(lines.len())).unwrap();
        assert_eq!(examples.len(), lines.len(), "{name}");
        for (example, line) in examples.iter().zip(lines) {
            let place = format!("{name}, {} shots, document {}", line["shots"], line["doc"]);
            assert_eq!(output(task.output), line["output"], "{place}");
            let requests: Value = example.requests.iter().map(request).collect();
            assert_eq!(requests, line["requests"], "{place}");
            assert_eq!(json!(example.choices), line["choices"], "{place}");
            assert_eq!(gold(example), target(&line["target"], line), "{place}");
            if task.output == OutputType::GenerateUntil {
                assert_eq!(json!(task.generation.until), line["until"], "{place}");
            }
        }
        tasks.insert(name.to_owned());
        outputs.insert(output(task.output));
    }
    assert!(tasks.len() >= 15 && outputs.len() == 4, "{tasks:?}");
}
