//! `eval` of the binary on data sets of the Hugging Face hub: from a made-up cache, and from a made-up hub.

mod common;

use common::junkdna;
use common::tiny::Tiny;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const COMMIT: &str = "1111111111111111111111111111111111111111";
const CARD: &str = "---\nlicense: mit\nconfigs:\n- config_name: easy\n  data_files:\n  - split: train\n    path: \
                    easy/train-*\n  - split: test\n    path: easy/test-*\n- config_name: hard\n  data_files:\n  - split: \
                    test\n    path: hard/*.csv\n---\n# Words\n";

/// A tiny model and a folder to run in.
struct Setting {
    folder: TempDir,
    model: PathBuf,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = Tiny::default().write(&folder);
        Self { folder, model }
    }

    /// The folder of a data set in the cache.
    fn cached(&self) -> PathBuf {
        self.folder.path().join("home/hub/datasets--org--words")
    }

    /// Lays a file into the cache as the hub's clients do: a blob, and a link to it.
    fn cache(&self, commit: &str, file: &str, content: &[u8]) {
        let (blobs, snapshot) = (self.cached().join("blobs"), self.cached().join("snapshots").join(commit));
        let blob = blobs.join(format!("{commit}-{}", file.replace('/', "-")));
        let link = snapshot.join(file);
        for folder in [&blobs, &link.parent().unwrap().to_owned()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(&blob, content).unwrap();
        std::os::unix::fs::symlink(&blob, &link).unwrap();
    }

    fn refer(&self, name: &str, commit: &str) {
        let file = self.cached().join("refs").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, commit).unwrap();
    }

    /// A cache with a card, Parquet in two parts, and CSV.
    fn filled() -> Self {
        let setting = Self::new();
        setting.refer("main", COMMIT);
        setting.cache(COMMIT, "README.md", CARD.as_bytes());
        for (part, words) in [["w10", "w11"], ["w12", "w13"]].iter().enumerate() {
            setting.cache(COMMIT, &format!("easy/test-0000{part}-of-00002.parquet"), &parquet(words));
        }
        setting.cache(COMMIT, "easy/train-00000-of-00001.parquet", &parquet(&["w20", "w21", "w22"]));
        setting.cache(COMMIT, "hard/questions.csv", b"q,g\nw30,1\n");
        setting
    }

    fn run(&self, keys: &str, split: &str, environment: &[(&str, &str)]) -> std::process::Output {
        let file = self.folder.path().join("t.yaml");
        let text = format!(
            "task: t\ndataset_path: org/words\ntest_split: {split}\ntraining_split: train\noutput_type: multiple_choice\n\
             doc_to_text: q\ndoc_to_choice: [w2, w3]\ndoc_to_target: g\n{keys}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = junkdna();
        command.current_dir(self.folder.path()).args(["eval", "--task", "t.yaml", "--samples", "s.jsonl", "--model"]);
        command.arg(&self.model).env("HF_HOME", self.folder.path().join("home"));
        for variable in ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH"] {
            command.env_remove(variable);
        }
        command.envs(environment.iter().copied()).output().unwrap()
    }

    /// The questions that a task asks, each with what came before it.
    fn asked(&self, keys: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let output = self.run(keys, "test", environment);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let samples = std::fs::read_to_string(self.folder.path().join("s.jsonl")).unwrap();
        let context = |line: &str| {
            let sample: Value = serde_json::from_str(line).unwrap();
            sample["arguments"]["gen_args_0"]["arg_0"].as_str().unwrap().to_owned()
        };
        samples.lines().map(context).collect()
    }

    /// What a run that must fail says last.
    fn error(&self, keys: &str, split: &str, environment: &[(&str, &str)]) -> String {
        let output = self.run(keys, split, environment);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap().lines().last().unwrap().to_owned()
    }
}

const OFFLINE: [(&str, &str); 1] = [("HF_HUB_OFFLINE", "1")];

/// Questions with the right answer 1, a Parquet file.
fn parquet(questions: &[&str]) -> Vec<u8> {
    let schema = "message m { required binary q (UTF8); required int64 g; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = questions.iter().map(|&text| ByteArray::from(text)).collect();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&vec![1; questions.len()], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn cached_sets_are_read_without_a_connection() {
    let setting = Setting::filled();
    assert_eq!(setting.asked("dataset_name: easy", &OFFLINE), ["w10", "w11", "w12", "w13"]);
    assert_eq!(setting.asked("dataset_name: hard", &[("HF_DATASETS_OFFLINE", "true")]), ["w30"]);
    // The first of the training split stands before each question.
    let shots = "dataset_name: easy\nnum_fewshot: 1\nfewshot_config: {sampler: first_n}";
    assert_eq!(setting.asked(shots, &OFFLINE)[1], "w20 w3\n\nw11");
    let files = "dataset_kwargs: {data_dir: hard, data_files: {test: 'q*.csv', train: none}, trust_remote_code: true}";
    assert_eq!(setting.asked(files, &OFFLINE), ["w30"]);
    // Where nobody answers, what is cached does.
    let nobody = [("HF_ENDPOINT", "http://127.0.0.1:9")];
    assert_eq!(setting.asked("dataset_name: easy", &nobody).len(), 4);
}

#[test]
fn revisions_are_branches_and_commits() {
    let setting = Setting::filled();
    let other = "2222222222222222222222222222222222222222";
    setting.refer("refs/convert/parquet", other);
    setting.cache(other, "easy/test/0000.parquet", &parquet(&["w40"]));
    for revision in ["refs/convert/parquet", other] {
        let keys = format!("dataset_name: easy\ndataset_kwargs: {{revision: {revision}}}");
        assert_eq!(setting.asked(&keys, &OFFLINE), ["w40"]);
    }
}

#[test]
fn what_is_missing_is_named() {
    let setting = Setting::filled();
    let of = |keys: &str, split: &str| setting.error(keys, split, &OFFLINE);
    for (keys, split, parts) in [
        ("dataset_path: org/others", "test", ["`org/others`", "not cached", "HF_HUB_OFFLINE is set"]),
        ("", "test", ["`org/words`", "configuration is needed", "[\"easy\", \"hard\"]"]),
        ("dataset_name: odd", "test", ["`org/words`", "no configuration `odd`", "[\"easy\", \"hard\"]"]),
        ("dataset_name: easy", "dev", ["no split `dev`", "`easy`", "[\"train\", \"test\"]"]),
        ("dataset_kwargs: {revision: v2}", "test", ["`org/words`", "not cached", "revision `v2`"]),
        ("dataset_kwargs: {revision: ../..}", "test", ["dataset_kwargs.revision", "`../..`", "no branch"]),
        ("dataset_kwargs: {files: a}", "test", ["t.yaml", "dataset_kwargs.files", "no option"]),
        ("dataset_kwargs: {data_files: [1]}", "test", ["t.yaml", "dataset_kwargs.data_files", "no file name"]),
        ("dataset_path: ../words", "test", ["t.yaml", "`../words`", "no folder"]),
    ] {
        // Of a key that is there twice the last counts.
        let message = of(keys, split);
        assert!(parts.iter().all(|part| message.contains(part)), "{keys}: {message}");
    }
    std::fs::remove_file(setting.cached().join("snapshots").join(COMMIT).join("easy/test-00001-of-00002.parquet"))
        .unwrap();
    let message = of("dataset_name: easy", "test");
    assert!(message.contains("easy/test-00000-of-00002.parquet") && message.contains("1 of its 2 parts"), "{message}");
}

/// Answers as the hub does, from the files in memory, as long as the test runs; the address. With a token it answers only to
/// those who have it.
fn hub(token: Option<&'static str>, files: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, token, &files)));
    address
}

fn answer(mut stream: TcpStream, token: Option<&str>, files: &[(&'static str, Vec<u8>)]) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let path = head[0].split(' ').nth(1).unwrap();
    let known = |token| head.iter().any(|line| line.eq_ignore_ascii_case(&format!("authorization: bearer {token}")));
    let (status, body) = match path.strip_prefix("/datasets/org/words/resolve/main/") {
        _ if !token.is_none_or(known) => ("401 Unauthorized", Vec::new()),
        Some(file) => match files.iter().find(|(name, _)| *name == file) {
            Some((_, content)) => ("206 Partial Content", content.clone()),
            None => ("404 Not Found", Vec::new()),
        },
        None if path == "/api/datasets/org/words/revision/main" => {
            let siblings: Vec<Value> = files.iter().map(|(name, _)| serde_json::json!({ "rfilename": name })).collect();
            ("200 OK", serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string().into_bytes())
        }
        None => ("404 Not Found", Vec::new()),
    };
    let first = head.iter().any(|line| line.to_lowercase() == "range: bytes=0-0");
    let sent = if first { &body[..body.len().min(1)] } else { &body[..] };
    let etag = path.replace('/', "-");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-range: bytes 0-{}/{}\r\nx-repo-commit: {COMMIT}\r\netag: \
         \"{etag}\"\r\nconnection: close\r\n\r\n",
        sent.len(),
        sent.len().saturating_sub(1),
        body.len()
    );
    // A client may have enough before the end.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
}

#[test]
fn sets_are_fetched_once_and_kept() {
    let setting = Setting::new();
    let files = vec![
        ("README.md", CARD.as_bytes().to_vec()),
        ("easy/test-00000-of-00001.parquet", parquet(&["w10", "w11"])),
        ("hard/questions.csv", b"q,g\nw30,1\n".to_vec()),
    ];
    let address = hub(None, files);
    let online = [("HF_ENDPOINT", address.as_str())];
    assert_eq!(setting.asked("dataset_name: easy", &online), ["w10", "w11"]);
    assert_eq!(setting.asked("dataset_name: easy", &OFFLINE), ["w10", "w11"]);
    let message = setting.error("dataset_name: hard", "test", &OFFLINE);
    assert!(message.contains("no file of the split `test`"), "only what is asked for is fetched: {message}");
    let message = setting.error("dataset_name: odd", "test", &online);
    assert!(message.contains("no configuration `odd`"), "{message}");
    let message = setting.error("dataset_path: org/others", "test", &online);
    assert!(message.contains("`org/others`") && message.contains("404"), "{message}");
    let kept = |name: &str| Path::new(&setting.cached()).join(name).is_dir();
    assert!(kept("blobs") && kept("refs") && kept("snapshots"));
}

#[test]
fn sets_with_terms_are_read_by_those_with_a_token() {
    let setting = Setting::new();
    let address = hub(Some("hf_secret"), vec![("hard/questions.csv", b"q,g\nw30,1\n".to_vec())]);
    let keys = "dataset_kwargs: {data_files: {test: 'hard/*.csv', train: none}}";
    let online = ("HF_ENDPOINT", address.as_str());
    let empty_cache = || _ = std::fs::remove_dir_all(setting.cached());
    for environment in [vec![online], vec![online, ("HF_TOKEN", "hf_other")]] {
        let message = setting.error(keys, "test", &environment);
        assert!(["`org/words`", "401", "HF_TOKEN"].iter().all(|part| message.contains(part)), "{message}");
    }
    assert_eq!(setting.asked(keys, &[online, ("HF_TOKEN", "hf_secret\n")]), ["w30"]);
    // What was fetched once is there for all, with the connection or without.
    assert_eq!(setting.asked(keys, &OFFLINE), ["w30"]);
    empty_cache();
    let kept = setting.folder.path().join("home/token");
    std::fs::write(&kept, "hf_secret\n").unwrap();
    assert_eq!(setting.asked(keys, &[online, ("HF_TOKEN", " ")]), ["w30"]);
    empty_cache();
    let elsewhere = setting.folder.path().join("elsewhere");
    std::fs::rename(&kept, &elsewhere).unwrap();
    assert_eq!(setting.asked(keys, &[online, ("HF_TOKEN_PATH", elsewhere.to_str().unwrap())]), ["w30"]);
}
