//! Generating the built-in tasks, and the tests behind a verdict.

use criterion::{Criterion, criterion_group, criterion_main};
use junkdna_difficulty::stats::{Bootstrap, page_l, paired_bootstrap};
use junkdna_difficulty::suite::{SuiteConfig, generate};
use junkdna_difficulty::{ItemOutcome, Outcomes};

fn outcomes(one_in: usize) -> Outcomes {
    let item = |i: usize| ItemOutcome { id: i.to_string(), correct: !i.is_multiple_of(one_in), choices: 4 };
    Outcomes { variant: "v".into(), items: (0..500).map(item).collect() }
}

fn statistics(c: &mut Criterion) {
    let suite = SuiteConfig::default();
    c.bench_function("suite", |b| b.iter(|| generate(&suite).expect("a valid suite")));
    let (dense, compressed) = (outcomes(5), outcomes(3));
    c.bench_function("paired bootstrap, 500 items", |b| {
        b.iter(|| paired_bootstrap(&dense, &compressed, &Bootstrap::default()).expect("enough items"));
    });
    let blocks: Vec<Vec<f64>> = (0..40).map(|i| (0..5).map(|j| f64::from(i * j % 7)).collect()).collect();
    c.bench_function("Page's L, 40 blocks of 5", |b| b.iter(|| page_l(&blocks, 1000, 41).expect("enough blocks")));
}

criterion_group!(benches, statistics);
criterion_main!(benches);
