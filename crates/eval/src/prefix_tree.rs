//! All requests as one tree of shared prefixes.

use std::ops::Range;

/// A node: a run of tokens that one or more sequences share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The tokens after the parent's.
    pub tokens: Vec<u32>,
    /// The node before it; `None` at a root.
    pub parent: Option<usize>,
    /// The number of tokens from the root up to its own.
    pub start: usize,
}

/// Sequences as a compressed tree (Morrison 1968), in depth-first order.
#[derive(Debug, Default)]
pub(crate) struct PrefixTree {
    /// Parents before children, and the descendants of a node directly after it.
    pub nodes: Vec<Node>,
    /// For each sequence, the node in which it ends; that node's last token is the sequence's last.
    pub ends: Vec<usize>,
}

impl PrefixTree {
    /// The tree of these sequences, none of which is empty. No node is longer than `max_node` tokens.
    pub fn new(sequences: &[&[u32]], max_node: usize) -> Self {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_unstable_by_key(|&i| sequences[i]);
        let mut tree = Self { nodes: Vec::new(), ends: vec![0; sequences.len()] };
        tree.grow(sequences, &order, None, 0, max_node.max(1));
        tree
    }

    /// Adds the subtree of sorted sequences that agree in their first `depth` tokens.
    fn grow(
        &mut self,
        sequences: &[&[u32]],
        mut order: &[usize],
        parent: Option<usize>,
        depth: usize,
        max_node: usize,
    ) {
        // Sequences that end here come first in sorted order.
        while let Some((&first, rest)) = order.split_first()
            && sequences[first].len() == depth
        {
            self.ends[first] = parent.unwrap_or(0);
            order = rest;
        }
        for group in order.chunk_by(|&a, &b| sequences[a][depth] == sequences[b][depth]) {
            let (first, last) = (sequences[group[0]], sequences[group[group.len() - 1]]);
            // Sorted, so what the first and the last share they all share.
            let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count().min(max_node);
            self.nodes.push(Node { tokens: first[depth..depth + shared].to_vec(), parent, start: depth });
            self.grow(sequences, group, Some(self.nodes.len() - 1), depth + shared, max_node);
        }
    }

    /// The number of tokens to compute.
    pub fn tokens(&self) -> usize {
        self.nodes.iter().map(|node| node.tokens.len()).sum()
    }

    /// The nodes in runs for `cores` that work side by side. Each run needs the tokens above its first node again, so that it is
    /// cut where those are few; more runs than cores even out what each takes. One run where that is cheapest.
    pub fn shares(&self, cores: usize) -> Vec<Range<usize>> {
        let together = std::iter::once(0..self.nodes.len()).collect();
        if cores < 2 {
            return together;
        }
        let before: Vec<usize> =
            self.nodes.iter().scan(0, |sum, node| Some(std::mem::replace(sum, *sum + node.tokens.len()))).collect();
        let tokens = self.tokens();
        let cost = |shares: &Vec<Range<usize>>| {
            let again: usize = shares.iter().map(|share| self.nodes[share.start].start).sum();
            // At the end a core waits for half a share of another.
            tokens + again + tokens * cores / (2 * shares.len())
        };
        let apart = [1, 2, 4, 8].map(|runs| self.cut(runs * cores, tokens, &before)).into_iter();
        let best = apart.filter(|shares| shares.len() >= cores).min_by_key(cost);
        // All cores on one pass wait for one another: a fifth of the time.
        best.filter(|shares| cost(shares) < tokens * 6 / 5).unwrap_or(together)
    }

    /// Runs of nodes of about as many of the `tokens` each; `before` each node are so many.
    fn cut(&self, runs: usize, tokens: usize, before: &[usize]) -> Vec<Range<usize>> {
        let (mut shares, mut start) = (Vec::new(), 0);
        for run in 1..runs {
            let (ideal, slack) = (tokens * run / runs, tokens / (4 * runs));
            let near = |tokens: usize| before.partition_point(|&sum| sum < tokens);
            let places = near(ideal.saturating_sub(slack)).max(start + 1)..near(ideal + slack + 1);
            if let Some(place) = places.min_by_key(|&node| (self.nodes[node].start, before[node].abs_diff(ideal))) {
                shares.push(start..place);
                start = place;
            }
        }
        shares.push(start..self.nodes.len());
        shares
    }

    /// The number of tokens from the root to the end of a node.
    pub fn length(&self, node: usize) -> usize {
        self.nodes[node].start + self.nodes[node].tokens.len()
    }

    /// The nodes from the root down to and with one.
    pub fn path(&self, node: usize) -> Vec<usize> {
        let mut path: Vec<_> = std::iter::successors(Some(node), |&n| self.nodes[n].parent).collect();
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spelled(tree: &PrefixTree, end: usize) -> Vec<u32> {
        tree.path(end).iter().flat_map(|&n| tree.nodes[n].tokens.clone()).collect()
    }

    #[test]
    fn shared_prefixes_stand_once() {
        let tree = PrefixTree::new(&[&[1, 2, 3, 4], &[1, 2, 5], &[1, 2], &[7]], 100);
        assert_eq!(tree.tokens(), 6);
        assert_eq!(tree.nodes.len(), 4);
    }

    #[test]
    fn work_is_shared_where_little_is_done_twice() {
        let apart: Vec<Vec<u32>> = (0..40).map(|i| vec![i; 10]).collect();
        let alike: Vec<Vec<u32>> = (0..40).map(|i| [vec![7; 1000], vec![i; 10]].concat()).collect();
        let shares = |sequences: &[Vec<u32>]| {
            PrefixTree::new(&sequences.iter().map(Vec::as_slice).collect::<Vec<_>>(), 512).shares(2)
        };
        let found = shares(&apart);
        assert!(found.len() >= 8 && found.iter().all(|share| share.len() <= 10), "{found:?}");
        assert_eq!(shares(&alike), vec![Range { start: 0, end: 42 }], "the beginning is most of it");
        assert_eq!(shares(&[]), vec![Range { start: 0, end: 0 }]);
    }

    proptest! {
        #[test]
        fn every_sequence_is_spelled_by_its_path(
            sequences in prop::collection::vec(prop::collection::vec(0u32..3, 1..12), 1..40),
            max_node in 1usize..6,
        ) {
            let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
            let tree = PrefixTree::new(&borrowed, max_node);
            for (sequence, &end) in sequences.iter().zip(&tree.ends) {
                prop_assert_eq!(&spelled(&tree, end), sequence);
            }
            let mut prefixes = std::collections::BTreeSet::new();
            sequences.iter().for_each(|s| prefixes.extend((1..=s.len()).map(|n| s[..n].to_vec())));
            prop_assert_eq!(tree.tokens(), prefixes.len(), "each distinct prefix is computed once");
            for cores in 1..5 {
                let shares = tree.shares(cores);
                let nodes: Vec<usize> = shares.iter().cloned().flatten().collect();
                prop_assert_eq!(nodes, (0..tree.nodes.len()).collect::<Vec<_>>(), "each node once, in order");
                prop_assert!(shares.iter().all(|share| !share.is_empty()) && (cores > 1 || shares.len() == 1));
            }
            for (index, node) in tree.nodes.iter().enumerate() {
                prop_assert!(node.tokens.len() <= max_node && !node.tokens.is_empty());
                prop_assert!(node.parent.is_none_or(|parent| parent < index));
            }
        }
    }
}
