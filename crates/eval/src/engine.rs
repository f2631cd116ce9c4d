//! Log-likelihoods of many requests in few forward passes.

use crate::prefix_tree::PrefixTree;
use crate::{Encoded, EvalError};
use burn::tensor::{Int, Tensor, TensorData};
use junkdna_backend::kernels::{TokenScore, token_scores};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};
use serde::Serialize;
use std::collections::HashMap;

/// How likely a model finds a continuation after its context.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LogLikelihood {
    /// ln p(continuation | context), the sum over its tokens.
    pub sum: f64,
    /// Whether greedy decoding would give the continuation.
    pub greedy: bool,
}

/// Tokens computed so far, and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Computed.
    pub done: usize,
    /// To compute.
    pub total: usize,
}

/// Scores requests as one tree of shared prefixes: a few-shot header, a passage or a question that many requests share is
/// computed once; the tree is cut into passes of about equal size without any padding; the head runs only where a token is
/// scored.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// Tokens of one forward pass, at most. More use the processor better and need more memory.
    pub pass_tokens: usize,
    /// Rows of logits at a time, at most.
    pub head_rows: usize,
}

impl Default for Engine {
    fn default() -> Self {
        Self { pass_tokens: 512, head_rows: 128 }
    }
}

/// A token to be scored: the request whose continuation it is part of, and the logits that predict it.
struct Target {
    /// The row of hidden states before it, in its pass.
    row: usize,
    token: u32,
}

impl Engine {
    /// The log-likelihood of each request, in their order.
    ///
    /// # Errors
    /// [`EvalError::UnknownToken`] for a token outside of the model's vocabulary; [`EvalError::NotFinite`] where the
    /// model's logits are not numbers.
    pub fn score<M: CausalLm>(
        &self,
        model: &M,
        requests: &[Encoded],
        mut progress: impl FnMut(Progress),
    ) -> Result<Vec<LogLikelihood>, EvalError> {
        check_tokens(requests, model.vocab_size())?;
        // The last token of a request is predicted, never read.
        let read: Vec<&[u32]> = requests.iter().map(|r| &r.tokens[..r.tokens.len() - 1]).collect();
        let tree = PrefixTree::new(&read, self.pass_tokens);
        let wanted = Wanted::new(&tree, requests);
        let mut scores = HashMap::new();
        let mut pass = Pass::default();
        let mut done = 0;
        for node in 0..tree.nodes.len() {
            if !pass.is_empty() && pass.len() + tree.nodes[node].tokens.len() > self.pass_tokens {
                done += pass.len();
                pass = self.run(model, &tree, pass, Some(node), &wanted, &mut scores);
                progress(Progress { done, total: tree.tokens() });
            }
            pass.push(&tree, node);
        }
        if !pass.is_empty() {
            self.run(model, &tree, pass, None, &wanted, &mut scores);
        }
        progress(Progress { done: tree.tokens(), total: tree.tokens() });
        let results = requests.iter().zip(&tree.ends).map(|(request, &end)| sum(&tree, request, end, &scores));
        let results: Vec<_> = results.collect();
        match results.iter().position(|r| !r.sum.is_finite()) {
            Some(request) => Err(EvalError::NotFinite { request }),
            None => Ok(results),
        }
    }

    /// Runs a pass, scores what it predicts, and begins the next one with the keys and values that `next` builds on.
    fn run<M: CausalLm>(
        &self,
        model: &M,
        tree: &PrefixTree,
        pass: Pass,
        next: Option<usize>,
        wanted: &Wanted,
        scores: &mut HashMap<Position, TokenScore>,
    ) -> Pass {
        let (hidden, keys_values) = model.forward(&pass.tokens, &pass.past);
        let positions = pass.nodes.iter().flat_map(|&(node, first_row)| {
            let rows = 0..tree.nodes[node].tokens.len();
            rows.flat_map(move |i| wanted.at(node, i).iter().map(move |&token| (node, i, first_row + i, token)))
        });
        let positions: Vec<_> = positions.collect();
        for chunk in positions.chunks(self.head_rows.max(1)) {
            let targets: Vec<_> = chunk.iter().map(|&(_, _, row, token)| Target { row, token }).collect();
            let found = predict(model, hidden.clone(), &targets);
            scores.extend(chunk.iter().map(|&(node, i, _, token)| (node, i, token)).zip(found));
        }
        next.map_or_else(Pass::default, |next| pass.follow(tree, next, &keys_values))
    }
}

fn check_tokens(requests: &[Encoded], vocab_size: usize) -> Result<(), EvalError> {
    for (request, encoded) in requests.iter().enumerate() {
        if let Some(&token) = encoded.tokens.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(EvalError::UnknownToken { request, token, vocab_size });
        }
    }
    Ok(())
}

/// A node of the tree, an index into its tokens, and a token that may follow there.
type Position = (usize, usize, u32);

/// Which tokens are scored after which.
struct Wanted(HashMap<(usize, usize), Vec<u32>>);

impl Wanted {
    fn new(tree: &PrefixTree, requests: &[Encoded]) -> Self {
        let mut wanted: HashMap<_, Vec<u32>> = HashMap::new();
        for (request, &end) in requests.iter().zip(&tree.ends) {
            for (node, index, token) in targets(tree, request, end) {
                let tokens = wanted.entry((node, index)).or_default();
                if !tokens.contains(&token) {
                    tokens.push(token);
                }
            }
        }
        Self(wanted)
    }

    fn at(&self, node: usize, index: usize) -> &[u32] {
        self.0.get(&(node, index)).map_or(&[], Vec::as_slice)
    }
}

/// Where the tokens of a request's continuation are predicted.
fn targets(tree: &PrefixTree, request: &Encoded, end: usize) -> Vec<Position> {
    let first = request.tokens.len() - request.continuation;
    let places = tree.path(end).into_iter().flat_map(|node| {
        let start = tree.nodes[node].start;
        (0..tree.nodes[node].tokens.len()).map(move |index| (node, index, start + index + 1))
    });
    places
        .filter(|&(_, _, next)| next >= first)
        .map(|(node, index, next)| (node, index, request.tokens[next]))
        .collect()
}

fn sum(tree: &PrefixTree, request: &Encoded, end: usize, scores: &HashMap<Position, TokenScore>) -> LogLikelihood {
    let mut result = LogLikelihood { sum: 0.0, greedy: true };
    for position in targets(tree, request, end) {
        let score = scores[&position];
        result.sum += f64::from(score.log_prob);
        result.greedy &= score.greedy;
    }
    result
}

fn predict<M: CausalLm>(model: &M, hidden: Tensor<2>, targets: &[Target]) -> Vec<TokenScore> {
    // Several tokens may be wanted after one: its logits are computed once.
    let mut rows: Vec<usize> = targets.iter().map(|t| t.row).collect();
    rows.dedup();
    let ids: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let device = hidden.device();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &device);
    let logits = model.head(hidden.select(0, ids));
    if rows.len() == targets.len() {
        let tokens: Vec<u32> = targets.iter().map(|t| t.token).collect();
        return token_scores(logits, &tokens);
    }
    let places: HashMap<usize, usize> = rows.iter().enumerate().map(|(place, &row)| (row, place)).collect();
    let repeated: Vec<i64> = targets.iter().map(|t| places[&t.row] as i64).collect();
    let repeated = Tensor::<1, Int>::from_data(TensorData::new(repeated, [targets.len()]), &device);
    let tokens: Vec<u32> = targets.iter().map(|t| t.token).collect();
    token_scores(logits.select(0, repeated), &tokens)
}

/// Nodes that one forward pass computes.
#[derive(Default)]
struct Pass {
    tokens: TokenTree,
    /// Node, and the row of its first token.
    nodes: Vec<(usize, usize)>,
    segments: HashMap<usize, usize>,
    /// Kept keys and values of nodes that earlier passes computed: a path from a root, each with its tokens' end.
    past: KeyValues,
    past_nodes: Vec<(usize, usize)>,
}

impl Pass {
    fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn len(&self) -> usize {
        self.tokens.len()
    }

    fn push(&mut self, tree: &PrefixTree, node: usize) {
        let Node { tokens, parent, .. } = &tree.nodes[node];
        let row = self.tokens.len();
        let segment = match parent.and_then(|parent| self.segments.get(&parent)) {
            Some(&above) => self.tokens.push_child(tokens, above),
            None => self.tokens.push_root(tokens, self.past_end(*parent)),
        };
        self.segments.insert(node, segment);
        self.nodes.push((node, row));
    }

    fn past_end(&self, node: Option<usize>) -> usize {
        let kept = |node| self.past_nodes.iter().find(|&&(n, _)| n == node);
        node.and_then(kept).map_or(0, |&(_, end)| end)
    }

    /// An empty pass after this one, keeping the path above `next`: depth-first order needs no other.
    fn follow(self, tree: &PrefixTree, next: usize, new: &KeyValues) -> Self {
        let mut kept = Self::default();
        let mut parts = Vec::new();
        let mut end = 0;
        let path = tree.path(next);
        for &node in &path[..path.len() - 1] {
            let length = tree.nodes[node].tokens.len();
            parts.push(match self.segments.get(&node) {
                Some(&segment) => new.slice(self.tokens.segments()[segment].tokens.clone()),
                None => self.past.slice(end..end + length),
            });
            end += length;
            kept.past_nodes.push((node, end));
        }
        kept.past = KeyValues::concat(&parts);
        kept
    }
}

use crate::prefix_tree::Node;
