//! Language modelling with a model of one's own: what a pack of pairs computes, and what validation counts.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use junkdna_backend::{CausalLm, KeyValues, Seed, TokenTree};
use junkdna_finetune::language::{LanguageModeling, TokenPair, TokenQuestion};
use junkdna_finetune::{Objective, Recipe, train};
use proptest::prelude::*;

const VOCABULARY: usize = 11;
const WIDTH: usize = 8;

/// Reads the sum of what comes before, weighted by position.
#[derive(Module, Debug)]
struct Sums {
    embedding: Embedding,
    head: Linear,
}

impl Sums {
    fn new() -> Self {
        let device = Device::flex();
        Self {
            embedding: EmbeddingConfig::new(VOCABULARY, WIDTH).init(&device),
            head: LinearConfig::new(WIDTH, VOCABULARY).init(&device),
        }
    }
}

impl CausalLm for Sums {
    fn device(&self) -> Device {
        self.head.weight.lazy_device()
    }

    fn vocab_size(&self) -> usize {
        VOCABULARY
    }

    fn context_length(&self) -> usize {
        64
    }

    fn forward(&self, tree: &TokenTree, _past: &KeyValues) -> (Tensor<2>, KeyValues) {
        let (tokens, device) = (tree.len(), CausalLm::device(self));
        let mut seen = vec![0f32; tokens * tokens];
        for segment in tree.segments() {
            for token in segment.tokens.clone() {
                for before in segment.tokens.start..=token {
                    seen[token * tokens + before] = 1.0 / (1 + tree.positions()[before]) as f32;
                }
            }
        }
        let seen = Tensor::<2>::from_data(TensorData::new(seen, [tokens, tokens]), &device);
        let ids: Vec<i64> = tree.tokens().iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, tokens]), &device);
        (seen.matmul(self.embedding.forward(ids).squeeze_dim(0)), KeyValues::default())
    }

    fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head.forward(hidden)
    }
}

fn pair() -> impl Strategy<Value = TokenPair> {
    let tokens = prop::collection::vec(0..VOCABULARY as u32, 2..12);
    (tokens, 0..100usize).prop_map(|(tokens, of)| TokenPair { target: 1 + of % (tokens.len() - 1), tokens })
}

fn value(loss: Tensor<1>) -> f64 {
    f64::from(loss.into_scalar::<f32>())
}

/// −ln p of the target tokens, by a softmax of its own over a pass of its own.
fn log_likelihood(model: &Sums, TokenPair { tokens, target }: &TokenPair) -> f64 {
    let (hidden, _) = model.forward(&TokenTree::sequence(tokens, 0), &KeyValues::default());
    let logits: Vec<f32> = model.head(hidden).into_data().iter().collect();
    let of = |at: usize| {
        let row = &logits[(at - 1) * VOCABULARY..at * VOCABULARY];
        let total: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
        f64::from(row[tokens[at] as usize]) - total.ln()
    };
    (tokens.len() - target..tokens.len()).map(of).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_pack_is_its_pairs_one_by_one(pairs in prop::collection::vec(pair(), 1..6), smoothing in 0.0..0.5f64) {
        let model = Sums::new();
        let all: Vec<usize> = (0..pairs.len()).collect();
        let task = LanguageModeling::new(pairs.clone(), Vec::new(), smoothing);
        let apart: f64 = all.iter().map(|&i| {
            let tokens = Objective::<Sums>::weight(&task, &[i]);
            tokens * value(task.loss(&model, &[i], Seed(0)))
        }).sum();
        let together = value(task.loss(&model, &all, Seed(0)));
        let tokens = Objective::<Sums>::weight(&task, &all);
        prop_assert!((apart / tokens - together).abs() < 1e-5, "{apart} {together}");

        let plain = LanguageModeling::new(pairs.clone(), Vec::new(), 0.0);
        let expected: f64 = pairs.iter().map(|pair| -log_likelihood(&model, pair)).sum();
        prop_assert!((value(plain.loss(&model, &all, Seed(0))) - expected / tokens).abs() < 1e-5);
    }

    #[test]
    fn validation_is_the_loss_of_the_right_options(pairs in prop::collection::vec(pair(), 2..60)) {
        let model = Sums::new();
        let questions: Vec<TokenQuestion> =
            pairs.chunks_exact(2).map(|two| TokenQuestion { options: two.to_vec(), gold: 1 }).collect();
        let right: Vec<TokenPair> = questions.iter().map(|question| question.options[1].clone()).collect();
        let all: Vec<usize> = (0..right.len()).collect();
        let found = LanguageModeling::new(Vec::new(), questions.clone(), 0.3).evaluate(&model);
        let loss = value(LanguageModeling::new(right, Vec::new(), 0.0).loss(&model, &all, Seed(0)));
        prop_assert!((found["loss"] - loss).abs() < 1e-4, "{found:?} {loss}");
        prop_assert!((found["perplexity"] - loss.exp()).abs() < 1e-3 * loss.exp());
        let wins = |question: &TokenQuestion| {
            log_likelihood(&model, &question.options[1]) > log_likelihood(&model, &question.options[0])
        };
        let accuracy = questions.iter().filter(|q| wins(q)).count() as f64 / questions.len() as f64;
        prop_assert!((found["accuracy"] - accuracy).abs() < 1e-9, "{found:?} {accuracy}");
    }
}

/// What follows is the first token of the prompt: training finds out, and greedy decoding then writes it.
#[test]
fn training_learns_what_follows() {
    let pair = |i: usize| {
        let first = (i % VOCABULARY) as u32;
        TokenPair { tokens: vec![first, ((i * 7) % VOCABULARY) as u32, first, 0], target: 2 }
    };
    let validation = (100..120).map(|i| TokenQuestion { options: vec![pair(i)], gold: 0 }).collect();
    let task = LanguageModeling::new((0..60).map(pair).collect(), validation, 0.0);
    let start = Sums::new();
    let before = task.evaluate(&start);
    assert!(!before.contains_key("accuracy"));
    let recipe = Recipe { epochs: 60, batch_size: 8, learning_rate: 0.03, ..Recipe::default() };
    let trained = train(start, &task, &recipe, None, &mut ()).unwrap();
    let after = task.evaluate(&trained.best);
    assert!(after["loss"] < before["loss"] / 4.0, "{before:?} {after:?}");
    assert!(after["exact"] > before["exact"], "{before:?} {after:?}");
}
