//! Attention over a token tree.

use crate::TokenTree;
use burn::tensor::{Bool, Device, Tensor, TensorData, activation::softmax};
use std::ops::Range;

/// The heads of grouped-query attention (Ainslie et al. 2023).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
    pub key_value: usize,
    /// Dimensions of a head.
    pub dim: usize,
}

/// Which keys each token of a pass sees. Keys are the past tokens, then those of the tree.
#[derive(Debug, Clone)]
pub struct AttentionMask {
    parts: Vec<Part>,
}

/// Tokens that see no keys but these: without a past every sequence of the forest is for itself.
#[derive(Debug, Clone)]
struct Part {
    tokens: Range<usize>,
    keys: Range<usize>,
    /// For each token, ascending ranges of the part's keys.
    visible: Vec<Vec<Range<usize>>>,
    /// True where hidden, `[1, tokens, keys]`, for devices without the fused kernel.
    hidden: Option<Tensor<3, Bool>>,
}

impl AttentionMask {
    /// The mask of a tree after `past` kept tokens.
    pub fn new(tree: &TokenTree, past: usize, device: &Device) -> Self {
        let mut visible = visible(tree, past).into_iter();
        let part = |(tokens, keys): (Range<usize>, Range<usize>)| {
            let shift = |range: Range<usize>| range.start - keys.start..range.end - keys.start;
            let rows = visible.by_ref().take(tokens.len());
            let visible: Vec<Vec<_>> = rows.map(|row| row.into_iter().map(shift).collect()).collect();
            let hidden = (!has_fused_kernel(device)).then(|| hidden(&visible, keys.len(), device));
            Part { tokens, keys, visible, hidden }
        };
        Self { parts: independent(tree, past).into_iter().map(part).collect() }
    }
}

/// Tokens and keys of each part.
fn independent(tree: &TokenTree, past: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut starts = Vec::new();
    let mut apart = past == 0;
    for segment in tree.segments() {
        match segment.parent {
            None => starts.push(segment.tokens.start),
            Some(parent) => apart &= starts.last() <= Some(&tree.segments()[parent].tokens.start),
        }
    }
    if !apart {
        return vec![(0..tree.len(), 0..past + tree.len())];
    }
    let ends = starts.iter().skip(1).copied().chain([tree.len()]);
    starts.iter().zip(ends).map(|(&start, end)| (start..end, start..end)).collect()
}

fn has_fused_kernel(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return !device.is_autodiff() && matches!(device.as_dispatch(), burn::backend::DispatchDevice::Flex(_));
    #[cfg(not(feature = "flex"))]
    return {
        let _ = device;
        false
    };
}

fn visible(tree: &TokenTree, past: usize) -> Vec<Vec<Range<usize>>> {
    let mut rows = Vec::with_capacity(tree.len());
    for (index, segment) in tree.segments().iter().enumerate() {
        let path = tree.path(index);
        let above = path[..path.len() - 1].iter().map(|r| past + r.start..past + r.end);
        let above: Vec<_> = std::iter::once(0..segment.past).chain(above).filter(|r| !r.is_empty()).collect();
        for token in segment.tokens.clone() {
            let own = past + segment.tokens.start..past + token + 1;
            rows.push(above.iter().cloned().chain(std::iter::once(own)).collect());
        }
    }
    rows
}

fn hidden(visible: &[Vec<Range<usize>>], keys: usize, device: &Device) -> Tensor<3, Bool> {
    let mut hidden = vec![true; visible.len() * keys];
    for (row, ranges) in hidden.chunks_mut(keys).zip(visible) {
        ranges.iter().for_each(|r| row[r.clone()].fill(false));
    }
    Tensor::from_data(TensorData::new(hidden, [1, visible.len(), keys]), device)
}

/// softmax(q kᵀ / √dim) v for every head of every token, over the keys its mask shows: queries
/// `[tokens, query_heads * dim]`, keys and values `[past + tokens, key_value_heads * dim]` → `[tokens, query_heads * dim]`.
pub fn tree_attention(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, mask: &AttentionMask, heads: Heads) -> Tensor<2> {
    let rows = |tensor: &Tensor<2>, rows: &Range<usize>| tensor.clone().narrow(0, rows.start, rows.len());
    match mask.parts.as_slice() {
        [all] => attention(q, k, v, all, heads),
        parts => {
            let attend = |part: &Part| {
                attention(rows(&q, &part.tokens), rows(&k, &part.keys), rows(&v, &part.keys), part, heads)
            };
            Tensor::cat(parts.iter().map(attend).collect(), 0)
        }
    }
}

fn attention(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, part: &Part, heads: Heads) -> Tensor<2> {
    let ([tokens, width], [keys, _]) = (q.dims(), k.dims());
    let Heads { key_value: groups, dim, .. } = heads;
    let per_group = heads.query / groups;
    // All query heads of a group are rows of one product with the group's keys.
    let q = q * (dim as f64).powf(-0.5);
    let q =
        q.reshape([tokens, groups, per_group, dim]).permute([1, 2, 0, 3]).reshape([groups, per_group * tokens, dim]);
    let k = k.reshape([keys, groups, dim]).permute([1, 2, 0]);
    let v = v.reshape([keys, groups, dim]).permute([1, 0, 2]);
    let weights = masked_softmax(q.matmul(k), part);
    let out = weights.matmul(v).reshape([groups, per_group, tokens, dim]);
    out.permute([2, 0, 1, 3]).reshape([tokens, width])
}

/// Softmax over the last dimension of scores `[groups, heads per group * tokens, keys]`, zero where hidden.
fn masked_softmax(scores: Tensor<3>, part: &Part) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if super::flex::holds(&scores) {
        return super::flex::give(on_flex(super::flex::take(scores), &part.visible));
    }
    let hidden = part.hidden.clone().unwrap_or_else(|| hidden(&part.visible, scores.dims()[2], &scores.device()));
    composed(scores, hidden)
}

fn composed(scores: Tensor<3>, hidden: Tensor<3, Bool>) -> Tensor<3> {
    let [groups, rows, keys] = scores.dims();
    let tokens = hidden.dims()[1];
    let scores = scores.reshape([groups * rows / tokens, tokens, keys]);
    // Every token sees itself, so no row is hidden whole and the fill never meets itself in the maximum.
    let scores = scores.clone().mask_fill(hidden.expand(scores.shape()), -1e30);
    softmax(scores, 2).reshape([groups, rows, keys])
}

#[cfg(feature = "flex")]
fn on_flex(mut scores: burn_flex::FlexTensor, visible: &[Vec<Range<usize>>]) -> burn_flex::FlexTensor {
    use rayon::prelude::*;
    let keys = scores.layout().shape()[2];
    let rows = super::flex::values_mut(&mut scores).par_chunks_mut(keys).enumerate();
    rows.with_min_len(8).for_each(|(row, scores)| {
        super::flex::vectorized(
            #[inline(always)]
            || softmax_of(scores, &visible[row % visible.len()]),
        );
    });
    scores
}

/// In place, and zero outside of the visible ranges.
#[cfg(feature = "flex")]
#[inline(always)]
fn softmax_of(scores: &mut [f32], visible: &[Range<usize>]) {
    let mut max = f32::NEG_INFINITY;
    for range in visible {
        max = max.max(largest(&scores[range.clone()]));
    }
    let mut sum = 0.0;
    let mut end = 0;
    for range in visible {
        scores[end..range.start].fill(0.0);
        sum += exp_from(&mut scores[range.clone()], max);
        end = range.end;
    }
    scores[end..].fill(0.0);
    let scale = 1.0 / sum;
    for range in visible {
        scores[range.clone()].iter_mut().for_each(|x| *x *= scale);
    }
}

// Sixteen partial results in both: a single one would make the loop wait for itself.
#[cfg(feature = "flex")]
const LANES: usize = 16;

#[cfg(feature = "flex")]
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut max = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (m, x) in max.iter_mut().zip(chunk) {
            *m = m.max(*x);
        }
    }
    max.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| a.max(b))
}

/// Replaces each x by e^(x - max) and returns their sum.
#[cfg(feature = "flex")]
#[inline(always)]
fn exp_from(values: &mut [f32], max: f32) -> f32 {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let mut sum = [0f32; LANES];
    for chunk in chunks {
        for (s, x) in sum.iter_mut().zip(chunk) {
            *x = super::exp::exp(*x - max);
            *s += *x;
        }
    }
    let mut total = sum.iter().sum();
    for x in rest {
        *x = super::exp::exp(*x - max);
        total += *x;
    }
    total
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};

    fn tree() -> TokenTree {
        let mut tree = TokenTree::default();
        let a = tree.push_root(&[1; 20], 3);
        let b = tree.push_child(&[2; 5], a);
        tree.push_child(&[3; 2], b);
        tree.push_child(&[4; 4], a);
        tree.push_root(&[5; 3], 0);
        tree
    }

    #[test]
    fn the_fused_softmax_agrees_with_burns_operations() {
        let (device, tree) = (Device::flex(), tree());
        let part = &AttentionMask::new(&tree, 7, &device).parts[0];
        let keys = 7 + tree.len();
        let scores = Tensor::<3>::random([2, 3 * tree.len(), keys], Distribution::Normal(0.0, 4.0), &device);
        let expected = composed(scores.clone(), hidden(&part.visible, keys, &device)).into_data();
        masked_softmax(scores, part).into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-6));
    }

    #[test]
    fn sequences_without_a_past_attend_as_if_they_were_alone() {
        let device = Device::flex();
        let heads = Heads { query: 4, key_value: 2, dim: 4 };
        let mut tree = TokenTree::sequence(&[1; 9], 0);
        tree.push_child(&[2; 4], 0);
        tree.push_root(&[3; 6], 0);
        let mask = AttentionMask::new(&tree, 0, &device);
        assert_eq!(mask.parts.iter().map(|part| part.tokens.clone()).collect::<Vec<_>>(), [0..13, 13..19]);
        let random = |width: usize| Tensor::<2>::random([19, width], Distribution::Default, &device);
        let (q, k, v) = (random(16), random(8), random(8));
        let visible = visible(&tree, 0);
        let whole = Part { tokens: 0..19, keys: 0..19, visible, hidden: None };
        let expected = attention(q.clone(), k.clone(), v.clone(), &whole, heads).into_data();
        let got = tree_attention(q, k, v, &mask, heads).into_data();
        got.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-6));
    }

    #[test]
    fn a_token_sees_its_path_and_nothing_else() {
        let tree = tree();
        let visible = visible(&tree, 7);
        assert_eq!(visible[0], [0..3, 7..8]);
        assert_eq!(visible[26], [0..3, 7..27, 27..32, 32..34]);
        assert_eq!(visible[27], [0..3, 7..27, 34..35]);
        assert_eq!(visible[31], std::slice::from_ref(&(38..39)));
    }
}
