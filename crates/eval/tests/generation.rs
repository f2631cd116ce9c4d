//! Many answers at once are the answers one at a time.

mod common;

use burn::tensor::Device;
use common::{BYTES_PER_TOKEN, Letters, TinyLm, Watched};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};
use junkdna_eval::{Engine, EvalError, Generation, Sampling, generate_until, greedy};
use proptest::prelude::*;

const CODEC: Letters = Letters { has_prefix: true };

/// Prompts that share beginnings of all lengths, some of them equal, one empty now and then.
fn prompts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab]{0,14}", 1..12)
}

fn sampling() -> impl Strategy<Value = Option<Sampling>> {
    let some = (0.3..2.0f64, prop::option::of(1usize..9), prop::option::of(0.2..1.0f64), 0u64..9);
    prop::option::of(some.prop_map(|(temperature, top_k, top_p, seed)| Sampling { temperature, top_k, top_p, seed }))
}

fn engines() -> impl Strategy<Value = Engine> {
    let memory = prop_oneof![Just(None), (0usize..120 * BYTES_PER_TOKEN).prop_map(Some)];
    (1usize..40, 1usize..7, memory).prop_map(|(pass_tokens, batch, kv_memory)| Engine {
        pass_tokens,
        batch,
        kv_memory,
        ..Engine::default()
    })
}

/// By the definition: the whole text through the model for each token.
fn without_a_cache(model: &TinyLm, prompt: &[u32], count: usize) -> Vec<u32> {
    let mut tokens = prompt.to_vec();
    for _ in 0..count {
        let (hidden, _) = model.forward(&TokenTree::sequence(&tokens, 0), &KeyValues::default());
        let logits = model.head(hidden.narrow(0, tokens.len() - 1, 1)).into_data();
        let logits: Vec<f32> = logits.iter::<f32>().collect();
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        tokens.extend(logits.iter().position(|&logit| logit == best).map(|token| token as u32));
    }
    tokens.split_off(prompt.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_batch_answers_as_each_prompt_alone(
        prompts in prompts(), engine in engines(), sampling in sampling(), seed in 0u64..100,
        until in prop::collection::vec("[a-i]{1,2}", 0..3), max_tokens in 0usize..12,
    ) {
        let model = Watched::new(TinyLm::new(seed, &Device::flex()));
        let generation = Generation { until: until.clone(), max_tokens, sampling };
        let contexts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let answers = engine.generate(&model, &CODEC, &contexts, &generation, |_| {}).unwrap();
        if let Some(memory) = engine.kv_memory {
            let longest = prompts.iter().map(|p| p.len().max(1) + max_tokens).max().unwrap_or(0);
            prop_assert!(model.most_kept() <= memory.max(longest * BYTES_PER_TOKEN), "{} are kept", model.most_kept());
        }
        for (index, (prompt, answer)) in contexts.iter().zip(&answers).enumerate() {
            prop_assert!(until.iter().all(|stop| !answer.contains(stop)), "{answer} holds a stop string");
            // Of equal prompts the first is what the prompt gives alone; sampled, the others differ from it.
            if sampling.is_none() || !contexts[..index].contains(prompt) {
                let alone = generate_until(model.inner(), &CODEC, prompt, &generation).unwrap();
                prop_assert_eq!(answer, &alone, "prompt {}", prompt);
            }
        }
    }

    #[test]
    fn the_order_of_prompts_does_not_matter(
        prompts in prompts(), engine in engines(), sampling in sampling(), seed in 0u64..100,
    ) {
        let model = TinyLm::new(seed, &Device::flex());
        let generation = Generation { until: vec!["c".into()], max_tokens: 9, sampling };
        let answers = |contexts: &[&str]| {
            let answers = engine.generate(&model, &CODEC, contexts, &generation, |_| {}).unwrap();
            let mut pairs: Vec<_> = contexts.iter().map(|c| c.to_string()).zip(answers).collect();
            pairs.sort_unstable();
            pairs
        };
        let mut contexts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let forward = answers(&contexts);
        contexts.reverse();
        prop_assert_eq!(forward, answers(&contexts));
    }

    #[test]
    fn kept_keys_and_values_change_nothing(prompt in prop::collection::vec(0u32..9, 1..9), seed in 0u64..50) {
        let model = TinyLm::new(seed, &Device::flex());
        prop_assert_eq!(greedy(&model, &prompt, 12, &[]), without_a_cache(&model, &prompt, 12));
    }
}

#[test]
fn a_prompt_that_another_holds_may_begin_after_it() {
    let model = TinyLm::new(17, &Device::flex());
    let generation = Generation { until: Vec::new(), max_tokens: 2, sampling: None };
    // How much fits is known after the first pass: the others begin when the first has an answer already.
    let engine = Engine { kv_memory: Some(100 * BYTES_PER_TOKEN), ..Engine::default() };
    for contexts in [["", ""], ["ab", "ab"], ["ab", "abba"]] {
        let alone = contexts.map(|context| generate_until(&model, &CODEC, context, &generation).unwrap());
        assert_eq!(engine.generate(&model, &CODEC, &contexts, &generation, |_| {}).unwrap(), alone, "{contexts:?}");
    }
}

#[test]
fn samples_differ_by_seed_and_between_equal_prompts() {
    let model = TinyLm::new(1, &Device::flex());
    let sampled = |seed, contexts: &[&str]| {
        let sampling = Some(Sampling { temperature: 1.5, top_k: None, top_p: None, seed });
        let generation = Generation { until: Vec::new(), max_tokens: 12, sampling };
        Engine::default().generate(&model, &CODEC, contexts, &generation, |_| {}).unwrap()
    };
    let twice = sampled(1, &["ab", "ab"]);
    assert_ne!(twice[0], twice[1]);
    assert_ne!(sampled(2, &["ab"])[0], twice[0]);
    assert_eq!(sampled(1, &["ab"])[0], twice[0]);
}

#[test]
fn what_cannot_be_generated_is_an_error() {
    let model = TinyLm::new(1, &Device::flex());
    let generation = |max_tokens| Generation { until: Vec::new(), max_tokens, sampling: None };
    let answer = |codec: &Letters, context, max_tokens| {
        Engine::default().generate(&model, codec, &[context], &generation(max_tokens), |_| {})
    };
    assert!(matches!(answer(&CODEC, "a", 32), Err(EvalError::TooLong { tokens: 32, context: 32 })));
    assert!(matches!(answer(&Letters { has_prefix: false }, "", 3), Err(EvalError::Tokenizer(_))));
    // A prompt that leaves no room loses its beginning.
    let long = "ab".repeat(40);
    assert_eq!(answer(&CODEC, &long, 8).unwrap(), answer(&CODEC, &long[80 - 24..], 8).unwrap());
}
