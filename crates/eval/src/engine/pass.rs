//! What one forward pass computes.

use crate::prefix_tree::{Node, PrefixTree};
use junkdna_backend::{KeyValues, TokenTree};
use std::collections::HashMap;

/// Nodes that one forward pass computes.
#[derive(Default)]
pub(super) struct Pass {
    pub tokens: TokenTree,
    /// Those that are scored: node, and the row of its first token.
    pub nodes: Vec<(usize, usize)>,
    /// Keys and values of nodes that earlier passes computed: a path from a root.
    pub past: KeyValues,
    /// The nodes of `past`, each with its tokens' end.
    past_nodes: Vec<(usize, usize)>,
    segments: HashMap<usize, usize>,
    /// Tokens that are here for their keys and values alone.
    again: usize,
}

impl Pass {
    /// The first of some passes: what is above the first node that it scores is computed with it.
    pub fn beginning(tree: &PrefixTree, first: usize) -> Self {
        let path = tree.path(first);
        Self::default().with_again(tree, &path[..path.len() - 1])
    }

    fn with_again(mut self, tree: &PrefixTree, nodes: &[usize]) -> Self {
        nodes.iter().for_each(|&node| self.add(tree, node));
        self.again = self.tokens.len();
        self
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The tokens that no pass computed before.
    pub fn new_tokens(&self) -> usize {
        self.tokens.len() - self.again
    }

    pub fn push(&mut self, tree: &PrefixTree, node: usize) {
        self.nodes.push((node, self.tokens.len()));
        self.add(tree, node);
    }

    fn add(&mut self, tree: &PrefixTree, node: usize) {
        let Node { tokens, parent, .. } = &tree.nodes[node];
        let segment = match parent.and_then(|parent| self.segments.get(&parent)) {
            Some(&above) => self.tokens.push_child(tokens, above),
            None => self.tokens.push_root(tokens, self.past_end(*parent)),
        };
        self.segments.insert(node, segment);
    }

    fn past_end(&self, node: Option<usize>) -> usize {
        let kept = |node| self.past_nodes.iter().find(|&&(n, _)| n == node);
        node.and_then(kept).map_or(0, |&(_, end)| end)
    }

    /// An empty pass after this one, with the keys and values of the path above `next`, which are all that depth-first
    /// order needs: kept from this pass as far as `memory` bytes allow, and for the rest to be computed again.
    pub fn follow(self, tree: &PrefixTree, next: usize, new: &KeyValues, memory: Option<usize>) -> Self {
        let bytes_per_token = new.bytes().div_ceil(new.len().max(1)).max(1);
        let limit = memory.map_or(usize::MAX, |memory| memory / bytes_per_token);
        let path = tree.path(next);
        let above = &path[..path.len() - 1];
        let (kept, again) = above.split_at(above.partition_point(|&node| tree.length(node) <= limit));
        let part = |&node: &usize| match self.segments.get(&node) {
            Some(&segment) => new.slice(self.tokens.segments()[segment].tokens.clone()),
            None => self.past.slice(tree.nodes[node].start..tree.length(node)),
        };
        let parts: Vec<KeyValues> = kept.iter().map(part).collect();
        let pass = Self {
            // In memory of its own, or the whole pass would stay allocated.
            past: KeyValues::concat(&parts).joined(),
            past_nodes: kept.iter().map(|&node| (node, tree.length(node))).collect(),
            ..Self::default()
        };
        pass.with_again(tree, again)
    }
}
