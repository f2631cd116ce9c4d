//! Masks of the 106 million block weights of a model of SmolLM2's shape: scores, structures, allocations, regrowth.

use burn::module::ParamGroup;
use burn::tensor::{Tensor, TensorData};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use junkdna_backend::{HostMatrix, Seed, Selection, weights};
use junkdna_benches::smollm2;
use junkdna_model::Llama;
use junkdna_prune::{
    Allocation, Gradients, Grow, Largest, Magnitude, Movement, MovementSum, NofM, Owl, Pruner, Random, Regrow, Ria,
    Scope, Score, Sparsity, Target, Taylor, Wanda, WeightRef,
};
use rayon::prelude::*;
use std::collections::BTreeMap;

fn blocks() -> Selection {
    Selection::of(ParamGroup::from_predicate("layers."))
}

fn sparsity(share: f64) -> Sparsity {
    Sparsity::new(share).expect("in [0, 1)")
}

fn pruner(score: impl Score + 'static) -> Pruner {
    Pruner::new(score).with_selection(blocks())
}

/// The norm of each input, by path.
fn norms(model: &Llama) -> BTreeMap<String, Vec<f32>> {
    let norm = |i: usize| 1.0 + (i as f32).sin() / 2.0;
    weights(model, &blocks()).into_iter().map(|w| (w.path, (0..w.value.dims()[0]).map(norm).collect())).collect()
}

/// Some gradient of the weight's shape.
fn gradient(weight: &Tensor<2>) -> Option<Tensor<2>> {
    let [d_in, d_out] = weight.dims();
    let values: Vec<f32> = (0..d_in * d_out).map(|i| (i % 1009) as f32 / 1009.0 - 0.5).collect();
    Some(Tensor::<2>::from_data(TensorData::new(values, [d_out, d_in]), &weight.device()).transpose())
}

fn ria(model: &Llama) -> Ria {
    let matrices: Vec<_> =
        weights(model, &blocks()).into_iter().map(|w| (w.path, HostMatrix::from_weight(w.value))).collect();
    let weights = matrices.iter().map(|(path, matrix)| {
        let (d_out, d_in) = (matrix.d_out(), matrix.d_in());
        WeightRef { path, d_out, d_in, values: matrix.as_slice() }
    });
    Ria::new(weights, &norms(model), Ria::EXPONENT).expect("norms of every weight")
}

fn prune(c: &mut Criterion) {
    let model = smollm2(30);
    let half = sparsity(0.5);
    let mut group = c.benchmark_group("prune");
    group.sample_size(10).throughput(Throughput::Elements(106_168_320));

    let (mut gradients, mut movement) = (Gradients::of(blocks()), MovementSum::of(blocks()));
    gradients.add(&model, gradient).expect("gradients of its shapes");
    movement.add(&model, gradient).expect("gradients of its shapes");
    let scores: [(&str, Pruner); 7] = [
        ("magnitude", pruner(Magnitude)),
        ("largest", pruner(Largest)),
        ("random", pruner(Random { seed: Seed(41) })),
        ("taylor", pruner(Taylor { gradients })),
        ("movement", pruner(Movement { sum: movement })),
        ("wanda", pruner(Wanda::new(norms(&model)))),
        ("ria", pruner(ria(&model))),
    ];
    for (name, pruner) in scores {
        group.bench_function(format!("{name} global"), |b| b.iter(|| pruner.mask(&model, half).expect("a mask")));
    }
    for scope in [Scope::Layer, Scope::Row] {
        let pruner = pruner(Magnitude).with_scope(scope);
        group.bench_function(format!("magnitude {scope}"), |b| b.iter(|| pruner.mask(&model, half).expect("a mask")));
    }
    let two_of_four = Target::from(NofM::new(2, 4).expect("N < M"));
    let block = |shape: &str| format!("{shape}@0.5").parse().expect("a target");
    for (name, target) in [("2:4", two_of_four), ("4x4", block("4x4")), ("1x*", block("1x*")), ("*x1", block("*x1"))] {
        let pruner = pruner(Magnitude).with_scope(Scope::Layer);
        group.bench_function(format!("magnitude {name}"), |b| b.iter(|| pruner.mask(&model, target).expect("a mask")));
    }
    for (name, allocation) in [("erdos-renyi", Allocation::ErdosRenyi), ("owl", Allocation::Owl(Owl::default()))] {
        let pruner = pruner(Magnitude).with_scope(Scope::Layer).with_allocation(allocation);
        group.bench_function(format!("magnitude {name}"), |b| b.iter(|| pruner.mask(&model, half).expect("a mask")));
    }
    let nine: Vec<_> = (1..10).map(|i| sparsity(f64::from(i) / 10.0)).collect();
    let magnitude = pruner(Magnitude);
    group.bench_function("magnitude global, 9 sparsities at once", |b| {
        b.iter(|| magnitude.masks(&model, &nine).expect("masks"));
    });
    let mask = magnitude.mask(&model, half).expect("a mask");
    group.bench_function("apply", |b| b.iter(|| mask.apply(model.clone()).expect("the same module")));
    let pruned = mask.apply(model.clone()).expect("the same module");
    let regrow = Regrow::new(0.3, 100, 1000).expect("a share of the survivors");
    group.bench_function("regrow at random", |b| {
        b.iter(|| regrow.update(100, &pruned, &mask, Grow::Random(Seed(1))).expect("the same module"));
    });
    // What all of it is measured by: the weights read once.
    let matrices: Vec<_> = weights(&model, &blocks()).into_iter().map(|w| HostMatrix::from_weight(w.value)).collect();
    group.bench_function("the weights read once", |b| {
        b.iter(|| {
            let pieces = matrices.par_iter().flat_map(|matrix| matrix.as_slice().par_chunks(1 << 16));
            pieces.map(|piece| piece.iter().fold(0u32, |all, w| all | w.to_bits())).reduce(|| 0, |a, b| a | b)
        });
    });
    group.finish();
}

criterion_group!(benches, prune);
criterion_main!(benches);
