//! Methods that go by what the weights multiply, over four blocks of SmolLM2's shape and 8 samples of 256 tokens.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use junkdna_backend::calibration::batches;
use junkdna_backend::{Selection, TokenTree};
use junkdna_benches::smollm2;
use junkdna_model::Llama;
use junkdna_prune::{ByNorms, Calibrated, Ria, SparseGpt, Sparsity, Target, Wanda};
use junkdna_quant::{Awq, Gptq, Granularity, Scheme, SmoothQuant};

const SAMPLES: usize = 8;
const LENGTH: usize = 256;

fn run(method: &impl Calibrated, model: &Llama, samples: &[TokenTree], target: Target) {
    let pruned = method.prune_blocks(model.clone(), samples, &Selection::default(), |_| target, |_| ());
    pruned.expect("finite weights");
}

fn calibrated(c: &mut Criterion) {
    let model = smollm2(4);
    let sample = |s: usize| (0..LENGTH).map(|i| (100 + (s * LENGTH + i) * 7919 % 49_000) as u32).collect();
    let samples = batches(&(0..SAMPLES).map(sample).collect::<Vec<_>>(), 1024);
    let half = Target::from(Sparsity::new(0.5).expect("in [0, 1)"));
    let mut group = c.benchmark_group("calibrated");
    group.sample_size(10).throughput(Throughput::Elements((SAMPLES * LENGTH) as u64));
    let two_of_four = "2:4".parse().expect("a target");
    group.bench_function("wanda", |b| b.iter(|| run(&ByNorms::<Wanda>::default(), &model, &samples, half)));
    group.bench_function("ria", |b| b.iter(|| run(&ByNorms::<Ria>::default(), &model, &samples, half)));
    group.bench_function("sparsegpt", |b| b.iter(|| run(&SparseGpt::default(), &model, &samples, half)));
    group.bench_function("sparsegpt 2:4", |b| b.iter(|| run(&SparseGpt::default(), &model, &samples, two_of_four)));
    let selection = Selection::default();
    let four_bits = Scheme::new(4, false, Granularity::Group(64)).expect("a valid scheme");
    let gptq = Gptq::new(four_bits);
    group.bench_function("gptq", |b| b.iter(|| gptq.quantize_blocks(model.clone(), &samples, &selection, |_| ())));
    let awq = Awq::new(four_bits);
    group.bench_function("awq", |b| b.iter(|| awq.quantize_blocks(model.clone(), &samples, &selection, |_| ())));
    let smooth = SmoothQuant::new(Scheme::new(8, true, Granularity::Channel).expect("a valid scheme"));
    group.bench_function("smoothquant", |b| {
        b.iter(|| smooth.quantize_blocks(model.clone(), &samples, &selection, |_| ()));
    });
    group.finish();
}

criterion_group!(benches, calibrated);
criterion_main!(benches);
