//! Masks that move while their layers' counts stay.

mod common;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use common::{Rows, net_on};
use junkdna_backend::{HostMatrix, Seed};
use junkdna_prune::testing::{Net, nets, scopes, sparsities, values};
use junkdna_prune::{
    GradientMagnitude, Grow, LayerMask, Magnitude, Mask, PruneError, Pruner, Random, Regrow, Score, Sparsity,
    WeightRef, rewire,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

#[test]
fn the_share_falls_by_a_cosine_to_the_end() {
    let regrow = Regrow::new(0.4, 25, 100).unwrap();
    let root = 0.5f64.sqrt();
    for (step, expected) in [(0, 0.4), (25, 0.2 + 0.2 * root), (50, 0.2), (75, 0.2 - 0.2 * root)] {
        let share = regrow.fraction(step).unwrap();
        assert!((share - expected).abs() < 1e-12, "{step}: {share}");
    }
    for step in [1, 24, 51, 100, 125, 10_000] {
        assert_eq!(regrow.fraction(step), None, "{step}");
    }
}

#[test]
fn settings_that_cannot_be_are_named() {
    for (fraction, frequency, end, field) in [
        (0.0, 1, 1, "fraction"),
        (1.0, 1, 1, "fraction"),
        (f64::NAN, 1, 1, "fraction"),
        (0.3, 0, 1, "frequency"),
        (0.3, 1, 0, "end"),
    ] {
        let message = Regrow::new(fraction, frequency, end).unwrap_err().to_string();
        assert!(message.contains(&format!("`{field}`")) && message.contains("must be"), "{message}");
    }
    let text = "fraction = 0.3\nfrequency = 100\nend = 7500\n";
    let regrow: Regrow = toml::from_str(text).unwrap();
    assert_eq!(regrow, Regrow::new(0.3, 100, 7500).unwrap());
    assert_eq!(toml::to_string(&regrow).unwrap(), text);
    for (from, to, why) in [("0.3", "3.0", "fraction"), ("end", "ends", "ends"), ("7500", "0", "`end`")] {
        let message = toml::from_str::<Regrow>(&text.replace(from, to)).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
}

/// Made-up gradients of a module, few enough different ones to tie.
fn gradients(net: &Net, pool: &[f32], seed: Seed) -> BTreeMap<String, HostMatrix> {
    let of = |(layer, matrix): (usize, HostMatrix)| {
        let path = Net::path(layer);
        let seed = seed.derive(&path);
        let value = |i| pool[seed.draw(i as u64) as usize % pool.len()];
        let values = (0..matrix.as_slice().len()).map(value).collect();
        (path, HostMatrix::new(values, matrix.d_out(), matrix.d_in()))
    };
    net.matrices().into_iter().enumerate().map(of).collect()
}

/// Algorithm 1 by sorting: which weights of a layer stay.
fn by_sorting(weight: &HostMatrix, layer: &LayerMask, gradient: &HostMatrix, fraction: f64) -> Vec<bool> {
    let mut stays: Vec<bool> = (0..layer.weights()).map(|i| layer.keeps(i / layer.d_in(), i % layer.d_in())).collect();
    let active: Vec<usize> = (0..stays.len()).filter(|&i| stays[i]).collect();
    let count = (active.len() as f64 * fraction).floor() as usize;
    let mut smallest_first = active;
    smallest_first.sort_by(|&a, &b| weight.as_slice()[a].abs().total_cmp(&weight.as_slice()[b].abs()));
    smallest_first[..count].iter().for_each(|&i| stays[i] = false);
    let mut largest_first: Vec<usize> = (0..stays.len()).filter(|&i| !stays[i]).collect();
    largest_first.sort_by(|&a, &b| gradient.as_slice()[b].abs().total_cmp(&gradient.as_slice()[a].abs()));
    largest_first[..count].iter().for_each(|&i| stays[i] = true);
    stays
}

fn stays(layer: &LayerMask) -> Vec<bool> {
    (0..layer.weights()).map(|i| layer.keeps(i / layer.d_in(), i % layer.d_in())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rigl_is_its_algorithm(
        net in nets(), scope in scopes(), sparsity in sparsities(), seed: u64, step in 0usize..40,
        fraction in 0.01f64..0.99, pool in prop::collection::vec(values(), 1..20),
    ) {
        let random = Pruner::new(Random { seed: Seed(seed) }).with_scope(scope);
        let (net, mask) = random.prune(net, sparsity).unwrap();
        let gradients = gradients(&net, &pool, Seed(seed));
        let score = GradientMagnitude::new(&mask, |path| gradients.get(path).cloned()).unwrap();
        let regrow = Regrow::new(fraction, 3, 35).unwrap();
        let after = regrow.update(step, &net, &mask, Grow::Largest(&score)).unwrap();
        let Some(fraction) = regrow.fraction(step) else {
            prop_assert_eq!(after, None);
            return Ok(());
        };
        let after = after.unwrap();
        prop_assert_eq!(after.layers().len(), mask.layers().len());
        for (layer, matrix) in net.matrices().iter().enumerate() {
            let path = Net::path(layer);
            let (old, new) = (mask.get(&path).unwrap(), after.get(&path).unwrap());
            prop_assert_eq!(old.removed(), new.removed());
            prop_assert_eq!(stays(new), by_sorting(matrix, old, &gradients[&path], fraction));
        }
    }

    #[test]
    fn set_drops_the_smallest_and_grows_at_random(
        net in nets(), sparsity in sparsities(), seed: u64, fraction in 0.01f64..0.99,
    ) {
        let (net, mask) = Pruner::new(Magnitude).prune(net, sparsity).unwrap();
        let regrow = Regrow::new(fraction, 1, 100).unwrap();
        let update = || regrow.update(0, &net, &mask, Grow::Random(Seed(seed))).unwrap().unwrap();
        let after = update();
        prop_assert_eq!(&update(), &after);
        for (layer, matrix) in net.matrices().iter().enumerate() {
            let (old, new) = (mask.get(&Net::path(layer)).unwrap(), after.get(&Net::path(layer)).unwrap());
            prop_assert_eq!(old.kept(), new.kept());
            let count = (old.kept() as f64 * fraction).floor() as usize;
            let moved = stays(old).iter().zip(stays(new)).filter(|(old, new)| **old && !new).count();
            prop_assert!(moved <= count.min(old.removed()));
            let mut survivors: Vec<usize> = (0..old.weights()).filter(|&i| stays(old)[i]).collect();
            survivors.sort_by(|&a, &b| matrix.as_slice()[a].abs().total_cmp(&matrix.as_slice()[b].abs()));
            prop_assert!(survivors[count..].iter().all(|&i| stays(new)[i]));
        }
    }

    #[test]
    fn rewiring_zeroes_what_was_dropped_and_what_was_grown(net in nets(), seeds: [u64; 2], by in sparsities()) {
        let [before, after] = seeds.map(|seed| Pruner::new(Random { seed: Seed(seed) }).mask(&net, by).unwrap());
        let rewired = rewire(net.clone(), &before, &after).unwrap();
        after.verify(&rewired).unwrap();
        for (layer, (old, new)) in net.matrices().iter().zip(rewired.matrices()).enumerate() {
            let path = Net::path(layer);
            let both = stays(before.get(&path).unwrap()).into_iter().zip(stays(after.get(&path).unwrap()));
            for ((old, new), (before, after)) in old.as_slice().iter().zip(new.as_slice()).zip(both) {
                prop_assert_eq!(new.to_bits(), if before && after { old.to_bits() } else { 0 });
            }
        }
    }
}

fn one_layer(values: [f32; 6], removed: usize) -> (Net, Mask) {
    let net = Net::new(&[HostMatrix::new(values.to_vec(), 2, 3)]);
    let mask = Mask::from_iter([(Net::path(0), LayerMask::from_fn(2, 3, |o, i| o * 3 + i >= removed))]);
    (net, mask)
}

/// As in the paper: i ∉ θ ∖ I_active.
#[test]
fn what_was_just_dropped_may_grow_again() {
    let (net, mask) = one_layer([0.0, 0.0, 1.0, 2.0, 3.0, 4.0], 2);
    let gradient = |values: [f32; 6]| HostMatrix::new(values.to_vec(), 2, 3);
    let half = Regrow::new(0.5, 1, 10).unwrap();
    let after = |values| {
        let score = GradientMagnitude::new(&mask, |_| Some(gradient(values))).unwrap();
        stays(half.update(0, &net, &mask, Grow::Largest(&score)).unwrap().unwrap().get(&Net::path(0)).unwrap())
    };
    // Weights 2 and 3 are dropped; 3 has the largest gradient of those that are not active then, of either sign, then 0.
    assert_eq!(after([-5.0, 1.0, 2.0, -9.0, 99.0, 99.0]), [true, false, false, true, true, true]);
    assert_eq!(after([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]), [true, true, false, false, true, true], "of ties the first");
}

/// Grows nothing if it can be helped.
struct Never;

impl Score for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    fn score(&self, _: &WeightRef<'_>, _: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        scores.fill(f32::NEG_INFINITY);
        Ok(())
    }
}

#[test]
fn counts_hold_even_if_nothing_wants_to_grow() {
    let net = Net::new(&[HostMatrix::new(vec![5.0, 4.0, 0.0, 0.0, 1.0, 2.0], 2, 3)]);
    let mask = Mask::of_zeros(&net, &Default::default()).unwrap();
    let half = Regrow::new(0.5, 1, 10).unwrap();
    let after = half.update(0, &net, &mask, Grow::Largest(&Never)).unwrap().unwrap();
    assert_eq!(stays(after.get(&Net::path(0)).unwrap()), [true, true, true, true, false, false]);
}

#[test]
fn random_growth_is_elsewhere_at_every_step() {
    let net = Net::new(&[HostMatrix::new((0..4000).map(|i| 1.0 + i as f32).collect(), 40, 100)]);
    let (net, mask) = Pruner::new(Magnitude).prune(net, Sparsity::new(0.9).unwrap()).unwrap();
    let regrow = Regrow::new(0.5, 1, 1000).unwrap();
    let grown = |step, seed| {
        let after = regrow.update(step, &net, &mask, Grow::Random(Seed(seed))).unwrap().unwrap();
        mask.difference(&after).unwrap()
    };
    let first = grown(1, 1);
    assert_eq!(first, grown(1, 1));
    for other in [grown(2, 1), grown(1, 2)] {
        // 200 of 3800 each: chance has a twentieth of them in common.
        assert!(first.overlap(&other).unwrap() < 0.1);
    }
}

#[test]
fn what_cannot_be_moved_is_named() {
    let regrow = Regrow::new(0.5, 1, 10).unwrap();
    let (net, mask) = one_layer([0.0, 0.0, 1.0, 2.0, 3.0, 4.0], 2);
    let with = |values: [f32; 6]| {
        let score = GradientMagnitude::new(&mask, |_| Some(HostMatrix::new(values.to_vec(), 2, 3))).unwrap();
        regrow.update(0, &net, &mask, Grow::Largest(&score))
    };
    // Of a survivor or not.
    for place in [1, 5] {
        let mut values = [1.0; 6];
        values[place] = f32::NAN;
        let message = with(values).unwrap_err().to_string();
        let at = format!("[{}, {}]", place / 3, place % 3);
        assert!(["gradient magnitude", "layers.0.weight", &at].iter().all(|part| message.contains(part)), "{message}");
    }
    let missing = GradientMagnitude::new(&mask, |_| None).unwrap_err();
    assert!(matches!(&missing, PruneError::NoScore { path, .. } if path == "layers.0.weight"), "{missing}");
    let shape = GradientMagnitude::new(&mask, |_| Some(HostMatrix::new(vec![0.0; 6], 3, 2))).unwrap_err();
    assert!(matches!(shape, PruneError::ShapeMismatch { expected: [2, 3], found: [3, 2], .. }), "{shape}");

    let (dense, _) = one_layer([7.0, 0.0, 1.0, 2.0, 3.0, 4.0], 2);
    let error = regrow.update(0, &dense, &mask, Grow::Random(Seed(1))).unwrap_err();
    assert!(matches!(error, PruneError::NotZero { output: 0, input: 0, .. }), "{error}");
    let elsewhere = Mask::from_iter([("elsewhere".to_string(), LayerMask::all_kept(2, 3))]);
    let error = regrow.update(0, &net, &elsewhere, Grow::Random(Seed(1))).unwrap_err();
    assert!(matches!(error, PruneError::MissingParameter { .. }), "{error}");
}

/// Two layers trained with Adam, whose momentum moves what an attached mask hides, while the mask moves.
#[test]
fn masks_move_during_training() {
    let device = Device::flex().autodiff();
    let layers = [Rows::noise(16, 8, 1), Rows::noise(4, 16, 2)];
    let net = net_on(&device, &layers);
    let mut optimizer = AdamConfig::new().init();
    let mut mask = Pruner::new(Magnitude).mask(&net, Sparsity::new(0.75).unwrap()).unwrap();
    let removed: Vec<usize> = mask.layers().values().map(LayerMask::removed).collect();
    let mut net = mask.attach(net).unwrap();
    let regrow = Regrow::new(0.3, 2, 8).unwrap();
    let loss = |net: &common::Net, step: usize| {
        let x = Tensor::<2>::full([1, 8], 1.0 + step as f32, &device);
        net.layers.iter().fold(x, |x, layer| layer.forward(x)).powf_scalar(2.0).sum()
    };
    let mut moves = 0;
    for step in 0..10 {
        if regrow.fraction(step).is_some() {
            let plain = net.clone().materialize();
            let gradients = loss(&plain, step).backward();
            let gradient = |path: &str| {
                let layer = if path == "layers.0.weight" { 0 } else { 1 };
                Some(HostMatrix::from_weight(plain.layers[layer].weight.val().grad(&gradients)?))
            };
            let score = GradientMagnitude::new(&mask, gradient).unwrap();
            let after = regrow.update(step, &net, &mask, Grow::Largest(&score)).unwrap().unwrap();
            moves += mask.difference(&after).unwrap().removed();
            net = rewire(net, &mask, &after).unwrap();
            mask.verify(&net).unwrap(); // what was grown is zero
            net = after.attach(net).unwrap();
            mask = after;
        }
        let gradients = GradientsParams::from_grads(loss(&net, step).backward(), &net);
        net = optimizer.step(0.01, net, gradients);
        mask.verify(&net).unwrap(); // whatever momentum did to the stored base
        assert_eq!(mask.layers().values().map(LayerMask::removed).collect::<Vec<_>>(), removed);
    }
    assert!(moves > 0, "nothing moved");
    // What was grown has begun to learn: no more zeros than the mask removes.
    assert_eq!(Mask::of_zeros(&net, &Default::default()).unwrap(), mask);
}
