//! Many prompts at once.

use crate::engine::targets::select;
use crate::prefix_tree::PrefixTree;
use crate::{Engine, EvalError};
use junkdna_backend::{CausalLm, KeyValues, TokenTree};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Prompts that are being answered. Their keys and values are rows of one store; a prompt that shares its beginning with
/// another that runs reads the same rows.
pub(super) struct Batch<'a, M> {
    engine: Engine,
    model: &'a M,
    tree: PrefixTree,
    /// Prompts not begun, the next one last.
    waiting: Vec<usize>,
    running: Vec<Running>,
    kept: KeyValues,
    /// Where the nodes of the tree are in the store.
    nodes: HashMap<usize, Range<usize>>,
    max_tokens: usize,
    bytes_per_token: usize,
}

/// A prompt whose answer is not complete.
struct Running {
    prompt: usize,
    /// Rows of the tokens of its answer that were read.
    rows: Vec<Range<usize>>,
    /// The token to be read next; none before the prompt is.
    next: Option<u32>,
}

/// A prompt that runs, and the logits of the next token of its answer.
pub(super) type Next = (usize, Vec<f32>);

/// Parts of a store, at most: reading many small ones costs more than joining them now and then.
const PARTS: usize = 16;

impl<'a, M: CausalLm> Batch<'a, M> {
    /// Of prompts none of which is empty.
    pub fn new(engine: &Engine, model: &'a M, prompts: &[Vec<u32>], max_tokens: usize) -> Self {
        let borrowed: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let tree = PrefixTree::new(&borrowed, engine.pass_tokens);
        // Neighbours in the tree share most.
        let mut waiting: Vec<usize> = (0..prompts.len()).collect();
        waiting.sort_by_key(|&prompt| std::cmp::Reverse((tree.ends[prompt], prompt)));
        Self {
            engine: *engine,
            model,
            tree,
            waiting: if max_tokens == 0 { Vec::new() } else { waiting },
            running: Vec::new(),
            kept: KeyValues::default(),
            nodes: HashMap::new(),
            max_tokens,
            bytes_per_token: 0,
        }
    }

    /// One pass: the logits of the next token of every prompt that runs; `None` when all have ended. Each must then be
    /// told to [`read`](Self::read) a token or to [`end`](Self::end).
    pub fn step(&mut self) -> Result<Option<Vec<Next>>, EvalError> {
        self.admit();
        if self.running.is_empty() {
            return Ok(None);
        }
        let (tokens, last_rows) = self.pass();
        let (hidden, new) = self.model.forward(&tokens, &self.kept);
        self.bytes_per_token = new.bytes().div_ceil(new.len().max(1));
        self.kept = KeyValues::concat(&[std::mem::take(&mut self.kept), new]);
        let logits = self.model.head(select(hidden, &last_rows)).into_data().convert::<f32>();
        let vocab = self.model.vocab_size();
        let logits = logits.iter::<f32>().collect::<Vec<_>>();
        if let Some(row) = logits.chunks(vocab).position(|row| row.iter().any(|logit| logit.is_nan())) {
            return Err(EvalError::NotFinite { request: self.running[row].prompt });
        }
        let rows = self.running.iter().zip(logits.chunks(vocab));
        Ok(Some(rows.map(|(running, row)| (running.prompt, row.to_vec())).collect()))
    }

    /// The answer to a prompt goes on with this token.
    pub fn read(&mut self, prompt: usize, token: u32) {
        self.running.iter_mut().filter(|running| running.prompt == prompt).for_each(|r| r.next = Some(token));
    }

    /// The answers to these prompts are complete.
    pub fn end(&mut self, prompts: &[usize]) {
        self.running.retain(|running| !prompts.contains(&running.prompt));
        self.tidy();
    }

    /// Begins prompts as long as there is room: in the batch, in the next pass and in memory.
    fn admit(&mut self) {
        let mut begun = HashSet::new();
        while let Some(&prompt) = self.waiting.last() {
            let end = self.tree.ends[prompt];
            begun.extend(self.tree.path(end).into_iter().filter(|node| *node == end || !self.nodes.contains_key(node)));
            let new_tokens: usize = begun.iter().map(|&node: &usize| self.tree.nodes[node].tokens.len()).sum();
            let is_room = self.running.len() < self.engine.batch.max(1)
                && new_tokens <= self.engine.pass_tokens
                && self.fits(prompt);
            if !self.running.is_empty() && !is_room {
                return;
            }
            self.waiting.pop();
            self.running.push(Running { prompt, rows: Vec::new(), next: None });
        }
    }

    /// Whether the running prompts, another one and all their answers fit the memory.
    fn fits(&self, another: usize) -> bool {
        let Some(memory) = self.engine.kv_memory else { return true };
        // Before the first pass nobody knows what a token takes.
        if self.bytes_per_token == 0 {
            return self.running.is_empty();
        }
        let prompts = self.running.iter().map(|running| running.prompt).chain([another]);
        let tokens: usize = prompts.map(|prompt| self.tree.length(self.tree.ends[prompt]) + self.max_tokens).sum();
        tokens.saturating_mul(self.bytes_per_token) <= memory
    }

    /// The tokens of the next pass, and where it predicts the next token of each running prompt.
    fn pass(&mut self) -> (TokenTree, Vec<usize>) {
        let mut tokens = TokenTree::default();
        let mut segments: HashMap<usize, usize> = HashMap::new();
        let mut last_rows = Vec::with_capacity(self.running.len());
        let first = self.kept.len();
        for running in &mut self.running {
            let path = self.tree.path(self.tree.ends[running.prompt]);
            if let Some(token) = running.next.take() {
                let rows = path.iter().filter_map(|node| self.nodes.get(node)).chain(&running.rows).cloned();
                let segment = tokens.push_after(&[token], ascending(rows.collect()));
                let row = tokens.segments()[segment].tokens.start;
                running.rows.push(first + row..first + row + 1);
                last_rows.push(row);
                continue;
            }
            // Never the last node: what comes after it is seen only where its last token is computed.
            let above = path.iter().take(path.len() - 1);
            let kept = above.map_while(|node| self.nodes.get(node).filter(|_| !segments.contains_key(node)));
            let kept: Vec<Range<usize>> = kept.cloned().collect();
            let mut last = 0;
            for (depth, &node) in path.iter().enumerate().skip(kept.len()) {
                let Some(&segment) = segments.get(&node) else {
                    let own = &self.tree.nodes[node].tokens;
                    let above = depth.checked_sub(1).and_then(|above| segments.get(&path[above]));
                    let segment = match above {
                        Some(&above) => tokens.push_child(own, above),
                        None => tokens.push_after(own, ascending(kept.clone())),
                    };
                    segments.insert(node, segment);
                    let rows = &tokens.segments()[segment].tokens;
                    self.nodes.insert(node, first + rows.start..first + rows.end);
                    last = rows.end - 1;
                    continue;
                };
                last = tokens.segments()[segment].tokens.end - 1;
            }
            last_rows.push(last);
        }
        (tokens, last_rows)
    }

    /// Drops what no prompt reads any more once it is half of the store or too much, and joins parts where there are many.
    fn tidy(&mut self) {
        let paths = self.running.iter().flat_map(|running| self.tree.path(self.tree.ends[running.prompt]));
        let needed: HashSet<usize> = paths.collect();
        let of_nodes = self.nodes.iter().filter(|(node, _)| needed.contains(node)).map(|(_, rows)| rows.clone());
        let mut rows: Vec<_> = of_nodes.chain(self.running.iter().flat_map(|r| r.rows.iter().cloned())).collect();
        rows.sort_unstable_by_key(|range| range.start);
        let used: usize = rows.iter().map(ExactSizeIterator::len).sum();
        let over = self.engine.kv_memory.is_some_and(|memory| self.kept.bytes() > memory);
        if 2 * used > self.kept.len() && !(over && used < self.kept.len()) {
            if self.kept.num_parts() > PARTS {
                self.kept = self.kept.joined();
            }
            return;
        }
        let mut moved = HashMap::new();
        let mut next = 0;
        for range in &rows {
            moved.insert(range.start, next);
            next += range.len();
        }
        let to = |range: &Range<usize>| moved[&range.start]..moved[&range.start] + range.len();
        let parts: Vec<KeyValues> = rows.iter().map(|range| self.kept.slice(range.clone())).collect();
        self.kept = KeyValues::concat(&parts).joined();
        self.nodes.retain(|node, _| needed.contains(node));
        self.nodes.values_mut().for_each(|range| *range = to(range));
        self.running.iter_mut().flat_map(|running| &mut running.rows).for_each(|range| *range = to(range));
    }
}

/// Rows in the order of the store. Keys carry their positions, so that attention does not ask for their order.
fn ascending(mut rows: Vec<Range<usize>>) -> Vec<Range<usize>> {
    rows.sort_unstable_by_key(|range| range.start);
    rows
}
