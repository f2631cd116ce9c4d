//! Causal language modelling: what follows a prompt, with the loss on what follows only.

use crate::objective::{Metrics, Objective};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use junkdna_backend::kernels::{TokenScore, token_scores};
use junkdna_backend::{CausalLm, KeyValues, Seed, TokenTree};
use std::ops::Range;

/// Tokens of an evaluation pass, about.
const EVALUATION_TOKENS: usize = 1024;

/// A prompt and its target as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// The prompt, at least one token, then the target, at least one.
    pub tokens: Vec<u32>,
    /// How many of them, at the end, are the target.
    pub target: usize,
}

/// A [`Question`](crate::data::Question) as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuestion {
    /// At least one.
    pub options: Vec<TokenPair>,
    /// The right one, from 0.
    pub gold: usize,
}

/// Predicting targets after their prompts, with any [`CausalLm`].
///
/// The pairs of a batch are packed into one pass, one after another without padding. Attention does not cross from one
/// pair to another and positions start anew in each, so that the loss of a pack is that of its pairs one by one.
///
/// The loss is the mean of −ln p over all target tokens of a step, as in Transformers; with label smoothing, the share ε of
/// it is the mean over the vocabulary. Metrics: `loss` and `perplexity` of the right options' tokens, without smoothing;
/// `exact`, the share of questions whose right option greedy decoding would write; and, where every question has several
/// options, `accuracy`, the share of questions whose right option has the highest log-likelihood.
#[derive(Debug, Clone)]
pub struct LanguageModeling {
    train: Vec<TokenPair>,
    validation: Vec<TokenQuestion>,
    label_smoothing: f64,
}

/// Some pairs in one pass.
struct Pack {
    /// Each pair without its last token, which is only predicted.
    tree: TokenTree,
    /// Where target tokens are predicted.
    rows: Vec<i64>,
    /// What they are.
    targets: Vec<u32>,
    /// Where in `rows` each pair's are.
    of_pair: Vec<Range<usize>>,
}

impl Pack {
    fn of<'a>(pairs: impl IntoIterator<Item = &'a TokenPair>) -> Self {
        let mut pack = Self { tree: TokenTree::default(), rows: Vec::new(), targets: Vec::new(), of_pair: Vec::new() };
        for TokenPair { tokens, target } in pairs {
            let (read, start) = (tokens.len() - 1, pack.tree.len());
            pack.tree.push_root(&tokens[..read], 0);
            let first = pack.rows.len();
            pack.rows.extend((start + read - target..start + read).map(|row| row as i64));
            pack.targets.extend(&tokens[tokens.len() - target..]);
            pack.of_pair.push(first..pack.rows.len());
        }
        pack
    }

    /// Logits where target tokens are predicted, `[targets, vocab_size]`: the head runs nowhere else.
    fn logits<M: CausalLm>(&self, model: &M) -> Tensor<2> {
        let (hidden, _) = model.forward(&self.tree, &KeyValues::default());
        let rows = TensorData::new(self.rows.clone(), [self.rows.len()]);
        let rows = Tensor::<1, Int>::from_data(rows, &hidden.device());
        model.head(hidden.select(0, rows))
    }
}

impl LanguageModeling {
    /// Of pairs to train on and questions to validate on.
    ///
    /// # Panics
    /// If a pair has no token of prompt or target, or a question no right option.
    pub fn new(train: Vec<TokenPair>, validation: Vec<TokenQuestion>, label_smoothing: f64) -> Self {
        let whole = |pair: &TokenPair| 0 < pair.target && pair.target < pair.tokens.len();
        assert!(train.iter().all(whole), "a pair without prompt or target");
        let options = validation.iter().flat_map(|question| &question.options);
        assert!(options.into_iter().all(whole), "an option without prompt or target");
        assert!(validation.iter().all(|question| question.gold < question.options.len()), "no right option");
        Self { train, validation, label_smoothing }
    }

    /// Tokens that are read of the training pairs, and of the validation questions.
    pub fn tokens(&self) -> [usize; 2] {
        let count = |pairs: &mut dyn Iterator<Item = &TokenPair>| pairs.map(|pair| pair.tokens.len() - 1).sum();
        [count(&mut self.train.iter()), count(&mut self.validation.iter().flat_map(|q| &q.options))]
    }

    /// Whether every question has several options.
    fn chooses(&self) -> bool {
        !self.validation.is_empty() && self.validation.iter().all(|question| question.options.len() > 1)
    }

    /// Scores of the target tokens of every option, in the order of the questions.
    fn scores<M: CausalLm>(&self, model: &M) -> Vec<Vec<TokenScore>> {
        let options: Vec<&TokenPair> = self.validation.iter().flat_map(|question| &question.options).collect();
        let mut all = Vec::with_capacity(options.len());
        let mut from = 0;
        while from < options.len() {
            let mut tokens = 0;
            let fits = options[from..].iter().take_while(|pair| {
                tokens += pair.tokens.len();
                tokens <= EVALUATION_TOKENS
            });
            let count = fits.count().max(1);
            let pack = Pack::of(options[from..from + count].iter().copied());
            let scores = token_scores(pack.logits(model), &pack.targets);
            all.extend(pack.of_pair.iter().map(|range| scores[range.clone()].to_vec()));
            from += count;
        }
        all
    }
}

impl<M: CausalLm> Objective<M> for LanguageModeling {
    fn examples(&self) -> usize {
        self.train.len()
    }

    fn length(&self, example: usize) -> usize {
        self.train[example].tokens.len()
    }

    /// The target tokens.
    fn weight(&self, batch: &[usize]) -> f64 {
        batch.iter().map(|&example| self.train[example].target).sum::<usize>() as f64
    }

    fn loss(&self, model: &M, batch: &[usize], _noise: Seed) -> Tensor<1> {
        let pack = Pack::of(batch.iter().map(|&example| &self.train[example]));
        mean_loss(pack.logits(model), &pack.targets, self.label_smoothing)
    }

    fn evaluate(&self, model: &M) -> Metrics {
        let scores = self.scores(model);
        let mut options = scores.iter();
        let (mut loss, mut tokens, mut exact, mut right) = (0.0, 0, 0, 0);
        for question in &self.validation {
            let own: Vec<&Vec<TokenScore>> = options.by_ref().take(question.options.len()).collect();
            let sums: Vec<f64> = own.iter().map(|option| sum(option)).collect();
            let gold = own[question.gold];
            loss -= sums[question.gold];
            tokens += gold.len();
            exact += usize::from(gold.iter().all(|token| token.greedy));
            right +=
                usize::from((0..sums.len()).all(|other| other == question.gold || sums[other] < sums[question.gold]));
        }
        let (loss, questions) = (loss / tokens.max(1) as f64, self.validation.len().max(1) as f64);
        let mut metrics = Metrics::from([
            ("loss".to_owned(), loss),
            ("perplexity".to_owned(), loss.exp()),
            ("exact".to_owned(), exact as f64 / questions),
        ]);
        if self.chooses() {
            metrics.insert("accuracy".to_owned(), right as f64 / questions);
        }
        metrics
    }

    fn metric(&self) -> &str {
        if self.chooses() { "accuracy" } else { "loss" }
    }
}

fn sum(option: &[TokenScore]) -> f64 {
    option.iter().map(|token| f64::from(token.log_prob)).sum()
}

/// The mean of −ln p of each row's target; with smoothing, of a target that gives the share to all tokens alike.
fn mean_loss(logits: Tensor<2>, targets: &[u32], smoothing: f64) -> Tensor<1> {
    let device = logits.device();
    let ids: Vec<i64> = targets.iter().map(|&target| i64::from(target)).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [targets.len(), 1]), &device);
    let log_probs = log_softmax(logits, 1);
    let loss = -log_probs.clone().gather(1, ids).mean();
    if smoothing == 0.0 { loss } else { loss * (1.0 - smoothing) - log_probs.mean() * smoothing }
}
