//! Modules, sparsities and the like, at random.

use super::Net;
use crate::{Allocation, NofM, Owl, Scope, Sparsity};
use burn::module::ParamGroup;
use junkdna_backend::HostMatrix;
use proptest::prelude::*;
use proptest::sample::select;

/// Weights of all kinds, finite: few different ones, so that many tie, zeros of both signs among them; continuous ones; and
/// the largest and smallest there are.
pub fn values() -> impl Strategy<Value = f32> + Clone {
    prop_oneof![
        4 => tied(),
        4 => -1e3f32..1e3,
        1 => select(vec![f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45]),
    ]
}

/// Few different values: ties everywhere, zeros of both signs among them.
fn tied() -> impl Strategy<Value = f32> + Clone {
    select(vec![0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0])
}

/// Weight matrices of odd shapes: one row, one column, a single weight, rows that end inside a word of a mask.
pub fn matrices() -> impl Strategy<Value = HostMatrix> {
    let shapes = prop_oneof![
        4 => (1usize..9, 1usize..40),
        1 => (Just(1), 1usize..150),
        1 => (1usize..150, Just(1)),
    ];
    let of_shape = |(d_out, d_in)| prop_oneof![filled(d_out, d_in, tied()), filled(d_out, d_in, values())];
    shapes.prop_flat_map(of_shape)
}

fn filled(d_out: usize, d_in: usize, value: impl Strategy<Value = f32>) -> impl Strategy<Value = HostMatrix> {
    prop::collection::vec(value, d_out * d_in).prop_map(move |values| HostMatrix::new(values, d_out, d_in))
}

/// Modules of one to three such matrices.
pub fn nets() -> impl Strategy<Value = Net> {
    prop::collection::vec(matrices(), 1..4).prop_map(|layers| Net::new(&layers))
}

/// Modules in which no weight is zero and no two have the same magnitude, between 0 and 1. A 2:4 pattern fits half of
/// them.
pub fn distinct_nets() -> impl Strategy<Value = Net> {
    let shapes =
        select(vec![1, 4]).prop_flat_map(|unit| prop::collection::vec((1usize..9, (1usize..9, Just(unit))), 1..4));
    shapes.prop_flat_map(|shapes| {
        let shapes: Vec<_> = shapes.into_iter().map(|(d_out, (units, unit))| (d_out, units * unit)).collect();
        let weights: usize = shapes.iter().map(|(d_out, d_in)| d_out * d_in).sum();
        let ranks = Just((1..=weights).collect::<Vec<_>>()).prop_shuffle();
        let signs = prop::collection::vec(any::<bool>(), weights);
        (Just(shapes), ranks, signs).prop_map(|(shapes, ranks, signs)| {
            let total = (ranks.len() + 1) as f32;
            let value = |(rank, negative)| if negative { -(rank as f32) / total } else { rank as f32 / total };
            let mut values = ranks.into_iter().zip(signs).map(value);
            let layer = |(d_out, d_in)| HostMatrix::new(values.by_ref().take(d_out * d_in).collect(), d_out, d_in);
            Net::new(&shapes.into_iter().map(layer).collect::<Vec<_>>())
        })
    })
}

/// A pattern N:M, and a module whose widths M divides.
pub fn grouped_nets() -> impl Strategy<Value = (NofM, Net)> {
    patterns().prop_flat_map(|pattern| {
        let layer =
            (1usize..6, 1usize..5).prop_flat_map(move |(d_out, groups)| filled(d_out, groups * pattern.m(), values()));
        (Just(pattern), prop::collection::vec(layer, 1..4).prop_map(|layers| Net::new(&layers)))
    })
}

/// Outputs and inputs of a block, and a module that such blocks tile.
pub fn blocked_nets() -> impl Strategy<Value = ([usize; 2], Net)> {
    [1usize..5, 1usize..5].prop_flat_map(|[height, width]| {
        let layer = [1usize..5, 1usize..12]
            .prop_flat_map(move |[down, across]| filled(down * height, across * width, values()));
        (Just([height, width]), prop::collection::vec(layer, 1..4).prop_map(|layers| Net::new(&layers)))
    })
}

/// Every way to hand out an overall sparsity; by path, the first layer gets one of its own.
pub fn allocations() -> impl Strategy<Value = Allocation> {
    let owl = (0.5..8.0f64, 0.0..0.5f64).prop_filter_map("allowed", |(m, limit)| Owl::new(m, limit).ok());
    let first = sparsities().prop_map(|own| vec![(ParamGroup::from_path(Net::path(0)), own)]);
    prop_oneof![
        Just(Allocation::Uniform),
        Just(Allocation::ErdosRenyi),
        owl.prop_map(Allocation::Owl),
        first.prop_map(Allocation::ByPath),
    ]
}

/// A module with one weight that is no number, or infinite.
#[derive(Debug, Clone)]
pub struct BrokenNet {
    /// The module.
    pub net: Net,
    /// The parameter.
    pub path: String,
    /// Row.
    pub output: usize,
    /// Column.
    pub input: usize,
}

/// Any module, broken.
pub fn broken_nets() -> impl Strategy<Value = BrokenNet> {
    nets().prop_flat_map(broken)
}

/// This module, broken somewhere.
pub(super) fn broken(net: Net) -> impl Strategy<Value = BrokenNet> {
    let bad = select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), bad).prop_map(move |(layer, place, bad)| {
        let mut layers = net.matrices();
        let layer = layer.index(layers.len());
        let (d_out, d_in) = (layers[layer].d_out(), layers[layer].d_in());
        let mut values = layers[layer].as_slice().to_vec();
        let place = place.index(values.len());
        values[place] = bad;
        layers[layer] = HostMatrix::new(values, d_out, d_in);
        BrokenNet { net: Net::new(&layers), path: Net::path(layer), output: place / d_in, input: place % d_in }
    })
}

/// A module without ties, another that differs in the order of each layer's outputs, and that order: output `o` of the
/// second is output `order[layer][o]` of the first.
pub fn outputs_permuted() -> impl Strategy<Value = (Net, Net, Vec<Vec<usize>>)> {
    let order = |matrix: &HostMatrix| Just((0..matrix.d_out()).collect::<Vec<_>>()).prop_shuffle();
    distinct_nets()
        .prop_flat_map(move |net| {
            let orders: Vec<_> = net.matrices().iter().map(order).collect();
            (Just(net), orders)
        })
        .prop_map(|(net, orders)| {
            let permuted = |(matrix, order): (&HostMatrix, &Vec<usize>)| {
                let rows = order.iter().flat_map(|&output| matrix.row(output).iter().copied()).collect();
                HostMatrix::new(rows, matrix.d_out(), matrix.d_in())
            };
            let layers: Vec<_> = net.matrices().iter().zip(&orders).map(permuted).collect();
            (net, Net::new(&layers), orders)
        })
}

/// Any sparsity, the usual ones and 0 often.
pub fn sparsities() -> impl Strategy<Value = Sparsity> {
    let share = prop_oneof![0.0..0.999f64, select(vec![0.0, 0.1, 0.3, 0.5, 0.9])];
    share.prop_filter_map("a share below 1", |share| Sparsity::new(share).ok())
}

/// Every scope.
pub fn scopes() -> impl Strategy<Value = Scope> {
    select(vec![Scope::Global, Scope::Layer, Scope::Row])
}

/// Patterns with groups of 2 to 40.
pub fn patterns() -> impl Strategy<Value = NofM> {
    let pattern =
        prop_oneof![(2usize..40).prop_flat_map(|m| (1..m, Just(m))), select(vec![(2, 4), (1, 4), (4, 8), (8, 16)]),];
    pattern.prop_filter_map("0 < N < M", |(n, m)| NofM::new(n, m).ok())
}
