//! What a causal language model must do to be evaluated.

use crate::{KeyValues, TokenTree};
use burn::tensor::{Device, Tensor};

/// A causal language model: token trees in, hidden states and keys and values out, logits only where they are wanted.
/// Several passes run at once.
pub trait CausalLm: Sync {
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
