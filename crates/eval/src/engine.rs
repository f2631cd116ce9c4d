//! Log-likelihoods of many requests in few forward passes.

mod pass;
pub(crate) mod targets;

use crate::prefix_tree::PrefixTree;
use crate::{Encoded, EvalError};
use junkdna_backend::kernels::TokenScore;
use junkdna_backend::{CausalLm, cores, each_on_a_core};
use pass::Pass;
use serde::Serialize;
use std::collections::HashMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Sender};
use std::thread;
use targets::{Place, Wanted, predict};

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

/// Scores requests as one tree of shared prefixes, and generates answers to many prompts at once.
///
/// **What is shared.** Requests that begin with the same tokens share them, whatever task they are of: a few-shot header, a
/// passage or a question is computed once, and all continuations of a question are in one pass. The tree is walked depth
/// first and cut into passes of about equal size without any padding; the head runs only where a token is scored.
///
/// **What runs at once.** On a processor each core walks parts of the tree on its own; what they share is computed by each of
/// them, so that a tree which is mostly one beginning is walked by all cores together.
///
/// **What is kept.** Between two passes the keys and values of the tokens above the next one are kept, one path of the tree
/// and never more, at most [`kv_memory`](Self::kv_memory) bytes of them. Of a path that needs more its first tokens are
/// kept, and the others are computed again with each pass that needs them: slower, with the same numbers.
///
/// Numbers depend on none of the settings, nor on the order or company of a request, but for the rounding of sums: less
/// than 1e-4.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    /// Tokens of one forward pass, at most; beside them are those that are computed again for want of memory. More use the
    /// processor better and need more memory.
    pub pass_tokens: usize,
    /// Rows of logits at a time, at most.
    pub head_rows: usize,
    /// Prompts that are answered at a time, at most.
    pub batch: usize,
    /// Bytes of keys and values kept from one pass to the next, at most; `None` for no limit. Generation needs those of one
    /// prompt and its answer in any case.
    pub kv_memory: Option<usize>,
}

impl Default for Engine {
    fn default() -> Self {
        Self { pass_tokens: 512, head_rows: 128, batch: 16, kv_memory: None }
    }
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
        let tokens: Vec<&[u32]> = requests.iter().map(|request| request.tokens.as_slice()).collect();
        check_tokens(&tokens, model.vocab_size())?;
        // The last token of a request is predicted, never read.
        let read: Vec<&[u32]> = tokens.iter().map(|tokens| &tokens[..tokens.len() - 1]).collect();
        let tree = PrefixTree::new(&read, self.pass_tokens);
        let wanted = Wanted::new(&tree, requests);
        let shares = tree.shares(cores(&model.device()));
        let at_a_time = shares.len().min(cores(&model.device())).max(1);
        let engine = Self { kv_memory: self.kv_memory.map(|memory| memory / at_a_time), ..*self };
        let (tree, wanted, device) = (&tree, &wanted, model.device());
        let scores: HashMap<_, _> = thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            // The channel ends with this thread.
            let scores = scope.spawn(move || {
                each_on_a_core(&device, shares, |nodes| engine.passes(model, tree, nodes, wanted, &tell))
            });
            let mut done = 0;
            for tokens in told {
                done += tokens;
                progress(Progress { done, total: tree.tokens() });
            }
            scores.join().unwrap_or_else(|panic| resume_unwind(panic)).into_iter().flatten().collect()
        });
        let results = requests.iter().zip(&tree.ends).map(|(request, &end)| sum(tree, request, end, &scores));
        let results: Vec<_> = results.collect();
        match results.iter().position(|r| !r.sum.is_finite()) {
            Some(request) => Err(EvalError::NotFinite { request }),
            None => Ok(results),
        }
    }

    /// Scores some nodes of the tree, in as few passes as they take.
    fn passes<M: CausalLm>(
        &self,
        model: &M,
        tree: &PrefixTree,
        nodes: Range<usize>,
        wanted: &Wanted,
        tell: &Sender<usize>,
    ) -> HashMap<Place, TokenScore> {
        let mut scores = HashMap::new();
        if nodes.is_empty() {
            return scores;
        }
        // Nobody listens any more where whoever asked has panicked.
        let tell_of = |tokens| tell.send(tokens).unwrap_or_default();
        let mut pass = Pass::beginning(tree, nodes.start);
        for node in nodes {
            if !pass.is_empty() && pass.new_tokens() + tree.nodes[node].tokens.len() > self.pass_tokens {
                let tokens = pass.new_tokens();
                pass = self.run(model, tree, pass, Some(node), wanted, &mut scores);
                tell_of(tokens);
            }
            pass.push(tree, node);
        }
        let tokens = pass.new_tokens();
        self.run(model, tree, pass, None, wanted, &mut scores);
        tell_of(tokens);
        scores
    }

    /// Runs a pass, scores what it predicts, and begins the next one with the keys and values that `next` builds on.
    fn run<M: CausalLm>(
        &self,
        model: &M,
        tree: &PrefixTree,
        pass: Pass,
        next: Option<usize>,
        wanted: &Wanted,
        scores: &mut HashMap<Place, TokenScore>,
    ) -> Pass {
        let (hidden, keys_values) = model.forward(&pass.tokens, &pass.past);
        let places = pass.nodes.iter().flat_map(|&(node, first_row)| {
            let rows = 0..tree.nodes[node].tokens.len();
            rows.flat_map(move |i| wanted.at(node, i).iter().map(move |&token| (node, i, first_row + i, token)))
        });
        let places: Vec<_> = places.collect();
        for chunk in places.chunks(self.head_rows.max(1)) {
            let targets: Vec<_> = chunk.iter().map(|&(_, _, row, token)| (row, token)).collect();
            let found = predict(model, hidden.clone(), &targets);
            scores.extend(chunk.iter().map(|&(node, i, _, token)| (node, i, token)).zip(found));
        }
        next.map_or_else(Pass::default, |next| pass.follow(tree, next, &keys_values, self.kv_memory))
    }
}

/// Whether the model knows all tokens.
pub(crate) fn check_tokens(requests: &[&[u32]], vocab_size: usize) -> Result<(), EvalError> {
    for (request, tokens) in requests.iter().enumerate() {
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(EvalError::UnknownToken { request, token, vocab_size });
        }
    }
    Ok(())
}

fn sum(tree: &PrefixTree, request: &Encoded, end: usize, scores: &HashMap<Place, TokenScore>) -> LogLikelihood {
    let mut result = LogLikelihood { sum: 0.0, greedy: true };
    for place in targets::of(tree, request, end) {
        let score = scores[&place];
        result.sum += f64::from(score.log_prob);
        result.greedy &= score.greedy;
    }
    result
}
