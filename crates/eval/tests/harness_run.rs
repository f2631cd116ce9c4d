//! Tasks of every output type put to a small model: what comes out is what scoring by hand gives.

mod common;

use burn::tensor::Device;
use common::{Letters, TinyLm};
use junkdna_backend::{CausalLm, TokenCodec};
use junkdna_eval::metrics::{Response, Value};
use junkdna_eval::{
    Encoded, Engine, EvalError, FEWSHOT_SEED, Generation, Measured, Sampling, Task, encode, generate_until, greedy,
    rolling,
};
use proptest::prelude::*;
use serde_json::json;

const CODEC: Letters = Letters { has_prefix: true };
const DOCUMENTS: &str = "{\"q\": \"ab\", \"a\": \"cd\", \"g\": 1}\n{\"q\": \"ba\", \"a\": \"e\", \"g\": 0}\n\
                         {\"q\": \"cab\", \"a\": \"dig\", \"g\": 1}\n";

/// Runs a task with these keys over three documents of letters.
fn run(keys: &str) -> (Vec<Vec<Response>>, Vec<Measured>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    std::fs::write(folder.path().join("d.jsonl"), DOCUMENTS).unwrap();
    let head = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n";
    std::fs::write(&path, format!("{head}{keys}")).unwrap();
    let model = TinyLm::new(3, &Device::flex());
    let task = Task::load(&path).unwrap();
    let examples = task.examples(FEWSHOT_SEED, None).unwrap();
    let responses = Engine::default().respond(&model, &CODEC, &task, &examples, |_| {}).unwrap();
    let measured = task.measure(&examples, &responses, 1000).unwrap();
    (responses, measured)
}

fn sum(request: Encoded) -> f64 {
    Engine::default().score(&TinyLm::new(3, &Device::flex()), &[request], |_| {}).unwrap()[0].sum
}

fn pair(context: &str, continuation: &str) -> f64 {
    sum(encode(&CODEC, context, continuation, 32).unwrap())
}

fn line<'a>(measured: &'a [Measured], metric: &str) -> &'a Measured {
    measured.iter().find(|line| line.metric == metric).unwrap()
}

#[test]
fn choices_are_scored_with_and_without_context() {
    let keys = "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [c, dd]\ndoc_to_target: g\nmetric_list:\n\
                - metric: acc\n- metric: acc_norm\n- metric: acc_bytes\n- metric: acc_mutual_info\n\
                - metric: mcc\n- metric: f1\n- metric: brier_score\n- metric: exact_match\n";
    let (responses, measured) = run(keys);
    let documents = [("ab", 1), ("ba", 0), ("cab", 1)];
    let sums = documents.map(|(q, _)| [" c", " dd"].map(|choice| pair(q, choice)));
    let right = |doc: usize, better: &dyn Fn([f64; 2]) -> bool| {
        f64::from(u8::from(usize::from(better(sums[doc])) == documents[doc].1))
    };
    let mean = |better: &dyn Fn([f64; 2]) -> bool| (0..3).map(|doc| right(doc, better)).sum::<f64>() / 3.0;
    let alone = [" c", " dd"].map(|choice| pair("", choice));
    assert_eq!(responses.iter().map(Vec::len).collect::<Vec<_>>(), [4; 3]);
    let value = |metric| line(&measured, metric).score.value;
    assert_eq!(value("acc"), mean(&|[c, d]| d > c));
    assert_eq!(value("acc_norm"), mean(&|[c, d]| d / 2.0 > c));
    assert_eq!(value("acc_bytes"), value("acc_norm"));
    assert_eq!(value("acc_mutual_info"), mean(&|[c, d]| d - alone[1] > c - alone[0]));
    let brier = (0..3).map(|doc| {
        let p = 1.0 / (1.0 + (sums[doc][1 - documents[doc].1] - sums[doc][documents[doc].1]).exp());
        2.0 * (1.0 - p).powi(2)
    });
    assert!((value("brier_score") - brier.sum::<f64>() / 3.0).abs() < 1e-4);
    assert!(measured.iter().all(|line| line.values.len() == 3 && line.filter == "none"));
    assert!(line(&measured, "mcc").score.stderr.is_some() && line(&measured, "brier_score").score.stderr.is_none());
}

#[test]
fn continuations_and_whole_texts_are_scored() {
    let (_, measured) = run("output_type: loglikelihood\ndoc_to_text: q\ndoc_to_target: \" {{a}}\"\n");
    let sums = [("ab", " cd"), ("ba", " e"), ("cab", " dig")].map(|(q, a)| pair(q, a));
    let perplexity = (-sums.iter().sum::<f64>() / 3.0).exp();
    let got = line(&measured, "perplexity").score.value;
    assert!((got / perplexity - 1.0).abs() < 1e-4, "{got}, not {perplexity}");

    // Forty-two tokens: two windows of the model's 32.
    let (responses, measured) = run(
        "output_type: loglikelihood_rolling\ndoc_to_text: \"\"\ndoc_to_target: \"{{ (q ~ ' ' ~ a ~ ' ') * 7 }}\"\n",
    );
    let text = "ab cd ".repeat(7);
    let windows = rolling(&CODEC, &text, 32).unwrap();
    assert_eq!(windows.iter().map(|window| window.continuation).collect::<Vec<_>>(), [32, 10]);
    let expected: f64 = windows.into_iter().map(sum).sum();
    assert!(matches!(responses[0][..], [Response::Rolling(sum)] if (sum - expected).abs() < 1e-3));
    assert!(matches!(line(&measured, "byte_perplexity").values[0], Value::Weighted(_, 42.0)));
    assert!(matches!(line(&measured, "word_perplexity").values[0], Value::Weighted(_, 15.0)));
    let [bytes, bits] = ["byte_perplexity", "bits_per_byte"].map(|metric| line(&measured, metric).score.value);
    assert!((bytes.ln() / std::f64::consts::LN_2 - bits).abs() < 1e-9);
}

#[test]
fn answers_are_generated_filtered_and_compared() {
    let keys = "output_type: generate_until\ndoc_to_text: q\ndoc_to_target: a\n\
                generation_kwargs: {until: [], max_gen_toks: 6}\nfilter_list:\n\
                - {name: whole, filter: [{function: take_first}]}\n\
                - {name: last, filter: [{function: regex, regex_pattern: '[a-z]', group_select: -1}, {function: take_first}]}\n";
    let (responses, measured) = run(keys);
    let model = TinyLm::new(3, &Device::flex());
    for (response, prompt) in responses.iter().zip(["ab", "ba", "cab"]) {
        let tokens = greedy(&model, &CODEC.encode(prompt).unwrap(), 6, &[]);
        assert_eq!(response[..], [Response::Text(CODEC.decode(&tokens).unwrap())]);
    }
    assert_eq!(measured.iter().map(|line| line.filter.as_str()).collect::<Vec<_>>(), ["whole", "last"]);
}

/// A task with these `generation_kwargs` over one document.
fn generated(generation: serde_json::Value) -> Result<Task, EvalError> {
    let keys = json!({
        "task": "t", "output_type": "generate_until", "doc_to_text": "q", "doc_to_target": "a",
        "docs": [{ "q": "ab", "a": "cd" }], "generation_kwargs": generation,
    });
    Task::from_json("t", &keys)
}

// When lm-evaluation-harness 0.4.13 has Transformers draw: if `do_sample` says so, or says nothing beside a temperature; of how
// many tokens, if the task does not say, by `GenerationConfig._get_default_generation_params` of Transformers 5.24.
#[test]
fn answers_are_drawn_where_the_task_says_so() {
    let draws = |temperature, top_k, top_p, seed| Some(Sampling { temperature, top_k, top_p, seed });
    for (keys, sampling) in [
        (json!({}), None),
        (json!({ "do_sample": false, "temperature": 0.7 }), None),
        (json!({ "temperature": 0.0 }), None),
        (json!({ "temperature": 0.7 }), draws(0.7, Some(50), None, 0)),
        (json!({ "do_sample": true }), draws(1.0, Some(50), None, 0)),
        (
            json!({ "do_sample": true, "temperature": 2, "top_k": 5, "top_p": 0.9, "seed": 3 }),
            draws(2.0, Some(5), Some(0.9), 3),
        ),
        (json!({ "do_sample": true, "top_k": 0, "seed": 4 }), draws(1.0, None, None, 4)),
    ] {
        let mut given = keys.clone();
        (given["until"], given["max_gen_toks"]) = (json!([]), 9.into());
        let task = generated(given).unwrap();
        assert_eq!(task.generation.sampling, sampling, "{keys}");

        let model = TinyLm::new(3, &Device::flex());
        let examples = task.examples(FEWSHOT_SEED, None).unwrap();
        let responses = Engine::default().respond(&model, &CODEC, &task, &examples, |_| {}).unwrap();
        let expected = Generation { until: Vec::new(), max_tokens: 9, sampling };
        let expected = generate_until(&model, &CODEC, "ab", &expected).unwrap();
        assert_eq!(responses, [[Response::Text(expected)]], "{keys}");

        let measured = task.measure(&examples, &responses, 10).unwrap();
        let sample = task.samples(&examples, &responses, &measured).next().unwrap().unwrap();
        let said = &sample["arguments"]["gen_args_0"]["arg_1"];
        assert_eq!(said["do_sample"].as_bool(), sampling.map(|_| true), "{said}");
        assert_eq!(said["temperature"].as_f64(), sampling.map(|sampling| sampling.temperature), "{said}");
        assert_eq!(said["top_k"].as_u64(), sampling.and_then(|s| s.top_k).map(|top_k| top_k as u64), "{said}");
        assert_eq!(said["top_p"].as_f64(), sampling.and_then(|sampling| sampling.top_p), "{said}");
        assert_eq!(said["seed"].as_u64(), sampling.map(|sampling| sampling.seed), "{said}");
    }
}

#[test]
fn what_cannot_be_drawn_names_its_key() {
    for (keys, key) in [
        (json!({ "do_sample": "yes" }), "generation_kwargs.do_sample"),
        (json!({ "do_sample": true, "temperature": 0.0 }), "generation_kwargs.temperature"),
        (json!({ "do_sample": true, "top_p": 1.5 }), "generation_kwargs.top_p"),
        (json!({ "do_sample": true, "top_k": -1 }), "generation_kwargs.top_k"),
        (json!({ "typical_p": 0.5 }), "generation_kwargs.typical_p"),
    ] {
        let message = generated(keys).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn answers_end_before_the_stop_string(prompt in "[a-i]{0,40}", stop in "[a-i]{1,2}", seed in 0u64..40) {
        let model = TinyLm::new(seed, &Device::flex());
        let generation = |until: Vec<String>| Generation { until, max_tokens: 8, sampling: None };
        let free = generate_until(&model, &CODEC, &prompt, &generation(Vec::new())).unwrap();
        let stopped = generate_until(&model, &CODEC, &prompt, &generation(vec![stop.clone(), String::new()])).unwrap();
        prop_assert_eq!(stopped.as_str(), free.split(stop.as_str()).next().unwrap());
        prop_assert!(free.len() == 8 && model.context_length() == 32);
    }
}

#[test]
fn what_cannot_be_generated_is_an_error() {
    let model = TinyLm::new(3, &Device::flex());
    let generation = Generation { until: Vec::new(), max_tokens: 32, sampling: None };
    let error = generate_until(&model, &CODEC, "ab", &generation).unwrap_err().to_string();
    assert!(error.contains("32 tokens"), "{error}");
    assert!(rolling(&Letters { has_prefix: false }, "ab", 32).is_err() && rolling(&CODEC, "ab", 0).is_err());
    assert!(rolling(&CODEC, "", 32).unwrap().is_empty());
}
