//! What holds for every module, score, scope and target.

mod common;

use common::{Net, Rows, bits, net, rows};
use junkdna_backend::Seed;
use junkdna_prune::{LayerMask, Magnitude, Mask, NofM, Pruner, Random, Scope, Sparsity, Target, Ties};
use proptest::prelude::*;

/// Few different values: ties everywhere, zeros of both signs among them.
fn tied() -> impl Strategy<Value = f32> {
    prop::sample::select(vec![0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0])
}

fn any_value() -> impl Strategy<Value = f32> {
    prop_oneof![tied(), -1e3f32..1e3, Just(f32::MAX), Just(1e-45)]
}

fn matrix(value: impl Strategy<Value = f32> + Clone) -> impl Strategy<Value = Rows> {
    (1usize..9, 1usize..40).prop_flat_map(move |(d_out, d_in)| {
        prop::collection::vec(value.clone(), d_out * d_in).prop_map(move |v| Rows::new(d_out, d_in, v))
    })
}

fn layers() -> impl Strategy<Value = Vec<Rows>> {
    let value = any_value().boxed();
    prop::collection::vec(prop_oneof![matrix(value), matrix(tied().boxed())], 1..4)
}

fn sparsity() -> impl Strategy<Value = Sparsity> {
    prop_oneof![0.0..0.999f64, prop::sample::select(vec![0.0, 0.1, 0.3, 0.5, 0.9])]
        .prop_map(|s| Sparsity::new(s).unwrap())
}

fn scope() -> impl Strategy<Value = Scope> {
    prop::sample::select(vec![Scope::Global, Scope::Layer, Scope::Row])
}

fn pruner(scope: Scope, random: bool) -> Pruner {
    let pruner = if random { Pruner::new(Random { seed: Seed(7) }) } else { Pruner::new(Magnitude) };
    pruner.with_scope(scope)
}

fn path(layer: usize) -> String {
    format!("layers.{layer}.weight")
}

fn layer(mask: &Mask, index: usize) -> &LayerMask {
    mask.get(&path(index)).unwrap()
}

/// The definition, by sorting: who goes, in `[layer][flat]`.
fn by_sorting(layers: &[Rows], scope: Scope, sparsity: Sparsity, ties: Ties) -> Vec<Vec<bool>> {
    let mut gone: Vec<Vec<bool>> = layers.iter().map(|l| vec![false; l.values.len()]).collect();
    let places = |l: usize| (0..layers[l].values.len()).map(move |i| (l, i));
    let competitions: Vec<Vec<(usize, usize)>> = match scope {
        Scope::Global => vec![(0..layers.len()).flat_map(places).collect()],
        Scope::Layer => (0..layers.len()).map(|l| places(l).collect()).collect(),
        Scope::Row => (0..layers.len())
            .flat_map(|l| places(l).collect::<Vec<_>>().chunks(layers[l].d_in).map(<[_]>::to_vec).collect::<Vec<_>>())
            .collect(),
    };
    for mut places in competitions {
        let magnitude = |(l, i): (usize, usize)| layers[l].values[i].abs();
        places.sort_by(|&a, &b| magnitude(a).total_cmp(&magnitude(b)));
        let count = sparsity.count(places.len());
        let border = magnitude(places[count]);
        let goes = |rank: usize, place| match ties {
            Ties::Exact => rank < count,
            Ties::All => count > 0 && magnitude(place) <= border,
        };
        for (rank, &(l, i)) in places.iter().enumerate() {
            gone[l][i] = goes(rank, (l, i));
        }
    }
    gone
}

fn gone(mask: &Mask, layers: &[Rows]) -> Vec<Vec<bool>> {
    let of = |(l, rows): (usize, &Rows)| {
        let mask = layer(mask, l);
        (0..rows.values.len()).map(|i| !mask.keeps(i / rows.d_in, i % rows.d_in)).collect()
    };
    layers.iter().enumerate().map(of).collect()
}

fn survivors_are_bit_identical(before: &Net, after: &Net, mask: &Mask) {
    let (before, after) = (bits(before), bits(after));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, old) in &before {
        for (i, (old, new)) in old.iter().zip(&after[path]).enumerate() {
            let kept = mask.get(path).is_none_or(|m| m.keeps(i / m.d_in(), i % m.d_in()));
            assert_eq!(*new, if kept { *old } else { 0 }, "{path} {i}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn selection_is_a_stable_sort(layers in layers(), scope in scope(), sparsity in sparsity(), all: bool) {
        let ties = if all { Ties::All } else { Ties::Exact };
        let mask = pruner(scope, false).with_ties(ties).mask(&net(&layers), sparsity).unwrap();
        prop_assert_eq!(gone(&mask, &layers), by_sorting(&layers, scope, sparsity, ties));
    }

    #[test]
    fn counts_are_exact(layers in layers(), scope in scope(), sparsity in sparsity(), random: bool) {
        let mask = pruner(scope, random).mask(&net(&layers), sparsity).unwrap();
        let total: usize = layers.iter().map(|l| l.values.len()).sum();
        let expected: usize = match scope {
            Scope::Global => sparsity.count(total),
            Scope::Layer => layers.iter().map(|l| sparsity.count(l.values.len())).sum(),
            Scope::Row => layers.iter().map(|l| l.d_out * sparsity.count(l.d_in)).sum(),
        };
        prop_assert_eq!(mask.removed(), expected);
        prop_assert_eq!(mask.kept() + mask.removed(), total);
        prop_assert_eq!(mask.summary().iter().map(|l| l.removed).sum::<usize>(), expected);
    }

    #[test]
    fn pruning_zeroes_and_touches_nothing_else(layers in layers(), scope in scope(), sparsity in sparsity()) {
        let before = net(&layers);
        let (after, mask) = pruner(scope, false).prune(before.clone(), sparsity).unwrap();
        survivors_are_bit_identical(&before, &after, &mask);
        mask.verify(&after).unwrap();
        let zeros = Mask::of_zeros(&after, &Default::default()).unwrap();
        prop_assert!(mask.is_nested_in(&zeros).unwrap());
    }

    #[test]
    fn pruning_twice_is_pruning_once(layers in layers(), scope in scope(), sparsity in sparsity()) {
        let (once, mask) = pruner(scope, false).prune(net(&layers), sparsity).unwrap();
        let (twice, _) = pruner(scope, false).prune(once.clone(), sparsity).unwrap();
        prop_assert_eq!(bits(&mask.apply(once.clone()).unwrap()), bits(&once));
        // Zeros of either sign tie with what was removed, so the second mask may be another one, of values that are zero
        // already.
        let values = |net: &Net| rows(net).into_iter().flat_map(|r| r.values).collect::<Vec<_>>();
        prop_assert_eq!(values(&twice), values(&once));
    }

    #[test]
    fn masks_are_nested_and_cut_from_one_ranking(
        layers in layers(), scope in scope(), random: bool, mut by in prop::collection::vec(sparsity(), 1..5),
    ) {
        let (net, pruner) = (net(&layers), pruner(scope, random));
        let together = pruner.masks(&net, &by).unwrap();
        for (&sparsity, mask) in by.iter().zip(&together) {
            prop_assert_eq!(mask, &pruner.mask(&net, sparsity).unwrap());
        }
        by.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let sorted = pruner.masks(&net, &by).unwrap();
        for pair in sorted.windows(2) {
            prop_assert!(pair[0].is_nested_in(&pair[1]).unwrap());
        }
    }

    #[test]
    fn scaling_by_a_power_of_two_changes_no_mask(seed: u64, scope in scope(), sparsity in sparsity(), power in -20i32..20) {
        let layers = [Rows::noise(7, 20, seed), Rows::noise(3, 12, seed ^ 1)];
        let scale = 2f32.powi(power);
        let scaled = layers.clone().map(|l| Rows { values: l.values.iter().map(|v| v * scale).collect(), ..l });
        for target in [Target::from(sparsity), NofM::new(2, 4).unwrap().into()] {
            let mask = |l: &[Rows]| pruner(scope, false).mask(&net(l), target).unwrap();
            prop_assert_eq!(mask(&layers), mask(&scaled));
        }
    }

    #[test]
    fn permuting_outputs_permutes_the_mask(seed: u64, scope in scope(), sparsity in sparsity()) {
        let original = Rows::noise(9, 16, seed);
        prop_assume!({
            let mut sorted: Vec<_> = original.values.iter().map(|v| v.abs().to_bits()).collect();
            sorted.sort_unstable();
            sorted.windows(2).all(|w| w[0] != w[1])
        });
        let rotated = (0..9).flat_map(|o| original.values[(o + 4) % 9 * 16..][..16].to_vec()).collect();
        let rotated = Rows::new(9, 16, rotated);
        for target in [Target::from(sparsity), NofM::new(1, 8).unwrap().into()] {
            let mask = |rows: &Rows| pruner(scope, false).mask(&net(std::slice::from_ref(rows)), target).unwrap();
            let (a, b) = (mask(&original), mask(&rotated));
            for (o, i) in (0..9).flat_map(|o| (0..16).map(move |i| (o, i))) {
                prop_assert_eq!(layer(&b, 0).keeps(o, i), layer(&a, 0).keeps((o + 4) % 9, i));
            }
        }
    }

    #[test]
    fn one_layer_is_the_whole_module(rows in matrix(any_value().boxed()), sparsity in sparsity()) {
        let net = net(&[rows]);
        let mask = |scope| pruner(scope, false).mask(&net, sparsity).unwrap();
        prop_assert_eq!(mask(Scope::Global), mask(Scope::Layer));
    }

    #[test]
    fn n_of_m_holds_in_every_group(
        groups in 1usize..9, d_out in 1usize..6, (n, m) in (2usize..40).prop_flat_map(|m| (1..m, Just(m))),
        values in prop::collection::vec(any_value(), 39 * 8 * 5),
    ) {
        let rows = Rows::new(d_out, groups * m, values[..d_out * groups * m].to_vec());
        let mask = pruner(Scope::Global, false).mask(&net(std::slice::from_ref(&rows)), NofM::new(n, m).unwrap()).unwrap();
        let gone = gone(&mask, std::slice::from_ref(&rows)).remove(0);
        for (gone, values) in gone.chunks(m).zip(rows.values.chunks(m)) {
            let mut order: Vec<usize> = (0..m).collect();
            order.sort_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()));
            prop_assert_eq!(gone.iter().filter(|g| **g).count(), n);
            prop_assert!(order[..n].iter().all(|&i| gone[i]));
        }
    }

    #[test]
    fn masks_are_sets(seeds: [u64; 2], by in [sparsity(), sparsity()].prop_map(Vec::from)) {
        let net = net(&[Rows::noise(5, 13, 1), Rows::noise(2, 64, 2)]);
        let mask = |i: usize| Pruner::new(Random { seed: Seed(seeds[i]) }).mask(&net, by[i]).unwrap();
        let (a, b) = (mask(0), mask(1));
        let (either, both) = (a.union(&b).unwrap(), a.intersection(&b).unwrap());
        prop_assert_eq!(either.removed() + both.removed(), a.removed() + b.removed());
        prop_assert_eq!(a.difference(&b).unwrap().removed(), a.removed() - both.removed());
        prop_assert!(both.is_nested_in(&a).unwrap() && a.is_nested_in(&either).unwrap());
        prop_assert_eq!(a.overlap(&b).unwrap(), b.overlap(&a).unwrap());
        prop_assert_eq!(a.overlap(&a).unwrap(), 1.0);
        prop_assert_eq!(a.union(&Mask::default()).unwrap(), a);
    }

    #[test]
    fn files_give_back_the_mask(layers in layers(), sparsity in sparsity()) {
        let mask = Pruner::new(Magnitude).mask(&net(&layers), sparsity).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mask.safetensors");
        mask.save(&file).unwrap();
        prop_assert_eq!(Mask::load(&file).unwrap(), mask);
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
