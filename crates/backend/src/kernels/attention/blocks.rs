//! Which tokens meet which keys.

use crate::TokenTree;
use burn::tensor::{Bool, Device, Tensor, TensorData};
use std::ops::Range;

/// Successive tokens that are computed together, and the keys that one of them sees.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub tokens: Range<usize>,
    /// Ascending, with keys that nobody here sees between them.
    pub keys: Vec<Range<usize>>,
    /// For each token, ascending ranges of the block's keys: the first key of `keys` is 0, and gaps do not count.
    pub visible: Vec<Vec<Range<usize>>>,
    /// True where hidden, `[1, tokens, keys]`, for devices without the fused kernel.
    pub hidden: Option<Tensor<3, Bool>>,
}

/// Tokens of a block, at most: its scores stay in the cache, and of a long sequence little is computed above the diagonal.
const TOKENS: usize = 64;

/// What reading a key costs a block besides the products, in tokens.
const OVERHEAD: usize = 8;

/// Blocks that together compute little more than what is visible.
pub(super) fn small(tree: &TokenTree, past: usize) -> Vec<Block> {
    let seen = visible(tree, past);
    let mut blocks: Vec<(Range<usize>, Vec<Range<usize>>)> = Vec::new();
    for piece in tree.segments().iter().flat_map(|segment| even_pieces(&segment.tokens)) {
        let keys = union(&seen[piece.clone()]);
        if let Some((tokens, above)) = blocks.last_mut() {
            let both = union(&[above.clone(), keys.clone()]);
            let cost = |tokens: usize, keys: &[Range<usize>]| (tokens + OVERHEAD) * count(keys);
            let together = tokens.len() + piece.len();
            if together <= TOKENS && cost(together, &both) <= cost(tokens.len(), above) + cost(piece.len(), &keys) {
                (tokens.end, *above) = (piece.end, both);
                continue;
            }
        }
        blocks.push((piece, keys));
    }
    blocks.into_iter().map(|(tokens, keys)| Block::new(tokens, keys, &seen)).collect()
}

/// One block for all tokens that see one another, directly or not: without a past every sequence is for itself.
pub(super) fn independent(tree: &TokenTree, past: usize) -> Vec<Block> {
    let seen = visible(tree, past);
    let mut starts = Vec::new();
    let mut apart = past == 0;
    for segment in tree.segments() {
        match segment.parent {
            None => starts.push(segment.tokens.start),
            Some(parent) => apart &= starts.last() <= Some(&tree.segments()[parent].tokens.start),
        }
    }
    if !apart {
        return vec![whole(tree, past)];
    }
    let ends = starts.iter().skip(1).copied().chain([tree.len()]);
    starts.iter().zip(ends).map(|(&start, end)| Block::new(start..end, one(start..end), &seen)).collect()
}

/// One block of all tokens and all keys.
pub(super) fn whole(tree: &TokenTree, past: usize) -> Block {
    Block::new(0..tree.len(), one(0..past + tree.len()), &visible(tree, past))
}

impl Block {
    fn new(tokens: Range<usize>, keys: Vec<Range<usize>>, seen: &[Vec<Range<usize>>]) -> Self {
        let visible = seen[tokens.clone()].iter().map(|ranges| within(ranges, &keys)).collect();
        Self { tokens, keys, visible, hidden: None }
    }

    /// The number of keys.
    pub fn num_keys(&self) -> usize {
        count(&self.keys)
    }

    pub fn with_mask_on(self, device: &Device) -> Self {
        Self { hidden: Some(self.mask(device)), ..self }
    }

    /// True where hidden, `[1, tokens, keys]`.
    pub fn mask(&self, device: &Device) -> Tensor<3, Bool> {
        if let Some(hidden) = &self.hidden {
            return hidden.clone();
        }
        let keys = self.num_keys();
        let mut hidden = vec![true; self.tokens.len() * keys];
        for (row, ranges) in hidden.chunks_mut(keys).zip(&self.visible) {
            ranges.iter().for_each(|range| row[range.clone()].fill(false));
        }
        Tensor::from_data(TensorData::new(hidden, [1, self.tokens.len(), keys]), device)
    }
}

/// Parts of a segment, none longer than a block, of about equal length.
fn even_pieces(tokens: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let (start, length) = (tokens.start, tokens.len());
    let pieces = length.div_ceil(TOKENS).max(1);
    (0..pieces).map(move |i| start + i * length / pieces..start + (i + 1) * length / pieces)
}

/// For each token, the ascending ranges of keys that it sees.
fn visible(tree: &TokenTree, past: usize) -> Vec<Vec<Range<usize>>> {
    let mut rows = Vec::with_capacity(tree.len());
    for (index, segment) in tree.segments().iter().enumerate() {
        let path = tree.path(index);
        let above = path[..path.len() - 1].iter().map(|r| past + r.start..past + r.end);
        let above: Vec<_> = segment.past.iter().cloned().chain(above).filter(|r| !r.is_empty()).collect();
        for token in segment.tokens.clone() {
            let own = past + segment.tokens.start..past + token + 1;
            rows.push(above.iter().cloned().chain(std::iter::once(own)).collect());
        }
    }
    rows
}

/// What any of these ascending lists of ranges covers, neighbours joined.
fn union(lists: &[Vec<Range<usize>>]) -> Vec<Range<usize>> {
    let mut all: Vec<_> = lists.iter().flatten().cloned().collect();
    all.sort_unstable_by_key(|range| (range.start, range.end));
    joined(all)
}

fn joined(ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Ranges that lie within `keys`, counted without the gaps of `keys`.
fn within(ranges: &[Range<usize>], keys: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut before = 0;
    let mut keys = keys.iter().peekable();
    let moved = ranges.iter().map(|range| {
        while let Some(passed) = keys.next_if(|key| key.end <= range.start) {
            before += passed.len();
        }
        let start = before + range.start - keys.peek().map_or(0, |key| key.start);
        start..start + range.len()
    });
    joined(moved)
}

fn one(range: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(range).collect()
}

fn count(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(ExactSizeIterator::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_token_sees_its_path_and_nothing_else() {
        let visible = visible(&tree(), 7);
        assert_eq!(visible[0], [0..3, 7..8]);
        assert_eq!(visible[26], [0..3, 7..27, 27..32, 32..34]);
        assert_eq!(visible[27], [0..3, 7..27, 34..35]);
        assert_eq!(visible[31], std::slice::from_ref(&(38..39)));
    }

    #[test]
    fn ranges_are_counted_without_gaps() {
        let keys = [0..3, 7..27, 34..36];
        assert_eq!(within(&[0..3, 7..10], &keys), std::slice::from_ref(&(0..6)));
        assert_eq!(within(&[0..2, 34..35], &keys), [0..2, 23..24]);
    }

    #[test]
    fn sequences_without_a_past_are_for_themselves() {
        let mut tree = TokenTree::sequence(&[1; 9], 0);
        tree.push_child(&[2; 4], 0);
        tree.push_root(&[3; 6], 0);
        let tokens: Vec<_> = independent(&tree, 0).into_iter().map(|block| block.tokens).collect();
        assert_eq!(tokens, [0..13, 13..19]);
    }

    #[test]
    fn about_half_of_a_causal_square_is_left_out() {
        let blocks = small(&TokenTree::sequence(&[1; 512], 0), 0);
        let computed: usize = blocks.iter().map(|block| block.tokens.len() * block.num_keys()).sum();
        assert!(computed * 100 <= 512 * 512 * 57, "{computed}");
    }

    #[test]
    fn branches_below_one_passage_are_together_and_see_not_much_else() {
        let mut tree = TokenTree::default();
        for _ in 0..40 {
            let question = tree.push_root(&[1; 10], 1500);
            for _ in 0..4 {
                tree.push_child(&[2; 2], question);
            }
        }
        let blocks = small(&tree, 1500);
        assert!(blocks.len() <= tree.len().div_ceil(TOKENS) + 2, "{}", blocks.len());
        assert!(blocks.iter().all(|block| block.num_keys() <= 1500 + 10 + TOKENS));
    }
}
