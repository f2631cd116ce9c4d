//! Round to nearest over one block of SmolLM2's shape.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use junkdna_backend::HostMatrix;
use junkdna_quant::{Granularity, RoundToNearest, Scheme};

fn quantize(c: &mut Criterion) {
    let weights = (0..1536 * 576u32).map(|i| (f64::from(i) * 0.618_033_988_75).fract() as f32 - 0.5).collect();
    let matrix = HostMatrix::new(weights, 1536, 576);
    let mut group = c.benchmark_group("round to nearest");
    group.throughput(Throughput::Elements(1536 * 576));
    for (bits, symmetric, granularity) in
        [(8, true, Granularity::Channel), (4, false, Granularity::Group(64)), (2, false, Granularity::Group(64))]
    {
        let scheme = Scheme::new(bits, symmetric, granularity).expect("a valid scheme");
        let round = RoundToNearest::new(scheme);
        group.bench_function(scheme.to_string(), |b| b.iter(|| round.round(&matrix).expect("finite weights")));
    }
    group.finish();
}

criterion_group!(benches, quantize);
criterion_main!(benches);
