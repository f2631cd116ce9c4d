//! How much goes where.

mod common;

use burn::module::ParamGroup;
use common::{Rows, net};
use junkdna_backend::Seed;
use junkdna_prune::{Allocation, Grouping, Magnitude, Mask, NofM, Owl, PruneError, Pruner, Random, Scope, Sparsity};
use proptest::prelude::*;

fn layers() -> impl Strategy<Value = Vec<Rows>> {
    let layer = (1usize..40, 1usize..40, any::<u64>()).prop_map(|(d_out, d_in, seed)| Rows::noise(d_out, d_in, seed));
    proptest::collection::vec(layer, 1..6)
}

fn allocations() -> impl Strategy<Value = Allocation> {
    prop_oneof![
        Just(Allocation::Uniform),
        Just(Allocation::ErdosRenyi),
        (1.0..8.0f64, 0.0..0.5f64, any::<bool>()).prop_map(|(threshold, limit, block)| {
            let grouping = if block { Grouping::Block } else { Grouping::Matrix };
            Allocation::Owl(Owl::new(threshold, limit).unwrap().with_grouping(grouping))
        }),
        (0.0..0.99f64).prop_map(|s| {
            Allocation::ByPath(vec![(ParamGroup::from_path("layers.0.weight"), Sparsity::new(s).unwrap())])
        }),
    ]
}

fn pruner(allocation: Allocation, scope: Scope) -> Pruner {
    Pruner::new(Magnitude).with_scope(scope).with_allocation(allocation)
}

fn removed(mask: &Mask, layer: usize) -> usize {
    mask.get(&format!("layers.{layer}.weight")).unwrap().removed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn masks_of_a_family_are_nested(layers in layers(), allocation in allocations(), row: bool) {
        let sparsities: Vec<_> = (0..10).map(|i| Sparsity::new(f64::from(i) / 10.0).unwrap()).collect();
        let scope = if row { Scope::Row } else { Scope::Layer };
        let masks = pruner(allocation, scope).masks(&net(&layers), &sparsities).unwrap();
        for pair in masks.windows(2) {
            prop_assert!(pair[0].is_nested_in(&pair[1]).unwrap());
        }
    }

    #[test]
    fn the_total_is_met_to_one_weight_a_layer(layers in layers(), s in 0.0..0.99f64, owl: bool) {
        let allocation = if owl { Allocation::Owl(Owl::default()) } else { Allocation::ErdosRenyi };
        let mask = pruner(allocation, Scope::Layer).mask(&net(&layers), Sparsity::new(s).unwrap()).unwrap();
        let asked = s * layers.iter().map(|layer| layer.values.len()).sum::<usize>() as f64;
        let short = asked - mask.removed() as f64;
        prop_assert!((-1e-6..=layers.len() as f64 + 1e-6).contains(&short), "{} short of {}", short, asked);
    }

    #[test]
    fn outliers_move_a_layer_by_at_most_the_limit(layers in layers(), s in 0.2..0.8f64, limit in 0.0..0.2f64) {
        let owl = Owl::new(2.0, limit).unwrap().with_grouping(Grouping::Matrix);
        let mask = pruner(Allocation::Owl(owl), Scope::Layer).mask(&net(&layers), Sparsity::new(s).unwrap()).unwrap();
        for (i, layer) in layers.iter().enumerate() {
            let weights = layer.values.len() as f64;
            let own = removed(&mask, i) as f64;
            prop_assert!(own <= (s + limit) * weights + 1e-6 && own >= (s - limit) * weights - 1.0 - 1e-6);
        }
    }
}

#[test]
fn a_layer_with_outliers_keeps_more() {
    let mut spiked = Rows::noise(30, 30, 1);
    (0..40).for_each(|i| spiked.values[i * 22] = 100.0);
    let net = net(&[Rows::noise(30, 30, 2), spiked]);
    let half = Sparsity::new(0.5).unwrap();
    let mask = pruner(Allocation::Owl(Owl::default()), Scope::Layer).mask(&net, half).unwrap();
    // S ± λ: 0.58 and 0.42 of 900.
    assert_eq!((removed(&mask, 0), removed(&mask, 1)), (522, 378));
}

#[test]
fn erdos_renyi_takes_from_the_large() {
    let net = net(&[Rows::noise(4, 4, 1), Rows::noise(32, 32, 2)]);
    let mask = pruner(Allocation::ErdosRenyi, Scope::Layer).mask(&net, Sparsity::new(0.5).unwrap()).unwrap();
    assert_eq!((removed(&mask, 0), removed(&mask, 1)), (0, 520));
}

#[test]
fn the_first_rule_that_holds_counts() {
    let net = net(&[Rows::noise(10, 10, 1), Rows::noise(10, 10, 2), Rows::noise(10, 10, 3)]);
    let sparsity = |s| Sparsity::new(s).unwrap();
    let rules = vec![
        (ParamGroup::from_path("layers.1.weight"), sparsity(0.2)),
        (ParamGroup::from_any_regexes(vec![r"layers\.[01]\.".to_owned()]).unwrap(), sparsity(0.7)),
    ];
    let mask = pruner(Allocation::ByPath(rules), Scope::Layer).mask(&net, sparsity(0.5)).unwrap();
    let all: Vec<usize> = (0..3).map(|layer| removed(&mask, layer)).collect();
    assert_eq!(all, [70, 20, 50]);
}

#[test]
fn what_cannot_be_handed_out_is_an_error() {
    let net = net(&[Rows::noise(8, 8, 1)]);
    let half = Sparsity::new(0.5).unwrap();
    let refused = |pruner: Pruner| pruner.mask(&net, half).unwrap_err().to_string();
    let global = refused(pruner(Allocation::ErdosRenyi, Scope::Global));
    assert!(global.contains("use scope layer or row"), "{global}");
    let nowhere = vec![(ParamGroup::from_path("elsewhere"), half)];
    let nowhere = refused(pruner(Allocation::ByPath(nowhere), Scope::Layer));
    assert!(nowhere.contains("holds none of the selected weights"), "{nowhere}");
    let two_of_four = NofM::new(2, 4).unwrap();
    let pattern = pruner(Allocation::ErdosRenyi, Scope::Layer).mask(&net, two_of_four).unwrap_err();
    assert!(matches!(pattern, PruneError::InvalidAllocation { .. }), "{pattern}");
    assert!(Owl::new(0.0, 0.1).is_err() && Owl::new(5.0, 1.0).is_err());
    // Uniform goes with everything.
    assert!(Pruner::new(Random { seed: Seed(1) }).mask(&net, half).is_ok());
}
