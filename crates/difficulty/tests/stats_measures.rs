//! Clustered bootstrap, and the measures that are built on it.

use junkdna_difficulty::measure::{CurvePoint, DropCurve, irreparability, normalized_gap};
use junkdna_difficulty::stats::{Bootstrap, Run, clustered_bootstrap, paired_bootstrap};
use junkdna_difficulty::{ItemOutcome, Outcomes, StatsError};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// Two choices: an item's score is 1 when right and −1 when wrong.
fn outcomes(right: impl Fn(usize) -> bool, items: usize) -> Outcomes {
    let item = |i: usize| ItemOutcome { id: i.to_string(), correct: right(i), choices: 2 };
    Outcomes { variant: "v".to_owned(), items: (0..items).map(item).collect() }
}

fn run<'a>(dense: &'a Outcomes, compressed: &'a Outcomes) -> Run<'a> {
    Run { dense, compressed }
}

#[test]
fn one_seed_is_the_paired_bootstrap() {
    let (dense, pruned) = (outcomes(|_| true, 50), outcomes(|i| i % 3 > 0, 50));
    let bootstrap = Bootstrap::default();
    let one = clustered_bootstrap(&[run(&dense, &pruned)], &bootstrap).unwrap();
    assert_eq!(one, paired_bootstrap(&dense, &pruned, &bootstrap).unwrap());
}

#[test]
fn seeds_widen_the_interval_as_their_variance_says() {
    // Seeds lose 10 %, 20 %, … of disjoint items: the mean over seeds has a standard error of the seeds' own.
    let dense = outcomes(|_| true, 400);
    let seeds: Vec<Outcomes> = (1..=8).map(|k| outcomes(move |i| (i * 7 + 3) % 20 >= 2 * k, 400)).collect();
    let runs: Vec<Run> = seeds.iter().map(|seed| run(&dense, seed)).collect();
    let both = clustered_bootstrap(&runs, &Bootstrap::default()).unwrap().drop;
    // Drops 0.2 k; the bootstrap's variance of a mean of 8 divides by 8, not 7. Items add a little more.
    let mean: f64 = (1..=8).map(|k| 0.2 * f64::from(k)).sum::<f64>() / 8.0;
    let variance = (1..=8).map(|k| (0.2 * f64::from(k) - mean).powi(2)).sum::<f64>() / 8.0;
    close(both.value, mean, 1e-12);
    let half = 1.96 * (variance / 8.0).sqrt();
    let found = (both.high - both.low) / 2.0;
    assert!(found > half * 0.95 && found < half * 1.25, "{found} {half}");
}

/// Coverage of the nominal 95 % interval where seeds and items both vary, and of the one that forgets the seeds.
#[test]
fn clustered_intervals_cover_where_paired_ones_do_not() {
    let (studies, items, seeds) = (300, 100, 10);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (mut clustered, mut forgetful) = (0, 0);
    let truth = 0.6;
    for study in 0..studies {
        let dense = outcomes(|_| true, items);
        let items_frailty: Vec<f64> = (0..items).map(|_| rng.random_range(-0.2..0.2)).collect();
        let pruned: Vec<Outcomes> = (0..seeds)
            .map(|_| {
                let seed: f64 = rng.random_range(-0.1..0.1);
                let draws: Vec<f64> = (0..items).map(|_| rng.random()).collect();
                outcomes(|i| draws[i] >= 0.3 + seed + items_frailty[i], items)
            })
            .collect();
        let runs: Vec<Run> = pruned.iter().map(|pruned| run(&dense, pruned)).collect();
        let bootstrap = Bootstrap { resamples: 400, seed: study, ..Bootstrap::default() };
        let interval = clustered_bootstrap(&runs, &bootstrap).unwrap().drop;
        clustered += u32::from(interval.low <= truth && truth <= interval.high);
        // The same answers with the seeds as if they were fixed: only items are drawn.
        let value = interval.value;
        let se = item_error(&pruned, items);
        forgetful += u32::from((value - truth).abs() <= 1.96 * se);
    }
    let rate = |count: u32| f64::from(count) / f64::from(u32::try_from(studies).unwrap());
    // 95 % less four standard errors of 300 studies; ten seeds are few for a bootstrap, which divides by n.
    assert!(rate(clustered) >= 0.90, "{}", rate(clustered));
    assert!(rate(forgetful) < rate(clustered) - 0.05, "{} {}", rate(forgetful), rate(clustered));
}

/// Standard error of the mean drop over items, the seeds averaged.
fn item_error(pruned: &[Outcomes], items: usize) -> f64 {
    let lost = |i: usize| pruned.iter().filter(|seed| !seed.items[i].correct).count() as f64;
    let values: Vec<f64> = (0..items).map(|i| 2.0 * lost(i) / pruned.len() as f64).collect();
    let mean = values.iter().sum::<f64>() / items as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (items - 1) as f64;
    (variance / items as f64).sqrt()
}

#[test]
fn critical_sparsity_and_area_of_a_known_curve() {
    // Of 40 items all right, 0, 4 and 20 are lost: relative drops 0, 0.2 and 1.
    let dense = outcomes(|_| true, 40);
    let pruned = [0, 4, 20].map(|lost| outcomes(move |i| i >= lost, 40));
    let points: Vec<CurvePoint> = [0.25, 0.5, 0.75]
        .iter()
        .zip(&pruned)
        .map(|(&sparsity, pruned)| CurvePoint { sparsity, runs: vec![run(&dense, pruned)] })
        .collect();
    let curve = DropCurve::new(&points).unwrap();
    let at = |tolerance| curve.critical_sparsity(tolerance, &Bootstrap::default()).unwrap();
    close(at(0.1).sparsity.value, 0.375, 1e-12);
    close(at(0.6).sparsity.value, 0.625, 1e-12);
    let critical = at(0.1);
    assert!(critical.reached && critical.sparsity.low >= 0.25 && critical.sparsity.high <= 0.75);
    assert!(critical.sparsity.low < 0.375 && critical.sparsity.high > 0.375);
    let beyond = at(1.5);
    assert!(!beyond.reached);
    assert_eq!(beyond.sparsity.value, 0.75);
    // Trapezoids: (0 + 0.1 + 0.6) · 0.25 / 0.75.
    close(curve.area(&Bootstrap::default()).unwrap().value, 0.7 / 3.0, 1e-12);
}

#[test]
fn wrong_curves_are_named() {
    let (dense, pruned) = (outcomes(|_| true, 20), outcomes(|i| i > 5, 20));
    let point = |sparsity, seeds| CurvePoint { sparsity, runs: vec![run(&dense, &pruned); seeds] };
    assert!(matches!(DropCurve::new(&[]), Err(StatsError::Empty { .. })));
    assert!(matches!(DropCurve::new(&[point(0.5, 1), point(0.5, 1)]), Err(StatsError::Repeated { .. })));
    assert!(matches!(DropCurve::new(&[point(0.5, 1), point(0.6, 2)]), Err(StatsError::Ragged { .. })));
    assert!(matches!(DropCurve::new(&[point(0.0, 1)]), Err(StatsError::OutOfRange { .. })));
    let fewer = outcomes(|_| true, 19);
    let other = CurvePoint { sparsity: 0.9, runs: vec![run(&fewer, &fewer)] };
    assert!(matches!(DropCurve::new(&[point(0.5, 1), other]), Err(StatsError::NotPaired { id, .. }) if id == "19"));
    let guessing = outcomes(|i| i % 2 == 0, 20);
    let flat = CurvePoint { sparsity: 0.5, runs: vec![run(&guessing, &pruned)] };
    let curve = DropCurve::new(&[flat]).unwrap();
    assert!(matches!(curve.area(&Bootstrap::default()), Err(StatsError::NothingToLose { .. })));
}

#[test]
fn irreparability_is_what_is_left() {
    let dense = outcomes(|_| true, 60);
    let (pruned, retrained) = (outcomes(|i| i >= 20, 60), outcomes(|i| i >= 5, 60));
    let bootstrap = Bootstrap::default();
    let found = irreparability(&[run(&dense, &pruned)], &[run(&dense, &retrained)], &bootstrap).unwrap();
    let ratio = found.ratio.unwrap();
    close(ratio.value, 0.25, 1e-12);
    assert!(ratio.low > 0.0 && ratio.low < 0.25 && ratio.high > 0.25 && ratio.high < 0.7, "{ratio:?}");
    // One item of sixty is no loss to speak of.
    let scratched = outcomes(|i| i >= 1, 60);
    let found = irreparability(&[run(&dense, &scratched)], &[run(&dense, &scratched)], &bootstrap).unwrap();
    assert_eq!(found.ratio, None);
    let two = [run(&dense, &pruned); 2];
    assert!(matches!(irreparability(&two, &two[..1], &bootstrap), Err(StatsError::Ragged { .. })));
}

#[test]
fn gap_to_people() {
    let dense = outcomes(|i| i % 5 > 0, 100);
    let gap = normalized_gap(0.96, &dense, &Bootstrap::default()).unwrap();
    close(gap.value, (0.96 - 0.8) / 0.96, 1e-12);
    // Binomial standard error of the accuracy, in units of people's.
    close((gap.high - gap.low) / 2.0, 1.96 * (0.16_f64 / 100.0).sqrt() / 0.96, 0.012);
    assert!(normalized_gap(0.0, &dense, &Bootstrap::default()).is_err());
    assert!(normalized_gap(1.01, &dense, &Bootstrap::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn threads_and_orders_do_not_matter(
        answers in proptest::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 2..30),
        seed: u64,
    ) {
        let n = answers.len();
        let dense = outcomes(|i| answers[i].0, n);
        let seeds = [outcomes(|i| answers[i].1, n), outcomes(|i| answers[i].2, n)];
        let mut shuffled = seeds.clone();
        shuffled.iter_mut().for_each(|seed| seed.items.reverse());
        let bootstrap = Bootstrap { resamples: 100, seed, ..Bootstrap::default() };
        let interval = |seeds: &[Outcomes; 2]| {
            clustered_bootstrap(&seeds.each_ref().map(|seed| run(&dense, seed)), &bootstrap)
        };
        let found = interval(&seeds)?;
        prop_assert_eq!(&found, &interval(&shuffled)?);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert_eq!(&found, &pool.install(|| interval(&seeds))?);
        prop_assert!(found.drop.low <= found.drop.high);
    }

    #[test]
    fn more_tolerance_is_more_sparsity(
        lost in proptest::collection::vec(0_usize..30, 1..5),
        a in 0.0..1.5,
        b in 0.0..1.5,
    ) {
        let dense = outcomes(|_| true, 30);
        let pruned: Vec<Outcomes> = lost.iter().map(|&lost| outcomes(move |i| i >= lost, 30)).collect();
        let points: Vec<CurvePoint> = pruned
            .iter()
            .zip(1..)
            .map(|(pruned, at)| CurvePoint { sparsity: f64::from(at) / 10.0, runs: vec![run(&dense, pruned)] })
            .collect();
        let curve = DropCurve::new(&points)?;
        let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
        let (less, more) = (f64::min(a, b), f64::max(a, b));
        let (less, more) = (curve.critical_sparsity(less, &bootstrap)?, curve.critical_sparsity(more, &bootstrap)?);
        prop_assert!(less.sparsity.value <= more.sparsity.value + 1e-12);
        prop_assert!(less.reached || !more.reached);
    }
}
