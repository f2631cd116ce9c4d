//! When how much goes, and that it stays gone.

use junkdna_backend::{HostMatrix, Seed};
use junkdna_prune::testing::{Net, nets, scopes, sparsities};
use junkdna_prune::{
    Magnitude, Mask, NofM, PruneError, Pruner, Ramp, Random, Schedule, Score, Sparsity, WeightRef, next_mask,
};
use proptest::prelude::*;
use std::ops::Range;

fn sparsity(value: f64) -> Sparsity {
    Sparsity::new(value).unwrap()
}

fn ramp(initial: f64, target: f64, steps: std::ops::RangeInclusive<usize>, frequency: usize) -> Ramp {
    Ramp::new(sparsity(initial), sparsity(target), steps, frequency).unwrap()
}

fn steps(schedule: Schedule) -> Vec<(usize, f64)> {
    schedule.steps().map(|(step, sparsity)| (step, sparsity.value())).collect()
}

#[test]
fn schedules_follow_their_formulas() {
    let close = |schedule, expected: &[(usize, f64)]| {
        let steps = steps(schedule);
        let close = |(a, b): (&(usize, f64), &(usize, f64))| a.0 == b.0 && (a.1 - b.1).abs() < 1e-12;
        assert!(steps.len() == expected.len() && steps.iter().zip(expected).all(close), "{steps:?}");
    };
    close(Schedule::OneShot { at: 7, target: sparsity(0.5) }, &[(7, 0.5)]);
    let quarters = ramp(0.0, 0.8, 100..=200, 25);
    close(Schedule::Iterative(quarters), &[(100, 0.0), (125, 0.2), (150, 0.4), (175, 0.6), (200, 0.8)]);
    close(Schedule::Cubic(quarters), &[(100, 0.0), (125, 0.4625), (150, 0.7), (175, 0.7875), (200, 0.8)]);
    // 1 − t = 0.6 and 0.2 at the steps 4 and 8, and the last step whatever the frequency.
    close(Schedule::Cubic(ramp(0.5, 0.9, 0..=10, 4)), &[(0, 0.5), (4, 0.8136), (8, 0.8968), (10, 0.9)]);
}

fn ramps() -> impl Strategy<Value = Ramp> {
    (sparsities(), sparsities(), 0usize..50, 1usize..2000, 1usize..300).prop_map(|(a, b, start, length, frequency)| {
        let (initial, target) = if a <= b { (a, b) } else { (b, a) };
        Ramp::new(initial, target, start..=start + length, frequency).unwrap()
    })
}

proptest! {
    #[test]
    fn ramps_start_and_end_exactly_and_never_fall(ramp in ramps(), cubic: bool) {
        let schedule = if cubic { Schedule::Cubic(ramp) } else { Schedule::Iterative(ramp) };
        let steps = steps(schedule);
        prop_assert_eq!(steps[0], (ramp.start(), ramp.initial().value()));
        prop_assert_eq!(steps[steps.len() - 1], (ramp.end(), ramp.target().value()));
        prop_assert!(steps.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{:?}", steps);
        for step in 0..ramp.end() + 100 {
            let wanted = (ramp.start()..=ramp.end()).contains(&step)
                && ((step - ramp.start()).is_multiple_of(ramp.frequency()) || step == ramp.end());
            prop_assert_eq!(schedule.sparsity(step).is_some(), wanted, "step {}", step);
        }
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    let refused = |a, b, steps, frequency, parts: &[&str]| {
        let message = Ramp::new(sparsity(a), sparsity(b), steps, frequency).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)) && !message.contains('\n'), "{message}");
    };
    refused(0.0, 0.5, 10..=10, 1, &["`start`", "10", "`end`"]);
    refused(0.0, 0.5, std::ops::RangeInclusive::new(11, 10), 1, &["`start`", "11"]);
    refused(0.0, 0.5, 0..=10, 0, &["`frequency`", "at least 1"]);
    refused(0.6, 0.5, 0..=10, 1, &["`initial`", "0.6", "0.5"]);
}

#[test]
fn schedules_stand_in_files() {
    let cubic = "kind = \"cubic\"\ninitial = 0.0\ntarget = 0.9\nstart = 10\nend = 100\nfrequency = 5\n";
    let schedule: Schedule = toml::from_str(cubic).unwrap();
    assert_eq!(schedule, Schedule::Cubic(ramp(0.0, 0.9, 10..=100, 5)));
    let one_shot = "kind = \"one-shot\"\nat = 3\ntarget = 0.5\n";
    for text in [cubic, &cubic.replace("cubic", "iterative"), one_shot] {
        let schedule: Schedule = toml::from_str(text).unwrap();
        assert_eq!(toml::to_string(&schedule).unwrap(), text);
    }
    for (from, to, why) in [
        ("frequency = 5", "frequency = 0", "frequency"),
        ("start = 10", "start = 100", "`start` is 100"),
        ("target = 0.9", "target = 1.0", "everything"),
        ("end = 100\n", "", "end"),
        ("end = 100", "end = 100\nends = 7", "ends"),
        ("cubic", "square", "square"),
    ] {
        let message = toml::from_str::<Schedule>(&cubic.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
    let message = toml::from_str::<Schedule>(&format!("{one_shot}step = 3\n")).unwrap_err().to_string();
    assert!(message.contains("step"), "{message}");
}

/// Survivors move, now and then to exactly zero; what is gone stays zero.
fn trained(net: &Net, mask: &Mask, seed: Seed) -> Net {
    let net = mask.apply(net.clone()).unwrap();
    let layer = |(layer, matrix): (usize, &HostMatrix)| {
        let seed = seed.derive(&Net::path(layer));
        let moved = |(i, &w): (usize, &f32)| match seed.draw(i as u64) % 8 {
            0 => 0.0,
            draw => w * draw as f32 / 4.0,
        };
        let values = matrix.as_slice().iter().enumerate().map(moved).map(|w| w.clamp(f32::MIN, f32::MAX)).collect();
        HostMatrix::new(values, matrix.d_out(), matrix.d_in())
    };
    mask.apply(Net::new(&net.matrices().iter().enumerate().map(layer).collect::<Vec<_>>())).unwrap()
}

/// Another order at every step, and the lowest score there is for half of the weights.
struct Moody(Seed);

impl Score for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        Random { seed: self.0 }.score(weight, range, scores)?;
        scores
            .iter_mut()
            .filter(|score| (**score as u32).is_multiple_of(2))
            .for_each(|score| *score = f32::NEG_INFINITY);
        Ok(())
    }
}

fn score(kind: usize, seed: Seed) -> Box<dyn Score> {
    match kind {
        0 => Box::new(Magnitude),
        1 => Box::new(Random { seed }),
        _ => Box::new(Moody(seed)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_gone_stays_gone_and_counts_stay_exact(
        net in nets(), scope in scopes(), kind in 0usize..3, seed: u64, ramp in ramps(),
    ) {
        let (mut net, mut mask) = (net, Mask::default());
        for (step, sparsity) in Schedule::Cubic(ramp).steps().take(6) {
            let seed = Seed(seed).derive(&step.to_string());
            let pruner = |score| Pruner::new(score).with_scope(scope);
            let next = next_mask(&mask, &net, sparsity, score(kind, seed), pruner).unwrap();
            let exact = Pruner::new(Magnitude).with_scope(scope).mask(&net, sparsity).unwrap().removed();
            prop_assert_eq!(next.removed(), exact);
            prop_assert!(mask.is_nested_in(&next).unwrap());
            net = trained(&net, &next, seed);
            mask = next;
        }
    }
}

#[test]
fn a_survivor_that_is_zero_does_not_bring_back_what_is_gone() {
    let net = |values: [f32; 4]| Net::new(&[HostMatrix::new(values.to_vec(), 1, 4)]);
    let quarter = sparsity(0.25);
    let mask = Pruner::new(Magnitude).mask(&net([5.0, 1.0, 3.0, 0.5]), quarter).unwrap();
    let later = net([0.0, 1.0, 3.0, 0.0]);
    assert_ne!(Pruner::new(Magnitude).mask(&later, quarter).unwrap(), mask, "by magnitude alone the first zero goes");
    assert_eq!(next_mask(&mask, &later, quarter, Magnitude, Pruner::new).unwrap(), mask);
    let half = next_mask(&mask, &later, sparsity(0.5), Magnitude, Pruner::new).unwrap();
    let keeps = [0, 1, 2, 3].map(|input| half.get("layers.0.weight").unwrap().keeps(0, input));
    assert_eq!(keeps, [false, true, true, false]);
}

#[test]
fn patterns_follow_one_another_too() {
    let net = Net::new(&[HostMatrix::new((1..=16).map(|i| i as f32).collect(), 2, 8)]);
    let [one, two] = [1, 2].map(|n| NofM::new(n, 4).unwrap());
    let mask = Pruner::new(Random { seed: Seed(1) }).mask(&net, one).unwrap();
    let next = next_mask(&mask, &net, two, Random { seed: Seed(2) }, Pruner::new).unwrap();
    assert!(mask.is_nested_in(&next).unwrap());
    assert_eq!(next.removed(), 8);
}

#[test]
fn less_than_what_is_gone_is_an_error() {
    let net = Net::new(&[HostMatrix::new((1..=16).map(|i| i as f32).collect(), 2, 8)]);
    let mask = Pruner::new(Magnitude).mask(&net, sparsity(0.5)).unwrap();
    let error = next_mask(&mask, &net, sparsity(0.25), Magnitude, Pruner::new).unwrap_err();
    assert!(matches!(&error, PruneError::ComesBack { path, count: 4 } if path == "layers.0.weight"), "{error}");
    let other = Net::new(&[HostMatrix::new(vec![1.0; 8], 1, 8)]);
    let error = next_mask(&mask, &other, sparsity(0.5), Magnitude, Pruner::new).unwrap_err();
    assert!(matches!(error, PruneError::ShapeMismatch { .. }), "{error}");
}
