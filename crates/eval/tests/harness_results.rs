//! Results against those that lm-evaluation-harness 0.4.13 computed from the same made-up responses (`harness/`).

mod made_up;

use junkdna_eval::{Results, Suite, Task, TaskScores};
use made_up::{folder, measure, read};
use serde_json::Value;

#[test]
fn parity_results_of_every_output_type() {
    let expected: Value = serde_json::from_str(&read("results.json")).unwrap();
    let mut compared = 0;
    for (name, expected) in expected.as_object().unwrap() {
        let (_, measured) = measure(&Task::load(&folder().join(format!("{name}.yaml"))).unwrap());
        assert_eq!(2 * measured.len(), expected.as_object().unwrap().len(), "{name}");
        for line in measured {
            let close = |suffix: &str, got: Option<f64>| {
                let expected = &expected[format!("{}{suffix},{}", line.metric, line.filter)];
                let same = match (got, expected.as_f64()) {
                    (Some(got), Some(expected)) => (got - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                    (None, None) => expected == "N/A",
                    _ => false,
                };
                assert!(same, "{name}, {}{suffix}, {}: {got:?}, not {expected}", line.metric, line.filter);
            };
            close("", Some(line.score.value));
            close("_stderr", line.score.stderr);
            compared += 1;
        }
    }
    assert_eq!(compared, 16);
}

/// Equal but for the last digits of numbers.
fn same(got: &Value, expected: &Value, place: &str) {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            assert!(got.keys().eq(expected.keys()), "{place}: {got:?}, not {expected:?}");
            got.iter().for_each(|(key, value)| same(value, &expected[key], &format!("{place}.{key}")));
        }
        (Value::Number(got), Value::Number(expected)) => {
            let (got, expected) = (got.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{place}: {got}, not {expected}");
        }
        _ => assert_eq!(got, expected, "{place}"),
    }
}

fn results(suite: Suite) -> Results {
    let scores = |task: &Task| {
        let (examples, measured) = measure(task);
        TaskScores::new(task, examples.len(), examples.len(), measured)
    };
    Results { tasks: suite.tasks.iter().map(scores).collect(), groups: suite.groups }
}

#[test]
fn parity_groups_and_their_tables() {
    let suite = Suite::load(&[folder().join("zoo.yaml")], &[]).unwrap();
    let results = results(suite);
    let (got, expected): (_, Value) = (results.to_json(), serde_json::from_str(&read("groups.json")).unwrap());
    same(&got, &expected, "");
    let tables = format!("{}\n{}", results.table(), results.group_table().unwrap());
    assert_eq!(tables, read("groups.md"));
}
