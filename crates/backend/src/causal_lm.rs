//! What a causal language model must do to be evaluated.

use crate::TokenTree;
use burn::tensor::{Device, Tensor};
use std::ops::Range;

/// A causal language model: token trees in, hidden states and keys and values out, logits only where they are wanted.
pub trait CausalLm {
    /// The device it computes on.
    fn device(&self) -> Device;

    /// The number of token ids.
    fn vocab_size(&self) -> usize;

    /// The longest sequence it was trained for, in tokens.
    fn context_length(&self) -> usize;

    /// Runs the tokens of a tree after the kept `past`: the hidden states that [`head`](Self::head) reads,
    /// `[tokens, d_model]`, and the keys and values of the same tokens.
    fn forward(&self, tree: &TokenTree, past: &KeyValues) -> (Tensor<2>, KeyValues);

    /// The logits of hidden states: `[n, d_model]` → `[n, vocab_size]`.
    fn head(&self, hidden: Tensor<2>) -> Tensor<2>;
}

/// Text to tokens and back.
pub trait TokenCodec {
    /// The tokens of a text, without any that a template would add.
    ///
    /// # Errors
    /// A sentence that says what the tokenizer could not do.
    fn encode(&self, text: &str) -> Result<Vec<u32>, String>;

    /// The text of tokens.
    ///
    /// # Errors
    /// A sentence that says what the tokenizer could not do.
    fn decode(&self, tokens: &[u32]) -> Result<String, String>;

    /// The token that stands for an empty context: beginning of sequence, or the end-of-sequence token of models that
    /// have no other.
    fn prefix_token(&self) -> Option<u32>;

    /// The token that ends a generated text.
    fn end_token(&self) -> Option<u32>;
}

/// Keys and values of a run of tokens in every layer.
#[derive(Debug, Clone, Default)]
pub struct KeyValues {
    /// `[tokens, kv_heads * head_dim]` keys and values for each layer; empty for no tokens.
    layers: Vec<[Tensor<2>; 2]>,
}

impl KeyValues {
    /// From the keys and the values of each layer, `[tokens, kv_heads * head_dim]`.
    pub fn new(layers: Vec<[Tensor<2>; 2]>) -> Self {
        Self { layers }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |[keys, _]| keys.dims()[0])
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys and values of one layer; `None` where there are no tokens.
    pub fn layer(&self, layer: usize) -> Option<&[Tensor<2>; 2]> {
        self.layers.get(layer)
    }

    /// Those of some of the tokens.
    pub fn slice(&self, tokens: Range<usize>) -> Self {
        if tokens.is_empty() {
            return Self::default();
        }
        let cut = |tensor: &Tensor<2>| tensor.clone().slice([tokens.clone()]);
        Self { layers: self.layers.iter().map(|[k, v]| [cut(k), cut(v)]).collect() }
    }

    /// Several runs one after another.
    pub fn concat(parts: &[Self]) -> Self {
        let parts: Vec<&Self> = parts.iter().filter(|part| !part.is_empty()).collect();
        let Some(first) = parts.first() else { return Self::default() };
        let join = |layer: usize, side: usize| {
            Tensor::cat(parts.iter().map(|part| part.layers[layer][side].clone()).collect(), 0)
        };
        Self { layers: (0..first.layers.len()).map(|layer| [join(layer, 0), join(layer, 1)]).collect() }
    }
}
