//! Sequences that share prefixes, packed without padding.

use std::ops::Range;

/// A run of tokens whose parent is what comes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where its tokens are in the pack.
    pub tokens: Range<usize>,
    /// The segment before it, if that is in this pack.
    pub parent: Option<usize>,
    /// Which of the past tokens (those whose keys and values were kept) come before it and before the segments above it:
    /// ascending ranges.
    pub past: Vec<Range<usize>>,
}

/// A forest of token segments that one forward pass computes: a token sees its own segment up to itself, the segments
/// above it, and the past tokens above those. Every token is computed once, whatever number of sequences goes through it.
#[derive(Debug, Clone, Default)]
pub struct TokenTree {
    tokens: Vec<u32>,
    positions: Vec<usize>,
    segments: Vec<Segment>,
}

impl TokenTree {
    /// One sequence after `past` kept tokens.
    pub fn sequence(tokens: &[u32], past: usize) -> Self {
        let mut tree = Self::default();
        tree.push_root(tokens, past);
        tree
    }

    /// Adds a segment that follows the first `past` kept tokens; returns its number.
    pub fn push_root(&mut self, tokens: &[u32], past: usize) -> usize {
        let all = std::iter::once(0..past).filter(|range| !range.is_empty());
        self.push_after(tokens, all.collect())
    }

    /// Adds a segment that follows these kept tokens, ascending ranges; returns its number.
    pub fn push_after(&mut self, tokens: &[u32], past: Vec<Range<usize>>) -> usize {
        let position = past.iter().map(ExactSizeIterator::len).sum();
        self.push(tokens, None, past, position)
    }

    /// Adds a segment that follows segment `parent`; returns its number.
    ///
    /// # Panics
    /// If there is no such segment.
    pub fn push_child(&mut self, tokens: &[u32], parent: usize) -> usize {
        let above = &self.segments[parent];
        let kept = || above.past.iter().map(ExactSizeIterator::len).sum();
        let position = above.tokens.clone().next_back().map_or_else(kept, |last| self.positions[last] + 1);
        self.push(tokens, Some(parent), above.past.clone(), position)
    }

    fn push(&mut self, tokens: &[u32], parent: Option<usize>, past: Vec<Range<usize>>, position: usize) -> usize {
        let start = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.positions.extend(position..position + tokens.len());
        self.segments.push(Segment { tokens: start..self.tokens.len(), parent, past });
        self.segments.len() - 1
    }

    /// The token ids, packed.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The position of each token in its sequence, from 0.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The segments, parents before children.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Where the tokens from the root down to and with a segment are in the pack, in order.
    pub fn path(&self, segment: usize) -> Vec<Range<usize>> {
        let mut path: Vec<_> = std::iter::successors(Some(segment), |&s| self.segments[s].parent)
            .map(|s| self.segments[s].tokens.clone())
            .collect();
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_path() {
        let mut tree = TokenTree::default();
        let root = tree.push_root(&[1, 2, 3], 5);
        let left = tree.push_child(&[4, 5], root);
        let right = tree.push_child(&[6], root);
        let leaf = tree.push_child(&[7], right);
        assert_eq!(tree.positions(), [5, 6, 7, 8, 9, 8, 9]);
        assert_eq!(tree.path(leaf), [0..3, 5..6, 6..7]);
        assert_eq!(tree.path(left), [0..3, 3..5]);
        assert_eq!(tree.segments()[leaf].past, std::slice::from_ref(&(0..5)));
        let apart = tree.push_after(&[8, 9], vec![1..3, 4..5]);
        assert_eq!(tree.positions()[tree.segments()[apart].tokens.clone()], [3, 4]);
    }
}
