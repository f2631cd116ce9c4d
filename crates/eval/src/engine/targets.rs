//! Which tokens are scored, and where they are predicted.

use crate::Encoded;
use crate::prefix_tree::PrefixTree;
use burn::tensor::{Int, Tensor, TensorData};
use junkdna_backend::CausalLm;
use junkdna_backend::kernels::{TokenScore, token_scores};
use std::collections::HashMap;

/// A node of the tree, an index into its tokens, and a token that may follow there.
pub(super) type Place = (usize, usize, u32);

/// Which tokens are scored after which.
pub(super) struct Wanted(HashMap<(usize, usize), Vec<u32>>);

impl Wanted {
    pub fn new(tree: &PrefixTree, requests: &[Encoded]) -> Self {
        let mut wanted: HashMap<_, Vec<u32>> = HashMap::new();
        for (request, &end) in requests.iter().zip(&tree.ends) {
            for (node, index, token) in of(tree, request, end) {
                let tokens = wanted.entry((node, index)).or_default();
                if !tokens.contains(&token) {
                    tokens.push(token);
                }
            }
        }
        Self(wanted)
    }

    pub fn at(&self, node: usize, index: usize) -> &[u32] {
        self.0.get(&(node, index)).map_or(&[], Vec::as_slice)
    }
}

/// Where the tokens of a request's continuation are predicted.
pub(super) fn of(tree: &PrefixTree, request: &Encoded, end: usize) -> Vec<Place> {
    let first = request.tokens.len() - request.continuation;
    // From the end upwards: nodes before the continuation are not visited.
    let mut places = Vec::with_capacity(request.continuation);
    for node in std::iter::successors(Some(end), |&node| tree.nodes[node].parent) {
        let (start, tokens) = (tree.nodes[node].start, tree.nodes[node].tokens.len());
        let within = first.saturating_sub(start + 1).min(tokens);
        places.extend((within..tokens).rev().map(|index| (node, index, request.tokens[start + index + 1])));
        if start < first {
            break;
        }
    }
    places.reverse();
    places
}

/// The scores of tokens after rows of hidden states `[tokens, d_model]`: one of each row and token.
pub(super) fn predict<M: CausalLm>(model: &M, hidden: Tensor<2>, targets: &[(usize, u32)]) -> Vec<TokenScore> {
    // Several tokens may be wanted after one: its logits are computed once.
    let mut rows: Vec<usize> = targets.iter().map(|&(row, _)| row).collect();
    rows.dedup();
    let logits = model.head(select(hidden, &rows));
    let tokens: Vec<u32> = targets.iter().map(|&(_, token)| token).collect();
    if rows.len() == targets.len() {
        return token_scores(logits, &tokens);
    }
    let places: HashMap<usize, usize> = rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
    let repeated: Vec<usize> = targets.iter().map(|(row, _)| places[row]).collect();
    token_scores(select(logits, &repeated), &tokens)
}

/// Some rows of a matrix.
pub(crate) fn select(matrix: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let ids: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &matrix.device());
    matrix.select(0, ids)
}
