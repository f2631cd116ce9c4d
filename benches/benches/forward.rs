//! Forward passes of a model of SmolLM2's shape, logits of the last position only.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};
use junkdna_benches::smollm2;

fn forward(c: &mut Criterion) {
    let model = smollm2(30);
    let mut group = c.benchmark_group("forward");
    group.sample_size(10);
    for (batch, length) in [(1, 512), (8, 128)] {
        let mut tree = TokenTree::default();
        for sequence in 0..batch {
            let ids: Vec<u32> = (0..length).map(|i| (100 + (sequence * length + i) * 7919 % 49_000) as u32).collect();
            tree.push_root(&ids, 0);
        }
        group.throughput(Throughput::Elements((batch * length) as u64));
        group.bench_with_input(BenchmarkId::from_parameter(format!("{batch}x{length}")), &tree, |b, tree| {
            b.iter(|| {
                let (hidden, _) = model.forward(tree, &KeyValues::default());
                model.head(hidden.narrow(0, tree.len() - 1, 1)).into_data()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
