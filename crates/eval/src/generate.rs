//! Text generation.

use crate::{EvalError, Generation};
use burn::tensor::Tensor;
use junkdna_backend::{CausalLm, KeyValues, TokenCodec, TokenTree};

/// The likeliest token after the prompt, then after that, and so on: at most `max_new` tokens, ending with one of `stop`.
pub fn greedy<M: CausalLm>(model: &M, prompt: &[u32], max_new: usize, stop: &[u32]) -> Vec<u32> {
    let ends = |generated: &[u32]| Ok(generated.last().is_some_and(|token| stop.contains(token)));
    greedy_while(model, prompt, max_new, ends).unwrap_or_default()
}

/// The same until `ends` says so of what is generated so far.
fn greedy_while<M: CausalLm>(
    model: &M,
    prompt: &[u32],
    max_new: usize,
    mut ends: impl FnMut(&[u32]) -> Result<bool, EvalError>,
) -> Result<Vec<u32>, EvalError> {
    let mut generated = Vec::new();
    let mut past = KeyValues::default();
    let mut next = prompt.to_vec();
    while generated.len() < max_new && !next.is_empty() {
        let (hidden, new) = model.forward(&TokenTree::sequence(&next, past.len()), &past);
        past = KeyValues::concat(&[past, new]);
        let token = likeliest(model.head(hidden.narrow(0, next.len() - 1, 1)));
        generated.push(token);
        next = if ends(&generated)? { Vec::new() } else { vec![token] };
    }
    Ok(generated)
}

/// What greedy decoding writes after a context, up to the first of the stop strings or the end-of-sequence token. Of a
/// context that leaves no room for the answer the beginning is cut off; an empty one is the tokenizer's prefix token.
///
/// # Errors
/// A tokenizer that fails; more tokens to generate than the model can read.
pub fn generate_until<M: CausalLm>(
    model: &M,
    tokenizer: &dyn TokenCodec,
    context: &str,
    generation: &Generation,
) -> Result<String, EvalError> {
    let limit = model.context_length();
    let room = limit.checked_sub(generation.max_tokens).filter(|&room| room > 0);
    let room = room.ok_or(EvalError::TooLong { tokens: generation.max_tokens, context: limit })?;
    let mut prompt = tokenizer.encode(context).map_err(EvalError::Tokenizer)?;
    if prompt.is_empty() {
        prompt.extend(tokenizer.prefix_token());
    }
    prompt.drain(..prompt.len().saturating_sub(room));
    if let Some(&token) = prompt.iter().find(|&&token| token as usize >= model.vocab_size()) {
        return Err(EvalError::UnknownToken { request: 0, token, vocab_size: model.vocab_size() });
    }
    let end = tokenizer.end_token();
    let text = |tokens: &[u32]| tokenizer.decode(tokens).map_err(EvalError::Tokenizer);
    let mut generated = greedy_while(model, &prompt, generation.max_tokens, |generated| {
        let whole = text(generated)?;
        Ok(generated.last().copied() == end || stops(&generation.until).any(|stop| whole.contains(stop)))
    })?;
    if generated.last().copied() == end {
        generated.pop();
    }
    Ok(cut(&text(&generated)?, &generation.until).to_owned())
}

fn stops(until: &[String]) -> impl Iterator<Item = &str> {
    until.iter().map(String::as_str).filter(|stop| !stop.is_empty())
}

/// The text before the first of the stop strings.
fn cut<'a>(text: &'a str, until: &[String]) -> &'a str {
    stops(until).fold(text, |text, stop| text.split_once(stop).map_or(text, |(before, _)| before))
}

fn likeliest(logits: Tensor<2>) -> u32 {
    logits.argmax(1).into_scalar::<i64>() as u32
}
