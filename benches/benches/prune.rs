//! Masks of the 106 million block weights of a model of SmolLM2's shape.

use burn::module::ParamGroup;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use junkdna_backend::{Seed, Selection};
use junkdna_benches::smollm2;
use junkdna_prune::{Magnitude, NofM, Pruner, Random, Scope, Sparsity};

fn prune(c: &mut Criterion) {
    let model = smollm2(30);
    let blocks = || Selection::of(ParamGroup::from_predicate("layers."));
    let half = Sparsity::new(0.5).expect("in [0, 1)");
    let mut group = c.benchmark_group("prune");
    group.sample_size(10).throughput(Throughput::Elements(106_168_320));
    for scope in [Scope::Global, Scope::Layer, Scope::Row] {
        let pruner = Pruner::new(Magnitude).with_selection(blocks()).with_scope(scope);
        group.bench_function(format!("magnitude {scope}"), |b| b.iter(|| pruner.mask(&model, half).expect("a mask")));
    }
    let pruner = Pruner::new(Magnitude).with_selection(blocks());
    let two_of_four = NofM::new(2, 4).expect("N < M");
    group.bench_function("magnitude 2:4", |b| b.iter(|| pruner.mask(&model, two_of_four).expect("a mask")));
    let nine: Vec<_> = (1..10).map(|i| Sparsity::new(f64::from(i) / 10.0).expect("in [0, 1)")).collect();
    group.bench_function("magnitude, 9 sparsities at once", |b| {
        b.iter(|| pruner.masks(&model, &nine).expect("masks"));
    });
    let random = Pruner::new(Random { seed: Seed(41) }).with_selection(blocks());
    group.bench_function("random global", |b| b.iter(|| random.mask(&model, half).expect("a mask")));
    let mask = pruner.mask(&model, half).expect("a mask");
    group.bench_function("apply", |b| b.iter(|| mask.apply(model.clone()).expect("the same module")));
    group.finish();
}

criterion_group!(benches, prune);
criterion_main!(benches);
