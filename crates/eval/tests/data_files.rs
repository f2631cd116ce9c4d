//! Data files of every format, whole, broken and streamed.

use junkdna_eval::data::{Delimited, Format, Header};
use junkdna_eval::{EvalError, Prompting, Task};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn read(format: &Format, path: &Path) -> Result<Vec<Value>, EvalError> {
    format.open(path)?.collect()
}

fn parsed(name: &str, text: &str) -> Vec<Value> {
    let (_folder, path) = written(name, text);
    read(&Format::of(&path).unwrap(), &path).unwrap()
}

/// The message of the first broken record, and how many whole ones there are.
fn broken(format: &Format, text: &str) -> (String, usize) {
    let (_folder, path) = written("file", text);
    let records: Vec<_> = format.open(&path).unwrap().collect();
    let whole = records.iter().filter(|record| record.is_ok()).count();
    (records.into_iter().find_map(Result::err).unwrap().to_string(), whole)
}

const JSON: Format = Format::Json { field: None };

#[test]
fn lines_arrays_and_lists_in_objects_are_the_same_records() {
    let expected = [json!({"a": "x,]"}), json!({"a": "\\\"}", "b": [1, {"c": 2}]})];
    let lines = "{\"a\": \"x,]\"}\n\n{\"a\": \"\\\\\\\"}\", \"b\": [1, {\"c\": 2}]}\n";
    assert_eq!(parsed("f.jsonl", lines), expected);
    let array = format!("\n [\n{} \n]\n", lines.trim().replace("\n\n", " ,\n"));
    assert_eq!(parsed("f.json", &array), expected);
    let (_folder, path) = written("f", &format!("{{\"version\": 1, \"rows\": {array}}}"));
    assert_eq!(read(&Format::Json { field: Some("rows".into()) }, &path).unwrap(), expected);
    assert!(read(&Format::Json { field: Some("docs".into()) }, &path).unwrap_err().to_string().contains("`docs`"));
    assert!(parsed("f.json", "[]").is_empty() && parsed("f.json", "").is_empty());
    assert_eq!(parsed("f.txt", "one\n\ntwo"), [json!({"text": "one"}), json!({"text": ""}), json!({"text": "two"})]);
}

#[test]
fn a_broken_record_is_named_and_the_others_are_read() {
    let (message, whole) = broken(&JSON, "{\"a\": 1}\n{\"a\": \n{\"a\": 3}\n");
    assert!(message.contains("line 2") && whole == 2, "{message}");
    let (message, whole) = broken(&JSON, "[{\"a\": 1},\n7,\n{\"a\": 3}]");
    assert!(message.contains("line 2") && message.contains("no JSON object") && whole == 2, "{message}");
    let (message, _) = broken(&JSON, "[{\"a\": 1},\n{\"a\": 2}");
    assert!(message.contains("does not end"), "{message}");
    let (message, whole) = broken(&Format::Delimited(Delimited::csv()), "a,b\n1,2\n1\n3,4\n");
    assert!(message.contains("line 3") && message.contains("1 values") && whole == 2, "{message}");
    let error = JSON.open(Path::new("absent.jsonl")).err().unwrap().to_string();
    assert!(error.contains("absent.jsonl"), "{error}");
}

#[test]
fn columns_have_the_types_that_pandas_gives_them() {
    let csv = "i,f,b,t,m,n\n1,1,True,\"a, \"\"b\"\"\",,007\n-2,2.5,false,\"c\nd\",NA,\n";
    assert_eq!(
        parsed("f.csv", csv),
        [
            json!({"i": 1, "f": 1.0, "b": true, "t": "a, \"b\"", "m": null, "n": 7}),
            json!({"i": -2, "f": 2.5, "b": false, "t": "c\nd", "m": null, "n": null}),
        ]
    );
}

#[test]
fn quotes_are_text_in_glue_and_names_may_be_given() {
    let (_folder, path) = written("f", "0\t\"so\n1\ta \"b\" c\n");
    let names = vec!["label".to_owned(), "sentence".to_owned()];
    let format = Delimited { header: Header::Names(names.clone()), ..Delimited::glue() };
    let expected = [json!({"label": 0, "sentence": "\"so"}), json!({"label": 1, "sentence": "a \"b\" c"})];
    assert_eq!(read(&Format::Delimited(format.clone()), &path).unwrap(), expected);
    let replaced = Delimited { header: Header::Replaced(names), ..format };
    assert_eq!(read(&Format::Delimited(replaced), &path).unwrap(), expected[1..]);
}

#[test]
fn questions_carry_their_passage() {
    let file = json!({"data": [{"title": "T", "paragraphs": [{"context": "C", "qas": [
        {"id": "1", "question": "Q?", "answers": [{"text": "A", "answer_start": 3}, {"text": "B", "answer_start": 5}]},
        {"id": "2", "question": "R?", "answers": [], "is_impossible": true},
    ]}]}]});
    let (_folder, path) = written("f", &file.to_string());
    let records = read(&Format::Squad, &path).unwrap();
    assert_eq!(records[0]["answers"], json!({"text": ["A", "B"], "answer_start": [3, 5]}));
    assert_eq!((&records[1]["context"], &records[1]["is_impossible"]), (&json!("C"), &json!(true)));
}

#[test]
fn choices_keep_the_order_of_the_file() {
    let text =
        r#"{"examples": [{"input": "I", "target_scores": {"z": 0, "a": 1, "m": 0}}, {"input": "J", "target": "t"}]}"#;
    let (_folder, path) = written("task.json", text);
    let records = read(&Format::BigBench, &path).unwrap();
    assert_eq!(records[0]["multiple_choice_targets"], json!(["z", "a", "m"]));
    assert_eq!(records[0]["multiple_choice_scores"], json!([0, 1, 0]));
    assert_eq!((&records[0]["targets"], &records[1]["targets"]), (&json!(["a"]), &json!(["t"])));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_read_row_by_row() {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use std::sync::Arc;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let schema = "message m { required int64 label; optional binary text (UTF8); }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1, 0], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("é")], Some(&[1, 0]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let expected = [json!({"label": 1, "text": "é"}), json!({"label": 0, "text": null})];
    assert_eq!(read(&Format::of(&path).unwrap(), &path).unwrap(), expected);
    std::fs::write(&path, "no parquet").unwrap();
    assert!(Format::Parquet.open(&path).err().unwrap().to_string().contains("f.parquet"));
}

#[cfg(feature = "parquet")]
#[test]
fn a_broken_row_of_parquet_is_named() {
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let rows = [b"a".to_vec(), vec![0xff], b"c".to_vec()].map(ByteArray::from);
    parquet_column::<ByteArrayType>(&path, "binary b", &rows, Compression::UNCOMPRESSED);
    let records: Vec<_> = Format::Parquet.open(&path).unwrap().collect();
    let message = records[1].as_ref().unwrap_err().to_string();
    assert!(message.contains("f.parquet: row 2: column `b`"), "{message}");
    assert_eq!(records[2].as_ref().unwrap(), &json!({"b": "c"}));

    // A task reads no more rows than it asks about.
    let task = folder.path().join("t.yaml");
    let data = "dataset_path: parquet\ndataset_kwargs: {data_files: {test: f.parquet}}\ntest_split: test\n";
    std::fs::write(&task, format!("task: t\n{data}doc_to_text: b\ndoc_to_target: b\n")).unwrap();
    let task = Task::load(&task).unwrap();
    let prompting = Prompting { limit: Some(1), ..Prompting::default() };
    let rendered = task.render(&prompting).unwrap();
    assert_eq!((rendered.examples.len(), rendered.documents), (1, 3));
    assert!(task.render(&Prompting::default()).unwrap_err().to_string().contains("row 2"));
    // Rows that are left out are counted in the whole file.
    let rendered = task.render(&Prompting { skip_bad_rows: true, ..prompting }).unwrap();
    assert_eq!((rendered.examples.len(), rendered.documents, rendered.skipped.len()), (1, 2, 1));
}

/// A Parquet file with one column.
#[cfg(feature = "parquet")]
fn parquet_column<T: parquet::data_type::DataType>(
    path: &Path,
    field: &str,
    rows: &[T::T],
    codec: parquet::basic::Compression,
) {
    use parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    use std::sync::Arc;
    let schema = format!("message m {{ required {field}; }}");
    let schema = parquet::schema::parser::parse_message_type(&schema).unwrap();
    let properties = WriterProperties::builder().set_compression(codec).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(rows, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_may_be_compressed_in_any_way() {
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let texts: Vec<String> = (0..500).map(|i| format!("text {i} {}", "x".repeat(i))).collect();
    let expected: Vec<Value> = texts.iter().map(|text| json!({ "t": text })).collect();
    let rows: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(text.as_str())).collect();
    let write = |codec| {
        parquet_column::<ByteArrayType>(&path, "binary t (UTF8)", &rows, codec);
        std::fs::metadata(&path).unwrap().len()
    };
    let plain = write(Compression::UNCOMPRESSED);
    for codec in [
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::ZSTD(Default::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        assert!(write(codec) < plain / 2, "{codec}");
        assert_eq!(read(&Format::Parquet, &path).unwrap(), expected, "{codec}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn dates_outside_of_pythons_years_are_broken_rows() {
    use parquet::basic::Compression;
    use parquet::data_type::Int64Type;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let field = "int64 t (TIMESTAMP(MILLIS,false))";
    parquet_column::<Int64Type>(&path, field, &[0, i64::MAX, 1], Compression::UNCOMPRESSED);
    let records: Vec<_> = Format::Parquet.open(&path).unwrap().collect();
    let message = records[1].as_ref().unwrap_err().to_string();
    assert!(message.contains("f.parquet: row 2: column `t`") && message.contains("1 to 9999"), "{message}");
    assert_eq!(records[2].as_ref().unwrap(), &json!({ "t": "1970-01-01 00:00:00.001000" }));
}

#[cfg(feature = "parquet")]
#[test]
fn schemas_that_cannot_be_read_are_errors() {
    use parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int32Type};
    use parquet::file::writer::SerializedFileWriter;
    use std::sync::Arc;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    for (fields, part) in [
        ("required fixed_len_byte_array(12) span (INTERVAL);", "`span` holds intervals"),
        ("optional group two (LIST) { repeated int32 a; repeated int32 b; }", "`two`"),
        ("optional group one (LIST) { optional int32 a; }", "`one`"),
        ("required group pairs (MAP) { repeated int32 a; }", "`pairs`"),
        ("required group deep { required group within (LIST) { optional int32 a; } }", "`within`"),
    ] {
        let schema = parquet::schema::parser::parse_message_type(&format!("message m {{ {fields} }}")).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            match part.contains("span") {
                true => {
                    let value = FixedLenByteArray::from(vec![0; 12]);
                    column.typed::<FixedLenByteArrayType>().write_batch(&[value], None, None).unwrap()
                }
                false => column.typed::<Int32Type>().write_batch(&[], Some(&[0]), Some(&[0])).unwrap(),
            };
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        let message = Format::Parquet.open(&path).err().unwrap().to_string();
        assert!(message.contains("f.parquet") && message.contains(part), "{message}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

type Compress = fn(&[u8]) -> Vec<u8>;
const COMPRESSORS: [(&str, Compress); 2] = [("gz", gzip), ("zst", zstd)];

#[test]
fn compressed_files_hold_the_same_records() {
    let squad =
        json!({"data": [{"title": "T", "paragraphs": [{"context": "C", "qas": [{"id": "1", "question": "Q?"}]}]}]});
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..20_000).map(|i| format!("{{\"i\": {i}, \"t\": \"{}\"}}\n", i * i)).collect();
    for (extension, compress) in COMPRESSORS {
        for (name, text) in [
            ("f.jsonl", lines.as_str()),
            ("f.json", "[{\"a\": 1},\n {\"a\": 2}]"),
            ("f.csv", "a,b\n1,x\n2,\"y\nz\"\n"),
            ("f.tsv", "a\tb\n1\tx\n"),
            ("f.txt", "one\r\ntwo\n\nthree"),
            ("f.json", "\n"),
        ] {
            let path = folder.path().join(format!("{name}.{extension}"));
            std::fs::write(&path, compress(text.as_bytes())).unwrap();
            assert_eq!(read(&Format::of(&path).unwrap(), &path).unwrap(), parsed(name, text), "{name}.{extension}");
            // Two members, or frames, are one text.
            let (first, rest) = text.as_bytes().split_at(text.len() / 2);
            std::fs::write(&path, [compress(first), compress(rest)].concat()).unwrap();
            assert_eq!(read(&Format::of(&path).unwrap(), &path).unwrap(), parsed(name, text), "{name}.{extension}");
        }
        let path = folder.path().join("whatever");
        std::fs::write(&path, compress(squad.to_string().as_bytes())).unwrap();
        assert_eq!(read(&Format::Squad, &path).unwrap()[0]["context"], "C");
    }
    // A frame that is to be skipped comes first in files of parallel compressors.
    let path = folder.path().join("f.jsonl.zst");
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], zstd(b"{\"a\": 1}\n").as_slice()].concat();
    std::fs::write(&path, skipped).unwrap();
    assert_eq!(read(&JSON, &path).unwrap(), [json!({ "a": 1 })]);
}

#[test]
fn a_split_of_a_folder_may_be_compressed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.jsonl.gz"), gzip(b"{\"q\": \"w1\"}\n{\"q\": \"w2\"}\n")).unwrap();
    let keys = json!({ "task": "t", "dataset_path": folder.path(), "test_split": "test", "doc_to_text": "q", "doc_to_target": "q" });
    let rendered = Task::from_json("t", &keys).unwrap().render(&Prompting::default()).unwrap();
    assert_eq!(rendered.documents, 2);
}

#[test]
fn compressed_files_that_break_off_are_errors_whatever_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..5000).map(|i| format!("{{\"q\": \"w{}\"}}\n", i * i)).collect();
    let rows: String = (0..5000).map(|i| format!("w{},{i}\n", i * i)).collect();
    let files = [("json", "f.jsonl", lines), ("csv", "f.csv", format!("q,n\n{rows}"))];
    for (extension, compress) in COMPRESSORS {
        for (format, name, text) in &files {
            let name = format!("{name}.{extension}");
            let path = folder.path().join(&name);
            let whole = compress(text.as_bytes());
            let keys = json!({
                "task": "t", "dataset_path": format, "dataset_kwargs": { "data_files": { "test": path } },
                "test_split": "test", "doc_to_text": "q", "doc_to_target": "q",
            });
            let task = Task::from_json("t", &keys).unwrap();
            let prompting = Prompting { skip_bad_rows: true, ..Prompting::default() };
            std::fs::write(&path, &whole).unwrap();
            assert_eq!(task.render(&prompting).unwrap().documents, 5000);
            std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            let message = task.render(&prompting).unwrap_err().to_string();
            assert!(message.contains(&name), "{message}");
            // What is written about the whole does not fit what is there.
            let end = whole.len() - if extension == "gz" { 8 } else { 4 };
            let other = [&whole[..end], &[whole[end] ^ 1], &whole[end + 1..]].concat();
            std::fs::write(&path, other).unwrap();
            let message = task.render(&prompting).unwrap_err().to_string();
            assert!(message.contains(&name), "{message}");
        }
    }
}

#[test]
fn lists_in_objects_are_found_by_name_and_end_where_they_end() {
    let list = |text: &str| {
        let (_folder, path) = written("f", text);
        read(&Format::Json { field: Some("rows".into()) }, &path).map_err(|error| error.to_string())
    };
    let expected = [json!({"a": "]}"}), json!({"rows": []})];
    let rows = "[{\"a\": \"]}\"}, {\"rows\": []}]";
    for text in [
        format!("{{\"rows\": {rows}}}"),
        format!("{{\"x\": {{\"rows\": [1]}}, \"y\": [\"\\\"rows\", 2],\n\"rows\": {rows}, \"z\": 1}}"),
        format!(" {{ \"\\u0072ows\" : {rows} }}"),
    ] {
        assert_eq!(list(&text).unwrap(), expected, "{text}");
    }
    for text in ["{}", "[]", "", "{\"x\": [{\"rows\": []}]}", "{\"rows\": {}}", "{\"rows\" []}", "{\"x\": 1"] {
        assert!(list(text).is_err(), "{text}");
    }
}

/// The folder of public data; where it is absent the test says so and passes.
fn public() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = PathBuf::from(std::env::var("JUNKDNA_DATA_DIR").unwrap_or_else(|_| default.into()));
    if !folder.is_dir() {
        eprintln!("skipped: {} is absent (set JUNKDNA_DATA_DIR)", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn parity_public_data_has_its_published_sizes() {
    let Some(folder) = public() else { return };
    let count = |file: &str, format: Format| read(&format, &folder.join(file)).unwrap().len();
    let glue = || Format::Delimited(Delimited::glue());
    let names = ["source", "label", "mark", "sentence"].map(str::to_owned).to_vec();
    let cola = Format::Delimited(Delimited { header: Header::Names(names), ..Delimited::glue() });
    assert_eq!(count("glue/SST-2/train.tsv", glue()), 67_349);
    assert_eq!(count("glue/SST-2/dev.tsv", glue()), 872);
    assert_eq!(count("glue/RTE/dev.tsv", glue()), 277);
    assert_eq!(count("glue/CoLA/train.tsv", cola.clone()), 8_551);
    assert_eq!(count("glue/CoLA/dev.tsv", cola), 527);
    assert_eq!(count("blimp/adjunct_island.jsonl", JSON), 1_000);
    assert_eq!(count("gsm8k/test.jsonl", JSON), 1_319);
    assert_eq!(count("squad/dev-v1.1.json", Format::Squad), 1_407);
    let squad = read(&Format::Squad, &folder.join("squad/dev-v1.1.json")).unwrap();
    assert_eq!(squad.iter().filter(|question| question["is_impossible"] == true).count(), 702);
    let movies = read(&Format::BigBench, &folder.join("bigbench/movie_recommendation/task.json")).unwrap();
    assert!(!movies.is_empty() && movies.iter().all(|m| m["multiple_choice_targets"].as_array().unwrap().len() >= 2));
}
