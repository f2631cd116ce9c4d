//! What a mask is, by its definition; and that masks are sets and files. What holds for every score is in
//! `junkdna_prune::testing`, which `kit.rs` runs.

use junkdna_backend::{HostMatrix, Seed};
use junkdna_prune::testing::{Net, nets, scopes, sparsities};
use junkdna_prune::{Magnitude, Mask, Pruner, Random, Scope, Sparsity, Ties};
use proptest::prelude::*;

/// The definition, by sorting: who goes, in `[layer][flat]`.
fn by_sorting(layers: &[HostMatrix], scope: Scope, sparsity: Sparsity, ties: Ties) -> Vec<Vec<bool>> {
    let mut gone: Vec<Vec<bool>> = layers.iter().map(|l| vec![false; l.as_slice().len()]).collect();
    let places = |l: usize| (0..layers[l].as_slice().len()).map(move |i| (l, i));
    let competitions: Vec<Vec<(usize, usize)>> = match scope {
        Scope::Global => vec![(0..layers.len()).flat_map(places).collect()],
        Scope::Layer => (0..layers.len()).map(|l| places(l).collect()).collect(),
        Scope::Row => (0..layers.len())
            .flat_map(|l| places(l).collect::<Vec<_>>().chunks(layers[l].d_in()).map(<[_]>::to_vec).collect::<Vec<_>>())
            .collect(),
    };
    for mut places in competitions {
        let magnitude = |(l, i): (usize, usize)| layers[l].as_slice()[i].abs();
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

fn gone(mask: &Mask, layers: &[HostMatrix]) -> Vec<Vec<bool>> {
    let of = |(l, matrix): (usize, &HostMatrix)| {
        let (mask, d_in) = (mask.get(&Net::path(l)).unwrap(), matrix.d_in());
        (0..matrix.as_slice().len()).map(|i| !mask.keeps(i / d_in, i % d_in)).collect()
    };
    layers.iter().enumerate().map(of).collect()
}

/// Continuous weights; hardly any ties.
fn noise(d_out: usize, d_in: usize, seed: u64) -> HostMatrix {
    let values = (0..(d_out * d_in) as u64).map(|i| Seed(seed).draw(i) as f32 / u32::MAX as f32 - 0.5).collect();
    HostMatrix::new(values, d_out, d_in)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn selection_is_a_stable_sort(net in nets(), scope in scopes(), sparsity in sparsities(), all: bool) {
        let ties = if all { Ties::All } else { Ties::Exact };
        let mask = Pruner::new(Magnitude).with_scope(scope).with_ties(ties).mask(&net, sparsity).unwrap();
        let layers = net.matrices();
        prop_assert_eq!(gone(&mask, &layers), by_sorting(&layers, scope, sparsity, ties));
        prop_assert_eq!(mask.summary().iter().map(|l| l.removed).sum::<usize>(), mask.removed());
        prop_assert_eq!(mask.kept() + mask.removed(), mask.weights());
    }

    #[test]
    fn masks_are_sets(seeds: [u64; 2], by in [sparsities(), sparsities()].prop_map(Vec::from)) {
        let net = Net::new(&[noise(5, 13, 1), noise(2, 64, 2)]);
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
    fn files_give_back_the_mask(net in nets(), sparsity in sparsities()) {
        let mask = Pruner::new(Magnitude).mask(&net, sparsity).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mask.safetensors");
        mask.save(&file).unwrap();
        prop_assert_eq!(Mask::load(&file).unwrap(), mask);
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
