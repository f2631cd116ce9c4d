//! Attention over a token tree.
//!
//! The tokens of a pass are cut into blocks, and a block meets only the keys that one of its tokens sees: of a causal
//! sequence the half above the diagonal is left out, and the branches of a tree share what is above them and nothing else.

mod blocks;
mod composed;
#[cfg(feature = "flex")]
mod fused;

use crate::{TokenTree, key_values::join};
use blocks::Block;
use burn::tensor::{Device, Tensor};

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

impl Heads {
    /// How many query heads read one key and value head.
    fn per_group(self) -> usize {
        self.query / self.key_value
    }
}

/// Which keys each token of a pass sees. Keys are the past tokens, then those of the tree.
#[derive(Debug, Clone)]
pub struct AttentionMask {
    /// In order of their tokens, every token in one.
    blocks: Vec<Block>,
}

impl AttentionMask {
    /// The mask of a tree after `past` kept tokens.
    pub fn new(tree: &TokenTree, past: usize, device: &Device) -> Self {
        let blocks = if has_fused_kernel(device) {
            blocks::small(tree, past)
        } else {
            blocks::independent(tree, past).into_iter().map(|block| block.with_mask_on(device)).collect()
        };
        Self { blocks }
    }
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

/// softmax(q kᵀ / √dim) v for every head of every token, over the keys its mask shows: queries
/// `[tokens, query_heads * dim]`, keys and values `[past + tokens, key_value_heads * dim]` → `[tokens, query_heads * dim]`.
pub fn tree_attention(q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, mask: &AttentionMask, heads: Heads) -> Tensor<2> {
    tree_attention_over(q, vec![[k, v]], mask, heads)
}

/// The same with the keys and values in parts that follow one another.
pub fn tree_attention_over(
    q: Tensor<2>,
    keys_values: Vec<[Tensor<2>; 2]>,
    mask: &AttentionMask,
    heads: Heads,
) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if super::flex::holds(&q) && keys_values.iter().flatten().all(super::flex::holds) {
        return super::flex::give(fused::attention(&super::flex::take(q), keys_values, &mask.blocks, heads));
    }
    let [k, v] = joined(keys_values);
    composed::attention(&q, &k, &v, &mask.blocks, heads)
}

fn joined(keys_values: Vec<[Tensor<2>; 2]>) -> [Tensor<2>; 2] {
    let (keys, values) = keys_values.into_iter().map(|[k, v]| (k, v)).unzip();
    [keys, values].map(join)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance};
    use proptest::prelude::*;

    const HEADS: Heads = Heads { query: 6, key_value: 2, dim: 8 };

    /// A forest after seven kept tokens, of segments that follow one of the three before them.
    fn forest() -> impl Strategy<Value = TokenTree> {
        let segment = (1usize..90, 0usize..5, 0usize..8);
        prop::collection::vec(segment, 1..12).prop_map(|segments| {
            let mut tree = TokenTree::default();
            for (index, (length, up, past)) in segments.into_iter().enumerate() {
                match index.checked_sub(up) {
                    Some(parent) if parent < index => tree.push_child(&vec![1; length], parent),
                    _ if past > 4 => tree.push_after(&vec![1; length], vec![1..2, 3..past]),
                    _ => tree.push_root(&vec![1; length], past),
                };
            }
            tree
        })
    }

    fn inputs(tokens: usize, past: usize, device: &Device) -> [Tensor<2>; 3] {
        let random = |rows, heads| Tensor::random([rows, heads * HEADS.dim], Distribution::Normal(0.0, 2.0), device);
        [random(tokens, HEADS.query), random(past + tokens, HEADS.key_value), random(past + tokens, HEADS.key_value)]
    }

    /// Every token against every key, what it must not see masked.
    fn dense(q: &Tensor<2>, k: &Tensor<2>, v: &Tensor<2>, tree: &TokenTree, past: usize) -> Tensor<2> {
        composed::attention(q, k, v, &[blocks::whole(tree, past)], HEADS)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn blocks_give_what_the_dense_square_gives(tree in forest(), kept in prop::bool::ANY, cut in 0usize..100) {
            let device = Device::flex();
            let past = if kept { 7 } else { 0 };
            prop_assume!(kept || tree.segments().iter().all(|segment| segment.past.is_empty()));
            let [q, k, v] = inputs(tree.len(), past, &device);
            let expected = dense(&q, &k, &v, &tree, past).into_data();
            let independent = composed::attention(&q, &k, &v, &blocks::independent(&tree, past), HEADS);
            independent.into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
            let mask = AttentionMask::new(&tree, past, &device);
            let fused = tree_attention(q.clone(), k.clone(), v.clone(), &mask, HEADS);
            fused.into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
            let cut = (past + tree.len()) * cut / 100;
            let rows = |range: std::ops::Range<usize>| [&k, &v].map(|all| all.clone().slice([range.clone()]));
            let parts: Vec<_> = [0..cut, cut..k.dims()[0]].into_iter().filter(|r| !r.is_empty()).map(rows).collect();
            let in_parts = tree_attention_over(q, parts, &mask, HEADS);
            in_parts.into_data().assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
        }
    }

    #[test]
    fn one_causal_sequence_of_many_blocks() {
        let (device, tree) = (Device::flex(), TokenTree::sequence(&[1; 333], 7));
        let [q, k, v] = inputs(333, 7, &device);
        let expected = dense(&q, &k, &v, &tree, 7).into_data();
        let got = tree_attention(q, k, v, &AttentionMask::new(&tree, 7, &device), HEADS);
        got.into_data().assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-5, 1e-5));
    }

    #[test]
    fn gradients_go_through() {
        let device = Device::flex().autodiff();
        let tree = TokenTree::sequence(&[1; 5], 0);
        let [q, k, v] = inputs(5, 0, &device);
        let q = q.require_grad();
        let mask = AttentionMask::new(&tree, 0, &device);
        let grads = tree_attention(q.clone(), k, v, &mask, HEADS).sum().backward();
        assert!(q.grad(&grads).is_some());
    }
}
