//! Methods that need no data, over one matrix of SmolLM2's shape.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use junkdna_backend::HostMatrix;
use junkdna_quant::{Codes, Granularity, Hqq, LeastError, RoundToNearest, Scheme, ZeroPoint};

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
    let four_bits = Scheme::new(4, false, Granularity::Group(64)).expect("a valid scheme");
    let least_error = RoundToNearest::new(four_bits).with_range(LeastError::default());
    group.bench_function("least error", |b| b.iter(|| least_error.round(&matrix).expect("finite weights")));
    let between = four_bits.with_zero_point(ZeroPoint::Real).expect("a valid scheme");
    let hqq = RoundToNearest::new(between).with_range(Hqq::default());
    group.bench_function("hqq", |b| b.iter(|| hqq.round(&matrix).expect("finite weights")));
    let nf4 = RoundToNearest::new(Scheme::of(Codes::Nf4, Granularity::Group(64)).expect("a valid scheme"));
    group.bench_function("nf4", |b| b.iter(|| nf4.round(&matrix).expect("finite weights")));
    group.finish();
}

criterion_group!(benches, quantize);
criterion_main!(benches);
