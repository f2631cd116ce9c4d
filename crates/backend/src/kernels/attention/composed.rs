//! Attention of Burn's own operations, for any device and with gradients.

use super::{Heads, blocks::Block, join};
use burn::tensor::{Bool, Tensor, activation::softmax};
use std::ops::Range;

pub(super) fn attention(q: &Tensor<2>, k: &Tensor<2>, v: &Tensor<2>, blocks: &[Block], heads: Heads) -> Tensor<2> {
    let attend = |block: &Block| {
        let q = rows(q, std::slice::from_ref(&block.tokens));
        let mask = block.mask(&q.device());
        attend(q, rows(k, &block.keys), rows(v, &block.keys), mask, heads)
    };
    join(blocks.iter().map(attend).collect())
}

fn rows(tensor: &Tensor<2>, ranges: &[Range<usize>]) -> Tensor<2> {
    join(ranges.iter().map(|range| tensor.clone().narrow(0, range.start, range.len())).collect())
}

fn attend(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, hidden: Tensor<3, Bool>, heads: Heads) -> Tensor<2> {
    let ([tokens, width], [keys, _]) = (q.dims(), k.dims());
    let (groups, per_group, dim) = (heads.key_value, heads.per_group(), heads.dim);
    // All query heads of a group are rows of one product with the group's keys.
    let q = q * (dim as f64).powf(-0.5);
    let q =
        q.reshape([tokens, groups, per_group, dim]).permute([1, 2, 0, 3]).reshape([groups, per_group * tokens, dim]);
    let k = k.reshape([keys, groups, dim]).permute([1, 2, 0]);
    let v = v.reshape([keys, groups, dim]).permute([1, 0, 2]);
    let weights = masked_softmax(q.matmul(k), hidden);
    let out = weights.matmul(v).reshape([groups, per_group, tokens, dim]);
    out.permute([2, 0, 1, 3]).reshape([tokens, width])
}

/// Softmax over the last dimension of scores `[groups, heads per group * tokens, keys]`, zero where hidden.
fn masked_softmax(scores: Tensor<3>, hidden: Tensor<3, Bool>) -> Tensor<3> {
    let [groups, rows, keys] = scores.dims();
    let tokens = hidden.dims()[1];
    let scores = scores.reshape([groups * rows / tokens, tokens, keys]);
    // Every token sees itself, so no row is hidden whole and the fill never meets itself in the maximum.
    let scores = scores.clone().mask_fill(hidden.expand(scores.shape()), -1e30);
    softmax(scores, 2).reshape([groups, rows, keys])
}
