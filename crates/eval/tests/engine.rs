//! Scoring through shared prefixes gives what scoring each request alone gives.

mod common;

use burn::tensor::{Device, activation::log_softmax};
use common::{BYTES_PER_TOKEN, Letters, TinyLm, VOCAB, Watched};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};
use junkdna_eval::metrics::Response;
use junkdna_eval::{Encoded, Engine, EvalError, FEWSHOT_SEED, LogLikelihood, Task, encode, greedy};
use proptest::prelude::*;

/// By the definition: one pass over each request, a softmax at every position.
fn alone(model: &TinyLm, request: &Encoded) -> LogLikelihood {
    let (tokens, n) = (&request.tokens, request.tokens.len());
    let (hidden, _) = model.forward(&TokenTree::sequence(&tokens[..n - 1], 0), &KeyValues::default());
    let logits: Vec<f32> = log_softmax(model.head(hidden), 1).into_data().iter::<f32>().collect();
    let mut score = LogLikelihood { sum: 0.0, greedy: true };
    for place in n - request.continuation..n {
        let row = &logits[(place - 1) * VOCAB..place * VOCAB];
        let own = row[tokens[place] as usize];
        score.sum += f64::from(own);
        score.greedy &= row.iter().all(|&other| other <= own);
    }
    score
}

/// Requests with few different tokens, so that they share prefixes of all lengths.
fn requests() -> impl Strategy<Value = Vec<Encoded>> {
    let request = (proptest::collection::vec(0u32..3, 2..20), 0.0..1.0f64).prop_map(|(tokens, share)| {
        let continuation = 1 + ((tokens.len() - 2) as f64 * share) as usize;
        Encoded { tokens, continuation, cut: 0 }
    });
    proptest::collection::vec(request, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sharing_prefixes_changes_nothing(
        requests in requests(), seed in 0u64..100, pass_tokens in 1usize..60, head_rows in 1usize..9,
        memory in prop_oneof![Just(None), (0usize..40 * BYTES_PER_TOKEN).prop_map(Some)],
    ) {
        let model = Watched::new(TinyLm::new(seed, &Device::flex()));
        let engine = Engine { pass_tokens, head_rows, kv_memory: memory, ..Engine::default() };
        let scores = engine.score(&model, &requests, |_| {}).unwrap();
        prop_assert!(model.most_kept() <= memory.unwrap_or(usize::MAX), "{} bytes are kept", model.most_kept());
        let longest = requests.iter().map(|request| request.tokens.len()).max().unwrap_or(0);
        prop_assert!(model.most_kept() <= longest * BYTES_PER_TOKEN, "more than a path is kept");
        for (request, got) in requests.iter().zip(scores) {
            let expected = alone(model.inner(), request);
            prop_assert!((expected.sum - got.sum).abs() < 1e-4, "{request:?}: {} not {}", got.sum, expected.sum);
            prop_assert_eq!(expected.greedy, got.greedy, "{:?}", request);
        }
    }

    #[test]
    fn the_order_of_requests_does_not_matter(mut requests in requests(), seed in 0u64..100) {
        let model = TinyLm::new(seed, &Device::flex());
        let engine = Engine { pass_tokens: 24, head_rows: 8, ..Engine::default() };
        let forward = engine.score(&model, &requests, |_| {}).unwrap();
        requests.reverse();
        let mut backward = engine.score(&model, &requests, |_| {}).unwrap();
        backward.reverse();
        for (a, b) in forward.iter().zip(&backward) {
            prop_assert!((a.sum - b.sum).abs() < 1e-4);
        }
    }

    #[test]
    fn greedy_decoding_is_what_the_scores_call_greedy(prompt in proptest::collection::vec(0u32..9, 1..6), seed in 0u64..50) {
        let model = TinyLm::new(seed, &Device::flex());
        let generated = greedy(&model, &prompt, 5, &[]);
        prop_assert_eq!(generated.len(), 5);
        let request = Encoded { tokens: [prompt, generated].concat(), continuation: 5, cut: 0 };
        let scores = Engine::default().score(&model, &[request], |_| {}).unwrap();
        prop_assert!(scores[0].greedy);
    }
}

/// A question of several options, each written with letters, and an order of them.
fn options() -> impl Strategy<Value = (String, Vec<String>, Vec<usize>)> {
    let options = proptest::collection::hash_set("[a-i]{1,4}", 2..6).prop_map(|options| options.into_iter().collect());
    ("[a-i]{1,10}", options).prop_flat_map(|(question, options): (String, Vec<String>)| {
        let order: Vec<usize> = (0..options.len()).collect();
        (Just(question), Just(options), Just(order).prop_shuffle())
    })
}

/// A question as a task of one document; option `gold` is right.
fn asked(question: &str, options: &[String], gold: usize) -> Task {
    let keys = serde_json::json!({
        "task": "t", "doc_to_text": "q", "doc_to_choice": "options", "doc_to_target": "gold",
        "docs": [{ "q": question, "options": options, "gold": gold }],
    });
    Task::from_json("t", &keys).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_order_of_options_does_not_matter(
        (question, options, order) in options(), gold in 0usize..60, seed in 0u64..100, pass_tokens in 1usize..40,
    ) {
        let model = TinyLm::new(seed, &Device::flex());
        let engine = Engine { pass_tokens, ..Engine::default() };
        let letters = Letters { has_prefix: true };
        let gold = gold % options.len();
        let permuted: Vec<String> = order.iter().map(|&i| options[i].clone()).collect();
        let place = order.iter().position(|&i| i == gold).unwrap();
        let answer = |task: &Task| {
            let examples = task.examples(FEWSHOT_SEED, None).unwrap();
            let responses = engine.respond(&model, &letters, task, &examples, |_| {}).unwrap();
            let measured = task.measure(&examples, &responses, 10).unwrap();
            let sums: Vec<f64> = responses[0].iter().map(|response| match response {
                Response::LogLikelihood(score) => score.sum,
                other => panic!("{other:?}"),
            }).collect();
            (sums, measured.into_iter().map(|line| (line.metric, line.score.value)).collect::<Vec<_>>())
        };
        let (sums, measured) = answer(&asked(&question, &options, gold));
        let (permuted_sums, permuted_measured) = answer(&asked(&question, &permuted, place));
        for (sum, &i) in permuted_sums.iter().zip(&order) {
            prop_assert!((sum - sums[i]).abs() < 1e-4, "{}: {sum} not {}", options[i], sums[i]);
        }
        // Of options that are equally likely the first counts.
        let by_size = sums.iter().zip(&options).map(|(sum, option)| sum / option.len() as f64);
        let clear = |mut sums: Vec<f64>| {
            sums.sort_by(f64::total_cmp);
            sums[sums.len() - 1] - sums[sums.len() - 2] > 1e-3
        };
        if clear(by_size.collect()) && clear(sums) {
            prop_assert_eq!(measured.len(), 2);
            prop_assert_eq!(measured, permuted_measured);
        }
    }
}

/// What cuts text into letters, for any context length.
fn texts() -> impl Strategy<Value = (String, String)> {
    ("[a-i ]{0,30}[a-i]", "[a-i ]{0,8}[a-i]")
}

proptest! {
    #[test]
    fn what_is_too_long_loses_its_beginning_and_says_so((context, continuation) in texts(), limit in 12usize..40) {
        let letters = Letters { has_prefix: true };
        let whole = encode(&letters, &context, &continuation, 1000).unwrap();
        let cut = encode(&letters, &context, &continuation, limit).unwrap();
        prop_assert_eq!(whole.cut, 0);
        prop_assert_eq!(cut.continuation, whole.continuation);
        prop_assert_eq!(&whole.tokens[cut.cut..], &cut.tokens);
        prop_assert_eq!(cut.cut, whole.tokens.len().saturating_sub(limit + 1), "no more than is needed");
    }
}

#[test]
fn progress_ends_at_its_total_and_no_requests_are_no_scores() {
    let model = TinyLm::new(1, &Device::flex());
    let requests: Vec<_> = (0..3).map(|i| Encoded { tokens: vec![i, 4, 5, 6], continuation: 2, cut: 0 }).collect();
    let mut seen = Vec::new();
    Engine { pass_tokens: 3, head_rows: 1, ..Engine::default() }
        .score(&model, &requests, |progress| seen.push(progress))
        .unwrap();
    assert!(seen.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert_eq!(seen.last().map(|last| (last.done, last.total)), Some((9, 9)));
    assert!(Engine::default().score(&model, &[], |_| {}).unwrap().is_empty());
}

#[test]
fn a_token_of_another_model_is_an_error() {
    let model = TinyLm::new(1, &Device::flex());
    let request = Encoded { tokens: vec![1, VOCAB as u32], continuation: 1, cut: 0 };
    let error = Engine::default().score(&model, &[request], |_| {}).unwrap_err();
    assert!(matches!(error, EvalError::UnknownToken { request: 0, token: 11, vocab_size: 11 }), "{error}");
}

#[test]
fn continuations_begin_where_the_context_ends() {
    let letters = Letters { has_prefix: true };
    let encoded = |context, continuation, limit| encode(&letters, context, continuation, limit).unwrap();
    assert_eq!(encoded("ab", " c", 9), Encoded { tokens: vec![0, 1, 9, 2], continuation: 2, cut: 0 });
    // Spaces at the end of a context go to the continuation.
    assert_eq!(encoded("ab ", "c", 9), Encoded { tokens: vec![0, 1, 9, 2], continuation: 2, cut: 0 });
    // Nothing to read first: the prefix token, and the spaces are scored.
    assert_eq!(encoded("", "c", 9), Encoded { tokens: vec![10, 2], continuation: 1, cut: 0 });
    assert_eq!(encoded(" ", "c", 9), Encoded { tokens: vec![10, 9, 2], continuation: 2, cut: 0 });
    // The beginning of what is too long is cut off; the last token is not read, so one more fits.
    assert_eq!(encoded("abcd", "ef", 3), Encoded { tokens: vec![2, 3, 4, 5], continuation: 2, cut: 2 });
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    let none = Letters { has_prefix: false };
    assert!(matches!(encode(&none, "", "a", 9), Err(EvalError::Tokenizer(_))));
    assert!(matches!(encode(&none, "a", "?", 9), Err(EvalError::Tokenizer(_))));
    for context in ["", "a"] {
        let letters = Letters { has_prefix: true };
        assert!(matches!(encode(&letters, context, "", 9), Err(EvalError::NoTokens { .. })));
    }
    assert!(matches!(encode(&none, "a", "bcde", 3), Err(EvalError::TooLong { tokens: 4, context: 3 })));
}
