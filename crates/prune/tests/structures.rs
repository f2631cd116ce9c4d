//! Blocks: what holds for every shape, scope and sparsity.

mod common;

use common::{Rows, gone, net, path, sparsity};
use junkdna_backend::Seed;
use junkdna_prune::{
    BlockShape, Extent, LayerMask, Magnitude, Mask, PruneError, Pruner, Random, Scope, Score, Sparsity, Target, Ties,
    WeightRef,
};
use proptest::prelude::*;
use std::ops::Range;

/// Eighths, whose sums are exact in any order; few of them, so that means tie.
fn eighths(most: i32) -> impl Strategy<Value = f32> {
    (-most..=most).prop_map(|eighths| eighths as f32 / 8.0)
}

fn extent() -> impl Strategy<Value = Extent> {
    prop_oneof![(1usize..5).prop_map(Extent::Count), Just(Extent::All)]
}

/// A shape, and matrices that it divides.
fn shape_and_layers() -> impl Strategy<Value = (BlockShape, Vec<Rows>)> {
    let size = |extent, blocks| match extent {
        Extent::Count(count) => count * blocks,
        Extent::All => blocks,
    };
    (extent(), extent(), prop_oneof![Just(2), Just(8000)]).prop_flat_map(move |(outputs, inputs, most)| {
        let matrix = (1usize..6, 1usize..30).prop_flat_map(move |(down, across)| {
            let (d_out, d_in) = (size(outputs, down), size(inputs, across));
            let values = prop::collection::vec(eighths(most), d_out * d_in);
            values.prop_map(move |values| Rows::new(d_out, d_in, values))
        });
        (Just(BlockShape::new(outputs, inputs).unwrap()), prop::collection::vec(matrix, 1..4))
    })
}

fn any_sparsity() -> impl Strategy<Value = Sparsity> {
    prop_oneof![0.0..0.999f64, prop::sample::select(vec![0.0, 0.1, 0.3, 0.5, 0.9])].prop_map(sparsity)
}

fn scope() -> impl Strategy<Value = Scope> {
    prop::sample::select(vec![Scope::Global, Scope::Layer])
}

/// A block by its layer and the flat indices of its weights.
type Block = (usize, Vec<usize>);

/// All blocks of a layer, first those of the first outputs.
fn blocks(layer: usize, rows: &Rows, shape: BlockShape) -> Vec<Block> {
    let of = |extent, size| match extent {
        Extent::Count(count) => count,
        Extent::All => size,
    };
    let (height, width) = (of(shape.outputs(), rows.d_out), of(shape.inputs(), rows.d_in));
    let corners = (0..rows.d_out).step_by(height).flat_map(|o| (0..rows.d_in).step_by(width).map(move |i| (o, i)));
    let block = |(o, i): (usize, usize)| {
        let flat = (o..o + height).flat_map(|o| (i..i + width).map(move |i| o * rows.d_in + i));
        (layer, flat.collect())
    };
    corners.map(block).collect()
}

/// The definition, by sorting: who goes, in `[layer][flat]`, and how many blocks that are.
fn by_sorting(
    layers: &[Rows],
    shape: BlockShape,
    scope: Scope,
    sparsity: Sparsity,
    ties: Ties,
) -> (Vec<Vec<bool>>, usize) {
    let of_layer = |(l, rows): (usize, &Rows)| blocks(l, rows, shape);
    let competitions: Vec<Vec<Block>> = match scope {
        Scope::Global => vec![layers.iter().enumerate().flat_map(of_layer).collect()],
        _ => layers.iter().enumerate().map(of_layer).collect(),
    };
    let mean = |(l, flat): &Block| {
        let sum: f64 = flat.iter().map(|&i| f64::from(layers[*l].values[i].abs())).sum();
        (sum / flat.len() as f64) as f32
    };
    let mut gone: Vec<Vec<bool>> = layers.iter().map(|l| vec![false; l.values.len()]).collect();
    let mut removed = 0;
    for mut blocks in competitions {
        blocks.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        let count = sparsity.count(blocks.len());
        let border = mean(&blocks[count]);
        let goes = |(rank, block): &(usize, &Block)| match ties {
            Ties::Exact => *rank < count,
            Ties::All => count > 0 && mean(block) <= border,
        };
        for (_, (l, flat)) in blocks.iter().enumerate().filter(goes) {
            flat.iter().for_each(|&i| gone[*l][i] = true);
            removed += 1;
        }
    }
    (gone, removed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn blocks_go_as_defined((shape, layers) in shape_and_layers(), scope in scope(), sparsity in any_sparsity(), all: bool) {
        let ties = if all { Ties::All } else { Ties::Exact };
        let target = Target::Blocks { shape, sparsity };
        let mask = Pruner::new(Magnitude).with_scope(scope).with_ties(ties).mask(&net(&layers), target).unwrap();
        prop_assert_eq!(gone(&mask, &layers), by_sorting(&layers, shape, scope, sparsity, ties).0);
    }

    #[test]
    fn sparsity_counts_blocks((shape, layers) in shape_and_layers(), scope in scope(), sparsity in any_sparsity()) {
        let of_layers: Vec<usize> = layers.iter().map(|rows| blocks(0, rows, shape).len()).collect();
        let expected = match scope {
            Scope::Global => sparsity.count(of_layers.iter().sum()),
            _ => of_layers.iter().map(|&blocks| sparsity.count(blocks)).sum(),
        };
        let target = Target::Blocks { shape, sparsity };
        let mask = Pruner::new(Random { seed: Seed(3) }).with_scope(scope).mask(&net(&layers), target).unwrap();
        let gone = gone(&mask, &layers);
        let all = layers.iter().enumerate().flat_map(|(l, rows)| blocks(l, rows, shape));
        let shares: Vec<usize> = all
            .map(|(l, flat)| match flat.iter().filter(|&&i| gone[l][i]).count() {
                0 => 0,
                whole if whole == flat.len() => 1,
                _ => panic!("a block was torn"),
            })
            .collect();
        prop_assert_eq!(shares.iter().sum::<usize>(), expected);
    }

    #[test]
    fn block_masks_are_nested_and_cut_from_one_ranking(
        (shape, layers) in shape_and_layers(), scope in scope(), all: bool,
        mut by in prop::collection::vec(any_sparsity(), 1..5),
    ) {
        by.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let ties = if all { Ties::All } else { Ties::Exact };
        let (net, pruner) = (net(&layers), Pruner::new(Magnitude).with_scope(scope).with_ties(ties));
        let masks = pruner.block_masks(&net, shape, &by).unwrap();
        for (&sparsity, mask) in by.iter().zip(&masks) {
            prop_assert_eq!(mask, &pruner.mask(&net, Target::Blocks { shape, sparsity }).unwrap());
        }
        for pair in masks.windows(2) {
            prop_assert!(pair[0].is_nested_in(&pair[1]).unwrap());
        }
    }

    #[test]
    fn blocks_of_one_weight_are_weights(seed: u64, scope in scope(), by in any_sparsity(), all: bool) {
        let net = net(&[Rows::noise(7, 20, seed), Rows::noise(3, 65, seed ^ 1)]);
        let ties = if all { Ties::All } else { Ties::Exact };
        let pruner = Pruner::new(Magnitude).with_scope(scope).with_ties(ties);
        let one = Target::Blocks { shape: "1x1".parse().unwrap(), sparsity: by };
        prop_assert_eq!(pruner.mask(&net, one).unwrap(), pruner.mask(&net, by).unwrap());
    }

    #[test]
    fn targets_read_what_they_write((shape, _) in shape_and_layers(), sparsity in any_sparsity()) {
        let target = Target::Blocks { shape, sparsity };
        prop_assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
    }
}

fn blocks_of(text: &str) -> Target {
    text.parse().unwrap()
}

/// Larger than a thread's piece, so that the rows of a block and the words of a mask come in several.
#[test]
fn large_matrices_go_as_defined_for_any_number_of_threads() {
    let values = |n: usize| (0..n).map(|i| ((i * 7919 + i / 301 * 104_729) % 251) as f32 - 125.0).collect();
    let layers = [Rows::new(300, 301, values(90_300)), Rows::new(600, 140, values(84_000))];
    let net = net(&layers);
    for text in ["*x1@0.3", "1x*@0.7", "*x7@0.5", "60x7@0.4", "300x7@0.5", "4x1@0.25", "1x7@0.9"] {
        let Target::Blocks { shape, sparsity } = blocks_of(text) else { panic!("{text}") };
        for scope in [Scope::Global, Scope::Layer] {
            let mask = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| Pruner::new(Magnitude).with_scope(scope).mask(&net, blocks_of(text)).unwrap())
            };
            let one = mask(1);
            assert_eq!(
                gone(&one, &layers),
                by_sorting(&layers, shape, scope, sparsity, Ties::Exact).0,
                "{text} {scope}"
            );
            assert_eq!(mask(3), one, "{text} {scope}");
        }
    }
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    let net = net(&[Rows::noise(700, 333, 1), Rows::noise(64, 3003, 2)]);
    let masks = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mask = |text| Pruner::new(Magnitude).mask(&net, blocks_of(text)).unwrap();
        pool.install(|| ["*x1@0.5", "*x3@0.5", "*x*@0.5", "4x3@0.5"].map(mask))
    };
    assert_eq!(masks(1), masks(3));
}

#[test]
fn the_mean_and_not_the_sum_competes_across_layers() {
    let net = net(&[Rows::new(2, 2, vec![1.0; 4]), Rows::new(2, 100, vec![0.9; 200])]);
    let mask = Pruner::new(Magnitude).mask(&net, blocks_of("1x*@0.5")).unwrap();
    assert_eq!((mask.get(&path(0)).unwrap().removed(), mask.get(&path(1)).unwrap().removed()), (0, 200));
}

#[test]
fn channels_and_heads_go_whole() {
    let rows = Rows::new(4, 4, (0..16).map(|i| i as f32).collect());
    let net = net(std::slice::from_ref(&rows));
    let removed = |text: &str| {
        let mask = Pruner::new(Magnitude).mask(&net, blocks_of(text)).unwrap();
        gone(&mask, std::slice::from_ref(&rows)).remove(0)
    };
    let of = |goes: fn(usize, usize) -> bool| (0..16).map(|i| goes(i / 4, i % 4)).collect::<Vec<_>>();
    assert_eq!(removed("1x*@0.5"), of(|o, _| o < 2));
    assert_eq!(removed("*x1@0.25"), of(|_, i| i < 1));
    assert_eq!(removed("2x*@0.5"), of(|o, _| o < 2));
    assert_eq!(removed("*x2@0.5"), of(|_, i| i < 2));
    assert_eq!(removed("2x2@0.75"), of(|o, i| o < 2 || i < 2));
}

#[test]
fn blocks_that_do_not_fit_are_named() {
    let net = net(&[Rows::noise(8, 8, 1), Rows::noise(6, 8, 1)]);
    for scope in [Scope::Global, Scope::Layer] {
        let error = Pruner::new(Magnitude).with_scope(scope).mask(&net, blocks_of("4x4@0.5")).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, PruneError::IndivisibleBlocks { .. }), "{message}");
        let parts = ["layers.1.weight", "4x4", "6 outputs", "8 inputs"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    let message =
        Pruner::new(Magnitude).with_scope(Scope::Row).mask(&net, blocks_of("1x*@0.5")).unwrap_err().to_string();
    assert!(message.contains("1x*") && message.contains("row") && message.contains("global or layer"), "{message}");
}

#[test]
fn broken_weights_in_blocks_are_named() {
    let mut broken = Rows::noise(300, 300, 1);
    broken.values[250 * 300 + 7] = f32::NAN;
    broken.values[299 * 300] = f32::INFINITY;
    let net = net(&[Rows::noise(4, 4, 1), broken]);
    for text in ["4x4@0.5", "1x*@0.5", "*x1@0.5"] {
        let message = Pruner::new(Magnitude).mask(&net, blocks_of(text)).unwrap_err().to_string();
        assert!(message.contains("layers.1.weight") && message.contains("[250, 7]"), "{text}: {message}");
    }
}

/// What each weight is worth, with infinities, which weights cannot be.
struct Given(Vec<f32>);

impl Score for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn score(&self, _: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        scores.copy_from_slice(&self.0[range]);
        Ok(())
    }
}

#[test]
fn infinite_scores_rank_and_two_of_them_do_not() {
    let (up, down) = (f32::INFINITY, f32::NEG_INFINITY);
    let net = net(&[Rows::noise(1, 8, 1)]);
    let mask = |scores: [f32; 8], text| Pruner::new(Given(scores.to_vec())).mask(&net, blocks_of(text));
    let whole = |blocks: [bool; 4]| {
        let layer = LayerMask::from_fn(1, 8, |_, i| !blocks[i / 2]);
        Mask::from_iter([(path(0), layer)])
    };
    let scores = [up, -9.0, 3.0, 3.0, down, 7.0, 2.0, 2.0];
    assert_eq!(mask(scores, "1x2@0.25").unwrap(), whole([false, false, true, false]));
    assert_eq!(mask(scores, "1x2@0.75").unwrap(), whole([false, true, true, true]));
    let message = mask([0.0, 0.0, up, down, 0.0, 0.0, 0.0, 0.0], "1x2@0.5").unwrap_err().to_string();
    assert!(["given", "layers.0.weight", "[0, 2]"].iter().all(|part| message.contains(part)), "{message}");
}
