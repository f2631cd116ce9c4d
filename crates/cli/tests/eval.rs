//! `eval` of the binary: tables, files, groups.

mod common;

use common::junkdna;
use common::tiny::Tiny;
use common::tiny_bert;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A tiny model, two tasks over four documents, and a group of both.
struct Setting {
    folder: TempDir,
    model: PathBuf,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = Tiny::default().write(&folder);
        let setting = Self { folder, model };
        let document = |i: usize| format!("{{\"q\": \"w{}\", \"g\": {}}}\n", 10 + i, i % 2);
        setting.write("d.jsonl", &(0..4).map(document).collect::<String>());
        let task = |name: &str, keys: &str| {
            setting.write(
                &format!("{name}.yaml"),
                &format!(
                    "task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: d.jsonl}}}}\n\
                     test_split: test\ndoc_to_text: q\nmetadata: {{version: 1.0}}\n{keys}"
                ),
            );
        };
        task("choice", "output_type: multiple_choice\ndoc_to_choice: [w2, w3]\ndoc_to_target: g\n");
        task("words", "output_type: generate_until\ndoc_to_target: w5\ngeneration_kwargs: {max_gen_toks: 3}\n");
        setting.write(
            "pair.yaml",
            "group: pair\ngroup_alias: Both\ntask: [choice, words]\naggregate_metric_list: {metric: acc}\n",
        );
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Standard output and standard error of a successful run; file names are those of the folder.
    fn eval(&self, arguments: &[&str]) -> (String, String) {
        let mut command = junkdna();
        command.current_dir(self.folder.path()).args(["eval", "--model"]).arg(&self.model).args(arguments);
        let output = command.output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{stderr}");
        (stdout, stderr)
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_group_has_its_table_and_its_files() {
    let setting = Setting::new();
    let (stdout, stderr) = setting.eval(&["--task", "pair.yaml", "--json", "r.json", "--samples", "s.jsonl"]);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "|  Tasks  |Version|Filter|n-shot|  Metric   |   |Value|   |Stderr|");
    let first: Vec<&str> = lines[2..].iter().filter_map(|line| line.split('|').nth(1)).map(str::trim_end).collect();
    assert_eq!(first, ["Both", " - choice", "", " - words", "Groups", "------", "Both"]);
    assert!(stderr.contains("pair: acc is not over words"), "{stderr}");

    let results = json(&setting.path("r.json"));
    assert_eq!(results["group_subtasks"]["pair"], serde_json::json!(["choice", "words"]));
    assert_eq!(results["groups"]["pair"]["acc,none"], results["results"]["choice"]["acc,none"]);
    assert_eq!(results["n-samples"]["words"]["effective"], 4);
    let samples = std::fs::read_to_string(setting.path("s.jsonl")).unwrap();
    let samples: Vec<Value> = samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(samples.len(), 8);
    let mean = samples[..4].iter().map(|sample| sample["acc"].as_f64().unwrap()).sum::<f64>() / 4.0;
    assert_eq!(results["results"]["choice"]["acc,none"], mean);
    assert_eq!(samples[1]["arguments"]["gen_args_1"], serde_json::json!({ "arg_0": "w11", "arg_1": " w3" }));
    assert_eq!((&samples[1]["doc"]["q"], &samples[1]["target"]), (&"w11".into(), &1.into()));
}

#[test]
fn names_are_found_in_a_folder_and_json_replaces_the_table() {
    let setting = Setting::new();
    let (stdout, _) = setting.eval(&["--task", "choice", "--include-path", ".", "--limit", "3", "--json"]);
    let results: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(results["n-samples"]["choice"], serde_json::json!({ "original": 4, "effective": 3 }));
    assert_eq!(results["config"]["limit"], 3);
}

#[test]
fn the_graded_suite_is_a_list_of_tasks() {
    let setting = Setting::new();
    let (stdout, _) = setting.eval(&["--task", "builtin", "--limit", "2", "--json"]);
    let results: Value = serde_json::from_str(&stdout).unwrap();
    let tasks = results["results"].as_object().unwrap();
    assert!(tasks.len() > 20 && tasks.values().all(|task| task["sample_len"] == 2 && task["acc,none"].is_number()));
}

/// What a run that must fail says last.
fn error(setting: &Setting, arguments: &[&str]) -> String {
    let mut command = junkdna();
    command.current_dir(setting.folder.path()).args(["eval", "--model"]).arg(&setting.model).args(arguments);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap().lines().last().unwrap().to_owned()
}

#[test]
fn broken_rows_end_the_run_or_are_counted() {
    let setting = Setting::new();
    setting.write("d.jsonl", "{\"q\": \"w1\", \"g\": 0}\nnothing\n{\"q\": \"w2\", \"g\": 1}\n[1]\n");
    let message = error(&setting, &["--task", "choice.yaml"]);
    assert!(message.contains("d.jsonl") && message.contains("line 2"), "{message}");
    let (stdout, stderr) = setting.eval(&["--task", "choice.yaml", "--skip-bad-rows", "--json"]);
    assert!(stderr.contains("choice: 2 broken rows left out") && stderr.contains("line 2"), "{stderr}");
    let results: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(results["n-samples"]["choice"]["effective"], 2);
}

#[test]
fn what_cannot_be_asked_names_task_and_document() {
    let setting = Setting::new();
    let choice = std::fs::read_to_string(setting.path("choice.yaml")).unwrap();
    for (from, to, parts) in [
        ("doc_to_text: q", "doc_to_text: '{{r}}'", ["`choice`", "document 0", "doc_to_text"]),
        ("doc_to_target: g", "doc_to_target: '{{g + 1}}'", ["`choice`", "document 1", "`2`"]),
        ("doc_to_target: g", "doc_to_target: !function u.target", ["choice.yaml", "doc_to_target", "u.target"]),
        ("doc_to_text: q", "doc_to_text: '{{ q if g == 0 else r }}'", ["`choice`", "document 1", "doc_to_text"]),
        ("doc_to_target: g", "doc_to_target: gold", ["`choice`", "document 0", "doc_to_target"]),
        ("doc_to_choice: [w2, w3]", "doc_to_choice: options", ["`choice`", "document 0", "doc_to_choice"]),
        ("doc_to_choice: [w2, w3]", "doc_to_choice: '{{ [q] }}'", ["`choice`", "document 0", "doc_to_choice"]),
        ("doc_to_target: g", "doc_to_target: '{{ -1 }}'", ["`choice`", "document 0", "`-1`"]),
        ("doc_to_target: g", "doc_to_target: '{{g.h}}'", ["`choice`", "document 0", "doc_to_target"]),
        ("[w2, w3]", "'{{ [q, q[9]] }}'", ["`choice`", "document 0", "doc_to_choice"]),
        ("doc_to_text: q", "doc_to_text: q\ndescription: '{{r}}'", ["`choice`", "document 0", "description"]),
        ("doc_to_text: q", "doc_to_text: q\ngen_prefix: '{{r}}'", ["`choice`", "document 0", "gen_prefix"]),
        ("test_split: test", "test_split: dev", ["task `choice`, test_split", "`dev`", "data_files"]),
        ("test_split: test", "validation_split: dev", ["task `choice`, validation_split", "`dev`", "data_files"]),
        (
            "test_split: test",
            "test_split: test\nnum_fewshot: 1\nfewshot_split: dev",
            ["`choice`", "fewshot_split", "`dev`"],
        ),
        (
            "test_split: test",
            "test_split: test\nnum_fewshot: 1\ntraining_split: t",
            ["`choice`", "training_split", "`t`"],
        ),
        ("doc_to_text: q", "doc_to_text: q\nnum_fewshot: 9", ["`choice`", "document 0", "9 examples"]),
        (
            "doc_to_target: g",
            "doc_to_target: g\nnum_fewshot: 1\nfewshot_config: {samples: [{q: w5, g: 7}]}",
            ["`choice`", "document 0", "example 0: doc_to_target: gives 7"],
        ),
        (
            "doc_to_target: g",
            "doc_to_target: g\nnum_fewshot: 1\nfewshot_config: {samples: [{g: 0}], doc_to_text: '{{q}}'}",
            ["`choice`", "document 0", "example 0: doc_to_text"],
        ),
        ("[w2, w3]", "[w2, '   ']\ntarget_delimiter: ''", ["`choice`", "document 0", "no tokens"]),
    ] {
        setting.write("choice.yaml", &choice.replace(from, to));
        let message = error(&setting, &["--task", "choice.yaml"]);
        assert!(parts.iter().all(|part| message.contains(part)), "{to}: {message}");
    }
    let words = std::fs::read_to_string(setting.path("words.yaml")).unwrap();
    setting.write("words.yaml", &words.replace("doc_to_target: w5", "doc_to_target: 3\ndoc_to_choice: [w5, w6]"));
    let message = error(&setting, &["--task", "words.yaml"]);
    assert!(message.contains("task `words`, document 0: doc_to_target: gives 3"), "{message}");
    std::fs::create_dir(setting.path("set")).unwrap();
    setting.write("set/train.jsonl", "{}");
    let message = error(&setting, &["--task", "words.yaml", "--data", "set"]);
    assert!(message.contains("task `words`, test_split: set holds no file of the split `test`"), "{message}");
}

#[test]
fn rows_are_named_in_every_format() {
    let setting = Setting::new();
    for (format, file, parts) in [
        ("csv", "q,g\nw1,0\nw2\n", ["d.jsonl: line 3", "1 values"]),
        ("json", "[{\"q\": \"w1\", \"g\": 0},\n 7]", ["d.jsonl: line 2", "no JSON object"]),
        ("squad", "{\"data\": [{\"paragraphs\": []},\n{\"title\": 1}]}", ["d.jsonl: line 2", "expected a string"]),
        ("bigbench", "{\"examples\": [{\"input\": \"w1\"},\n{\"x\": 1}]}", ["d.jsonl: line 2", "input"]),
        ("parquet", "PAR1", ["d.jsonl: ", "Parquet"]),
    ] {
        setting.write("d.jsonl", file);
        let choice = std::fs::read_to_string(setting.path("choice.yaml")).unwrap();
        setting.write("t.yaml", &choice.replace("dataset_path: json", &format!("dataset_path: {format}")));
        let message = error(&setting, &["--task", "t.yaml"]);
        assert!(parts.iter().all(|part| message.contains(part)), "{format}: {message}");
    }
}

#[test]
fn prompts_are_conversations_where_the_model_has_a_template() {
    let setting = Setting::new();
    let message = error(&setting, &["--task", "choice.yaml", "--apply-chat-template"]);
    assert!(message.contains("--apply-chat-template") && message.contains("no template"), "{message}");
    let template = "{% for m in messages %}{{ m.role }} {{ m.content }}{{ eos_token }} {% endfor %}\
                    {% if add_generation_prompt %}assistant {% endif %}";
    let file = setting.model.join("tokenizer_config.json");
    let mut settings = json(&file);
    settings["chat_template"] = template.into();
    std::fs::write(&file, settings.to_string()).unwrap();
    let arguments = ["--task", "choice.yaml", "--apply-chat-template", "--system-instruction", "w9", "--samples", "s"];
    setting.eval(&arguments);
    let samples = std::fs::read_to_string(setting.path("s")).unwrap();
    let first: Value = serde_json::from_str(samples.lines().next().unwrap()).unwrap();
    let expected = serde_json::json!({ "arg_0": "system w9w1 user w10w1 assistant ", "arg_1": "w2" });
    assert_eq!(first["arguments"]["gen_args_0"], expected);
}

#[test]
fn memory_and_batch_change_nothing_and_what_is_cut_off_is_counted() {
    let setting = Setting::new();
    let long = "w1 w2 ".repeat(300);
    setting.write("l.jsonl", &format!("{{\"q\": \"w7\", \"g\": 1}}\n{{\"q\": \"{}\", \"g\": 0}}\n", long.trim_end()));
    let keys =
        "test_split: test\ndoc_to_text: q\noutput_type: multiple_choice\ndoc_to_choice: [w2, w3]\ndoc_to_target: g\n";
    let data = "dataset_path: json\ndataset_kwargs: {data_files: {test: l.jsonl}}\n";
    setting.write("long.yaml", &format!("task: long\n{data}{keys}"));
    let tasks = ["--task", "pair.yaml", "long.yaml", "--samples", "s.jsonl", "--json", "r.json"];
    let (_, stderr) = setting.eval(&tasks);
    assert!(stderr.contains("long: 1 of 2 contexts are longer than the model reads"), "{stderr}");
    let results = json(&setting.path("r.json"));
    assert_eq!(results["cut_contexts"], serde_json::json!({ "choice": 0, "words": 0, "long": 1 }));
    let samples = std::fs::read_to_string(setting.path("s.jsonl")).unwrap();
    let cut = |line: &str| serde_json::from_str::<Value>(line).unwrap()["cut_tokens"].as_u64();
    let cut: Vec<u64> = samples.lines().filter_map(cut).collect();
    assert!(cut.len() == 1 && cut[0] > 0, "{cut:?}");

    setting.eval(&[&tasks[..], &["--kv-memory", "0", "--batch", "1"]].concat());
    assert_eq!(json(&setting.path("r.json"))["results"], results["results"]);
}

/// What a task over passages asked of its documents, and its results.
fn retrieved(setting: &Setting, name: &str, keys: &str) -> (Vec<Value>, Value) {
    let file = format!("{name}.toml");
    setting.write(
        &file,
        &format!(
            "task = \"{name}\"\ndata = \"questions.jsonl\"\ndoc_to_text = \"{{{{context}}}} w9 {{{{question}}}}\"\n{keys}\n"
        ),
    );
    setting.eval(&["--task", &file, "--json", "r.json", "--samples", "s.jsonl"]);
    let samples = std::fs::read_to_string(setting.path("s.jsonl")).unwrap();
    let samples = samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (samples, json(&setting.path("r.json"))["results"][name].take())
}

#[test]
fn questions_find_their_passages() {
    let setting = Setting::new();
    // Of the first question: its passage, one that shares two words with it, one that shares one, one that gives it away.
    let passages = ["w20 w21 w22 w23", "w20 w21 w30 w31", "w20 w40 w41 w42", "w20 w21 w23 w23", "w50 w51"];
    let questions = ["w20 w21", "w30", "w40", "w23", "w51"];
    let answers = ["w23", "w31", "w42", "w23", "w50"];
    let document = |i: usize| {
        let answers = serde_json::json!({ "text": [answers[i]] });
        let document = serde_json::json!({ "context": passages[i], "question": questions[i], "answers": answers });
        format!("{document}\n")
    };
    setting.write("questions.jsonl", &(0..5).map(document).collect::<String>());
    let generated = "output_type = \"generate_until\"\ndoc_to_target = \"{{answers.text}}\"\n\
                     generation_kwargs = { max_gen_toks = 2 }\n\
                     metric_list = [{ metric = \"squad_em\" }, { metric = \"squad_f1\" }]\n[retrieval]\n";
    let context = |samples: &[Value], doc: usize| samples[doc]["doc"]["context"].as_str().unwrap().to_owned();

    let (samples, results) = retrieved(&setting, "open", &format!("{generated}tokens = 8\ngold = \"last\""));
    assert_eq!(context(&samples, 0), format!("{}\n\n{}", passages[1], passages[0]));
    assert_eq!(context(&samples, 4), passages[4], "no other passage shares a word with the question");
    assert!(samples[0]["arguments"]["gen_args_0"]["arg_0"].as_str().unwrap().ends_with("w23 w9 w20 w21"));
    assert!(["squad_em,none", "squad_f1,none"].iter().all(|metric| results[metric].is_number()), "{results}");

    let (samples, _) = retrieved(&setting, "wide", &format!("{generated}tokens = 12\ngold = \"middle\""));
    assert_eq!(context(&samples, 0), [passages[1], passages[0], passages[2]].join("\n\n"));

    let scored = "output_type = \"loglikelihood\"\ndoc_to_target = \" {{answers.text[0]}}\"\n[retrieval]\ntokens = 0\n";
    let (samples, results) = retrieved(&setting, "closed", scored);
    let asked = serde_json::json!({ "arg_0": " w9 w20 w21", "arg_1": " w23" });
    assert_eq!(samples[0]["arguments"]["gen_args_0"], asked);
    assert!(results["perplexity,none"].as_f64().unwrap() > 1.0);

    setting.write("shelf.jsonl", "{\"context\": \"w20 w60\"}\n{\"context\": \"w61\"}\n");
    let elsewhere = format!("{generated}tokens = 64\npassages = \"shelf.jsonl\"");
    let (samples, _) = retrieved(&setting, "elsewhere", &elsewhere);
    assert_eq!(context(&samples, 0), format!("{}\n\nw20 w60", passages[0]));

    // Broken rows of the questions and of the passages.
    setting.write("shelf.jsonl", "{\"context\": \"w20 w60\"}\nnothing\n");
    assert!(error(&setting, &["--task", "elsewhere.toml"]).contains("shelf.jsonl: line 2"));
    let arguments = ["--task", "elsewhere.toml", "--skip-bad-rows", "--limit", "2", "--json", "r.json"];
    let (_, stderr) = setting.eval(&arguments);
    assert!(stderr.contains("elsewhere: 1 broken rows left out") && stderr.contains("shelf.jsonl: line 2"), "{stderr}");
    let all = (0..5).map(document).collect::<String>();
    setting.write("questions.jsonl", &format!("nothing\n{all}"));
    let (_, stderr) = setting.eval(&arguments);
    assert!(stderr.contains("elsewhere: 2 broken rows left out"), "{stderr}");
    let counts = serde_json::json!({ "original": 5, "effective": 2 });
    assert_eq!(json(&setting.path("r.json"))["n-samples"]["elsewhere"], counts);
}

#[test]
fn questions_without_an_answer_are_kept_or_dropped() {
    let setting = Setting::new();
    let question = |id: &str, answers: &str, impossible: bool| {
        format!(
            "{{\"id\": \"{id}\", \"question\": \"w20\", \"answers\": [{answers}], \"is_impossible\": {impossible}}}"
        )
    };
    let answer = "{\"text\": \"w21\", \"answer_start\": 4}";
    let paragraph = |context: &str, questions: [String; 2]| {
        format!("{{\"context\": \"{context}\", \"qas\": [{}]}}", questions.join(", "))
    };
    let paragraphs = [
        paragraph("w20 w21", [question("a", answer, false), question("b", "", true)]),
        paragraph("w20 w30", [question("c", "", true), question("d", "", true)]),
    ];
    setting.write("dev.json", &format!("{{\"data\": [{{\"paragraphs\": [{}]}}]}}", paragraphs.join(", ")));
    let task = |unanswerable: &str| {
        let keys = "dataset_path = \"squad\"\ndataset_kwargs = { data_files = { test = \"dev.json\" } }\n\
                    test_split = \"test\"\noutput_type = \"generate_until\"\ndoc_to_text = \"{{context}} {{question}}\"\n\
                    doc_to_target = \"{{answers.text}}\"\ngeneration_kwargs = { max_gen_toks = 1 }\n\
                    metric_list = [{ metric = \"squad_em\" }]\n";
        setting.write("qa.toml", &format!("task = \"qa\"\n{keys}[retrieval]\ntokens = 9\n{unanswerable}\n"));
        setting.eval(&["--task", "qa.toml", "--json", "r.json", "--samples", "s.jsonl"]).1
    };
    let asked = || std::fs::read_to_string(setting.path("s.jsonl")).unwrap().lines().count();
    let retrieval = || json(&setting.path("r.json"))["retrieval"]["qa"].take();

    assert!(task("").contains("qa: 3 of 4 questions have no answer and are asked with the others"));
    assert_eq!(asked(), 4);
    assert_eq!(retrieval(), serde_json::json!({ "questions": 4, "unanswerable": 3, "dropped": false }));
    assert!(task("unanswerable = \"drop\"").contains("qa: 3 of 4 questions have no answer and are left out"));
    assert_eq!((asked(), retrieval()["dropped"].take()), (1, true.into()));
    let samples = std::fs::read_to_string(setting.path("s.jsonl")).unwrap();
    assert!(samples.contains("w20 w21\\n\\nw20 w30"), "passages of dropped questions stay: {samples}");

    setting.write("dev.json", &format!("{{\"data\": [{{\"paragraphs\": [{}]}}]}}", paragraphs[1]));
    assert!(error(&setting, &["--task", "qa.toml"]).contains("of 2 questions none has an answer"));
    let file = std::fs::read_to_string(setting.path("qa.toml")).unwrap();
    setting.write("qa.toml", &file.replace("drop", "maybe"));
    assert!(
        error(&setting, &["--task", "qa.toml"]).contains("retrieval.unanswerable: `maybe` is neither keep nor drop")
    );
}

#[test]
fn intervals_stand_around_their_numbers() {
    let setting = Setting::new();
    let (stdout, _) = setting.eval(&["--task", "choice.yaml", "--interval", "0.9", "--json"]);
    let results: Value = serde_json::from_str(&stdout).unwrap();
    let scores = &results["results"]["choice"];
    let interval: Vec<f64> = serde_json::from_value(scores["acc_interval,none"].clone()).unwrap();
    let value = scores["acc,none"].as_f64().unwrap();
    assert!(0.0 <= interval[0] && interval[0] <= value && value <= interval[1] && interval[1] <= 1.0, "{interval:?}");
    let (stdout, _) = setting.eval(&["--task", "choice.yaml", "--interval"]);
    assert!(stdout.contains("from") && stdout.contains("acc_norm"), "{stdout}");
    assert!(error(&setting, &["--task", "choice.yaml", "--interval", "2"]).contains("between 0 and 1"));
}

/// The most memory that a run has at a time, in MiB, as often as it is looked at while it runs.
#[cfg(target_os = "linux")]
fn peak(setting: &Setting, arguments: &[&str]) -> usize {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("junkdna"));
    command.current_dir(setting.folder.path()).args(["eval", "--model"]).arg(&setting.model).args(arguments);
    let mut run = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.map_or(0, |line| line.trim_end_matches("kB").trim().parse().unwrap()));
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    assert!(status.success() && peak > 0);
    peak / 1024
}

#[cfg(target_os = "linux")]
#[test]
fn files_are_not_held() {
    let setting = Setting::new();
    let document =
        |i: usize, more: &str| format!("{{\"q\": \"w{}\", \"g\": {}, \"more\": \"{more}\"}}\n", 10 + i % 9, i % 2);
    let arguments = ["--task", "choice.yaml", "--shots", "2", "--limit", "50"];
    setting.write("d.jsonl", &(0..60).map(|i| document(i, "")).collect::<String>());
    let small = peak(&setting, &arguments);
    let long = "x".repeat(3000);
    let file: String = (0..20_000).map(|i| document(i, &long)).collect();
    setting.write("d.jsonl", &file);
    let large = peak(&setting, &arguments);
    assert!(large < small + 20, "{large} MiB with a file of {} MiB, {small} without", file.len() >> 20);
    // All documents are asked, what they say beside the question is not kept.
    let all = peak(&setting, &arguments[..2]);
    assert!(all < small + 50, "{all} MiB with all documents of {} MiB, {small} without", file.len() >> 20);
    // Samples hold the documents, but leave for the disk line by line.
    let (samples, written) = (peak(&setting, &[&arguments[..2], &["--samples", "s.jsonl"]].concat()), file.len() >> 20);
    assert!(std::fs::metadata(setting.path("s.jsonl")).unwrap().len() > file.len() as u64);
    assert!(samples < all + written * 3 / 2, "{samples} MiB with samples of {written} MiB, {all} without");
}

const LABELLED: &str = "task: label\noutput_type: classification\ndataset_path: json\n\
                        dataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\ndoc_to_text: q\n\
                        doc_to_target: g\n";

#[test]
fn an_encoder_with_a_head_classifies() {
    let mut setting = Setting::new();
    setting.write("label.yaml", &format!("{LABELLED}doc_to_text_pair: '{{{{q}}}} w4'\n"));
    assert!(error(&setting, &["--task", "label.yaml"]).contains("head of an encoder"));
    setting.model = tiny_bert::write(&setting.folder);
    assert!(error(&setting, &["--task", "label.yaml"]).contains("no head"));
    setting.model = tiny_bert::write_classifier(&setting.folder);
    assert!(error(&setting, &["--task", "choice.yaml"]).contains("is an encoder"));

    let (stdout, _) = setting.eval(&["--task", "label.yaml", "--json", "--samples", "s.jsonl"]);
    let results: Value = serde_json::from_str(&stdout).unwrap();
    let samples = std::fs::read_to_string(setting.path("s.jsonl")).unwrap();
    let samples: Vec<Value> = samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(samples[1]["arguments"]["gen_args_0"], serde_json::json!({ "arg_0": "w11", "arg_1": "w11 w4" }));
    let right = samples.iter().filter(|sample| {
        let logits: Vec<f64> = serde_json::from_value(sample["resps"][0][0].clone()).unwrap();
        usize::from(logits[1] > logits[0]) == sample["target"].as_u64().unwrap() as usize
    });
    let scores = &results["results"]["label"];
    assert_eq!(scores["acc,none"].as_f64().unwrap(), right.count() as f64 / 4.0);
    assert!(scores["mcc,none"].is_number() && scores["macro_f1,none"].is_number());

    // Choices in another order are the same outputs by their names.
    let turned = LABELLED.replace("doc_to_target: g", "doc_to_target: \"{{g}}\"\ndoc_to_choice: [\"1\", \"0\"]");
    setting.write("label.yaml", &format!("{turned}doc_to_text_pair: '{{{{q}}}} w4'\n"));
    let (stdout, _) = setting.eval(&["--task", "label.yaml", "--json"]);
    let turned: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(turned["results"]["label"]["acc,none"], scores["acc,none"]);
}

#[test]
fn classes_that_the_head_lacks_name_their_document() {
    let mut setting = Setting::new();
    setting.model = tiny_bert::write_classifier(&setting.folder);
    for (from, to, parts) in [
        ("doc_to_target: g", "doc_to_target: '{{g + 1}}'", ["document 1", "class 2"]),
        ("doc_to_target: g", "doc_to_target: q", ["document 0", "`w10`"]),
        ("doc_to_target: g", "doc_to_target: g\ndoc_to_choice: [a, b, c]", ["document 0", "outputs"]),
        ("doc_to_target: g", "doc_to_target: g\nmetric_list: [{metric: pearson}]", ["document 0", "2 outputs"]),
    ] {
        setting.write("label.yaml", &LABELLED.replace(from, to));
        let message = error(&setting, &["--task", "label.yaml"]);
        assert!(message.contains("`label`") && parts.iter().all(|part| message.contains(part)), "{to}: {message}");
    }
}
