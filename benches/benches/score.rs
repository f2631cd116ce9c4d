//! Log-likelihoods of multiple-choice questions, whose choices share the question and whose questions share a header.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use junkdna_benches::smollm2;
use junkdna_eval::{Encoded, Engine};

const QUESTIONS: u32 = 12;
const CHOICES: u32 = 4;

fn requests() -> Vec<Encoded> {
    let run = |length: u32, seed: u32| (0..length).map(move |i| 100 + (i * 7919 + seed * 104_729) % 49_000);
    let request = |question, choice| {
        let tokens = run(60, 0).chain(run(30, 1 + question)).chain(run(4, 100 + question * CHOICES + choice)).collect();
        Encoded { tokens, continuation: 4, cut: 0 }
    };
    (0..QUESTIONS).flat_map(|question| (0..CHOICES).map(move |choice| request(question, choice))).collect()
}

fn score(c: &mut Criterion) {
    let (model, requests) = (smollm2(30), requests());
    let mut group = c.benchmark_group("score");
    group.sample_size(10);
    group.throughput(Throughput::Elements(requests.len() as u64));
    group.bench_function("shared prefixes", |b| {
        b.iter(|| Engine::default().score(&model, &requests, |_| {}).expect("finite logits"));
    });
    group.bench_function("each alone", |b| {
        b.iter(|| {
            for request in &requests {
                let request = std::slice::from_ref(request);
                Engine::default().score(&model, request, |_| {}).expect("finite logits");
            }
        });
    });
    group.finish();
}

criterion_group!(benches, score);
criterion_main!(benches);
