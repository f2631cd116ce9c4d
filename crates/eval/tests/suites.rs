//! What names, files, groups and tags are read as, and what is wrong with them.

use junkdna_eval::metrics::Weighting;
use junkdna_eval::{EvalError, GroupMetric, Suite};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/harness")
}

fn names(suite: &Suite) -> (Vec<&str>, Vec<&str>) {
    let tasks = suite.tasks.iter().map(|task| task.task.as_str()).collect();
    (tasks, suite.groups.iter().map(|group| group.name.as_str()).collect())
}

/// The requests over a folder of files with these texts.
fn load(files: &[(&str, &str)], requests: &[&str]) -> Result<Suite, EvalError> {
    let folder = tempfile::tempdir().unwrap();
    let task = "dataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n\
                doc_to_text: q\ndoc_to_target: q\n";
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("TASK", task)).unwrap();
    }
    let request = |request: &&str| match folder.path().join(request) {
        path if path.is_file() => path,
        _ => PathBuf::from(request),
    };
    Suite::load(&requests.iter().map(request).collect::<Vec<_>>(), &[folder.path().to_owned()])
}

#[test]
fn names_tags_and_files_are_found() {
    let load = |request: &str| Suite::load(&[request.into()], &[folder()]).unwrap();
    assert_eq!(names(&load("words")), (vec!["words"], vec![]));
    assert_eq!(names(&load("animals")), (vec!["choice_first"], vec![]));
    let pond = load("pond");
    assert_eq!(names(&pond), (vec!["choice_random", "contexts"], vec!["pond"]));
    assert!(pond.tasks.iter().all(|task| task.num_fewshot == 1 && task.description == "By the pond.\n"));
    let expected =
        GroupMetric { metric: "acc_norm".into(), filters: Some(vec!["none".into()]), weighting: Weighting::Size };
    assert_eq!(pond.groups[0].metrics[1], expected);
    let zoo = load("zoo");
    assert_eq!(names(&zoo).1, ["zoo", "pond", "zoo::texts"]);
    assert_eq!(zoo.groups[0].children, ["pond", "choice_first", "words", "zoo::texts"]);
    // A file needs no folder for names, and finds the members beside it.
    assert_eq!(names(&Suite::load(&[folder().join("pond.yaml")], &[]).unwrap()), names(&pond));
}

#[test]
fn members_are_written_out_or_change_keys() {
    let files = [
        ("a/one.yaml", "task: one\ntag: [t, u]\nTASK"),
        ("b/two.yaml", "task: two\ngroup: t\nnum_fewshot: 5\nTASK"),
        (
            "g.yaml",
            "group: g\ntask:\n- {task: t, num_fewshot: 2}\n- {task: three, num_fewshot: 3, dataset_path: json, \
                    dataset_kwargs: {data_files: {test: d}}, test_split: test, doc_to_text: q, doc_to_target: q}\n\
                    num_fewshot: 1\ndescription: D",
        ),
        ("broken.yaml", "task: [\n"),
    ];
    let suite = load(&files, &["g.yaml"]).unwrap();
    assert_eq!(names(&suite), (vec!["one", "two", "g::three"], vec!["g"]));
    assert_eq!(suite.tasks.iter().map(|task| task.num_fewshot).collect::<Vec<_>>(), [2, 2, 3]);
    assert!(suite.tasks.iter().all(|task| task.description == "D"));
    assert_eq!(names(&load(&files, &["u", "two"]).unwrap()).0, ["one", "two"]);
}

#[test]
fn what_is_wrong_with_a_group_is_named() {
    let task = ("one.yaml", "task: one\ntag: t\nTASK");
    for (text, parts) in [
        ("group: g\ntask: [two]", ["g.yaml", "`two`"]),
        ("group: g", ["task", "no tasks"]),
        ("group: g\ntask: [g]", ["`g`", "within itself"]),
        ("group: g\ntask: [3]", ["task", "an integer"]),
        ("group: g\ntask: [{alias: x}]", ["task", "neither `task` nor `group`"]),
        ("group: g\ntask: [one]\naggregate_metric_list: [{metric: acc, aggregation: max}]", ["aggregation", "mean"]),
        (
            "group: g\ntask: [one]\naggregate_metric_list: [{metric: acc, aggregation: !function a.b}]",
            ["a.b", "Python"],
        ),
        ("group: g\ntask: [one]\naggregate_metric_list: [{weight_by_size: no}]", ["aggregate_metric_list", "`metric`"]),
        ("group: g\ntask: [one]\naggregate_metric_list: [{metric: acc, size: 1}]", ["aggregate_metric_list", "`size`"]),
        ("group: g\ntask: [one]\ngroup_alias: 3", ["group_alias", "an integer"]),
        ("group: g\ntask: [one]\ncolour: red", ["one.yaml", "colour"]),
    ] {
        let message = load(&[task, ("g.yaml", text)], &["g.yaml"]).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)) && !message.contains('\n'), "{text}: {message}");
    }
    let message = load(&[task, ("g.yaml", "group: g\ntask: [one]")], &["g", "one"]).unwrap_err().to_string();
    assert!(message.contains("`one`") && message.contains("twice"), "{message}");
    let message = Suite::load(&["nothing".into()], &[]).unwrap_err().to_string();
    assert!(message.contains("nothing") && message.contains("no task, group or tag"), "{message}");
    assert!(matches!(Suite::load(&[Path::new("absent.yaml").into()], &[]), Err(EvalError::Io { .. })));
}
