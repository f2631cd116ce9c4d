//! Text generation.

use burn::tensor::Tensor;
use junkdna_backend::{CausalLm, KeyValues, TokenTree};

/// The likeliest token after the prompt, then after that, and so on: at most `max_new` tokens, ending with one of `stop`.
pub fn greedy<M: CausalLm>(model: &M, prompt: &[u32], max_new: usize, stop: &[u32]) -> Vec<u32> {
    let mut generated = Vec::new();
    let mut past = KeyValues::default();
    let mut next = prompt.to_vec();
    while generated.len() < max_new && !next.is_empty() {
        let (hidden, new) = model.forward(&TokenTree::sequence(&next, past.len()), &past);
        past = KeyValues::concat(&[past, new]);
        let token = likeliest(model.head(hidden.narrow(0, next.len() - 1, 1)));
        generated.push(token);
        next = if stop.contains(&token) { Vec::new() } else { vec![token] };
    }
    generated
}

fn likeliest(logits: Tensor<2>) -> u32 {
    logits.argmax(1).into_scalar::<i64>() as u32
}
