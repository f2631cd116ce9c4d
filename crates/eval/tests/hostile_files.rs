//! Files of anything: what is read from them ends, and is a record or an error of one line.

use junkdna_eval::data::{Delimited, Format};
use junkdna_eval::{FEWSHOT_SEED, Task};
use proptest::prelude::*;

/// Bytes that are often almost JSON, or almost a table.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "\"",
        ",",
        ":",
        "\\",
        "\n",
        "\t",
        " ",
        "1",
        "-",
        "a",
        "{\"a\": 1}",
        "\"examples\"",
        "null",
        "\u{e9}",
        "\u{0}",
    ]);
    let text = prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![text, prop::collection::vec(any::<u8>(), 0..60)]
}

/// A task file that is right.
const WHOLE: &str = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: d}}\ntest_split: test\n\
                     output_type: generate_until\ndoc_to_text: q\ndoc_to_target: q\n";

/// The same with keys replaced by what may be wrong.
fn task_file() -> impl Strategy<Value = String> {
    let lines = prop::sample::select(vec![
        "task: t",
        "dataset_path: json",
        "dataset_kwargs: {data_files: {test: d}}",
        "test_split: test",
        "doc_to_text: q",
        "doc_to_text: '{{ q * 99999999 }}'",
        "doc_to_target: 0",
        "doc_to_target: '{{ [q] }}'",
        "doc_to_choice: [x, y]",
        "doc_to_choice: '{{ [[q], \"\\\\\"] }}'",
        "output_type: multiple_choice",
        "num_fewshot: 1",
        "num_fewshot: -1",
        "fewshot_config: {samples: [{q: 1}]}",
        "filter_list: [{}]",
        "metric_list: [a]",
        "generation_kwargs: []",
        "  - x: &a [*a]",
        "<<: [",
        "? !!str",
        "gen_prefix: '{% for i in range(q|length * 1000) %}{% endfor %}'",
        "description: '{{ self }}'",
    ]);
    prop::collection::vec(lines, 0..6).prop_map(|lines| format!("{WHOLE}{}", lines.join("\n")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn data_of_anything_ends(bytes in bytes()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d");
        std::fs::write(&path, &bytes).unwrap();
        let formats = [
            Format::Json { field: None }, Format::Json { field: Some("a".into()) }, Format::Delimited(Delimited::csv()),
            Format::Delimited(Delimited::glue()), Format::Parquet, Format::Text, Format::Squad, Format::BigBench,
        ];
        for format in formats {
            let records = match format.open(&path) {
                Ok(records) => records.take(200).collect(),
                Err(error) => vec![Err(error)],
            };
            prop_assert!(records.len() < 200);
            for record in records {
                match record {
                    Ok(record) => prop_assert!(record.is_object()),
                    Err(error) => prop_assert!(error.to_string().contains(path.to_str().unwrap())),
                }
            }
        }
    }

    #[test]
    fn a_task_of_anything_is_read_or_refused(text in task_file()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yaml");
        std::fs::write(folder.path().join("d"), "{\"q\": \"a\"}\n{\"q\": \"b\"}\n").unwrap();
        std::fs::write(&path, text).unwrap();
        match Task::load(&path).and_then(|task| task.examples(FEWSHOT_SEED, None)) {
            Ok(examples) => prop_assert_eq!(examples.len(), 2),
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}
