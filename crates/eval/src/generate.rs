//! Text generation.

mod answer;
mod batch;
mod sampling;

pub use sampling::Sampling;

use crate::engine::check_tokens;
use crate::{Engine, EvalError, Generation, Progress};
use answer::Answer;
use batch::Batch;
use junkdna_backend::{CausalLm, TokenCodec};

impl Engine {
    /// What a model writes after each context, in their order, up to the first of the stop strings or the end-of-sequence
    /// token. Of a context that leaves no room for the answer the beginning is cut off; an empty one is the tokenizer's
    /// prefix token.
    ///
    /// [`Engine::batch`] prompts run at a time: one that ends makes room for the next, whose tokens are computed in the
    /// pass that computes the next token of the others; what prompts share is computed once while one of them runs. With
    /// [`Engine::kv_memory`] fewer run at a time, but never less than one. Which prompts run together changes nothing: a
    /// sampled answer depends on the seed, its prompt and how many equal prompts come before it.
    ///
    /// # Errors
    /// A tokenizer that fails; a token that the model does not know; more tokens to generate than it can read.
    pub fn generate<M: CausalLm>(
        &self,
        model: &M,
        tokenizer: &dyn TokenCodec,
        contexts: &[&str],
        generation: &Generation,
        mut progress: impl FnMut(Progress),
    ) -> Result<Vec<String>, EvalError> {
        let prompts = contexts.iter().map(|context| prompt(model, tokenizer, context, generation.max_tokens));
        let prompts: Vec<Vec<u32>> = prompts.collect::<Result<_, _>>()?;
        check_tokens(&prompts.iter().map(Vec::as_slice).collect::<Vec<_>>(), model.vocab_size())?;
        let samplers = sampling::Samplers::new(generation.sampling, &prompts);
        let mut texts = vec![String::new(); prompts.len()];
        let mut done = 0;
        let mut batch = Batch::new(self, model, &prompts, generation.max_tokens);
        let mut answers: Vec<_> = (0..prompts.len()).map(|_| Answer::default()).collect();
        while let Some(logits) = batch.step()? {
            let mut ended = Vec::new();
            for (index, logits) in logits {
                let answer = &mut answers[index];
                let token = samplers.next(index, answer.tokens.len(), &logits);
                if answer.push(token, tokenizer, generation)? {
                    texts[index] = std::mem::take(answer).text(tokenizer, generation)?;
                    ended.push(index);
                    done += 1;
                } else {
                    batch.read(index, token);
                }
            }
            batch.end(&ended);
            progress(Progress { done, total: prompts.len() });
        }
        Ok(texts)
    }
}

/// The likeliest token after the prompt, then after that, and so on: at most `max_new` tokens, ending with one of `stop`.
pub fn greedy<M: CausalLm>(model: &M, prompt: &[u32], max_new: usize, stop: &[u32]) -> Vec<u32> {
    let mut generated = Vec::new();
    if prompt.is_empty() || max_new == 0 {
        return generated;
    }
    let prompts = [prompt.to_vec()];
    let mut batch = Batch::new(&Engine::default(), model, &prompts, max_new);
    while let Ok(Some(logits)) = batch.step() {
        for (index, logits) in logits {
            let token = sampling::likeliest(&logits);
            generated.push(token);
            if generated.len() == max_new || stop.contains(&token) {
                batch.end(&[index]);
            } else {
                batch.read(index, token);
            }
        }
    }
    generated
}

/// What [`Engine::generate`] gives for one context.
///
/// # Errors
/// As there.
pub fn generate_until<M: CausalLm>(
    model: &M,
    tokenizer: &dyn TokenCodec,
    context: &str,
    generation: &Generation,
) -> Result<String, EvalError> {
    let mut texts = Engine::default().generate(model, tokenizer, &[context], generation, |_| {})?;
    Ok(texts.pop().unwrap_or_default())
}

/// How many tokens are cut off at the beginning of a context, so that an answer fits behind it.
///
/// # Errors
/// As [`Engine::generate`].
pub(crate) fn cut_tokens<M: CausalLm>(
    model: &M,
    tokenizer: &dyn TokenCodec,
    context: &str,
    max_tokens: usize,
) -> Result<usize, EvalError> {
    let tokens = tokenizer.encode(context).map_err(EvalError::Tokenizer)?.len();
    Ok(tokens.saturating_sub(room(model, max_tokens)?))
}

fn room<M: CausalLm>(model: &M, max_tokens: usize) -> Result<usize, EvalError> {
    let context = model.context_length();
    let room = context.checked_sub(max_tokens).filter(|&room| room > 0);
    room.ok_or(EvalError::TooLong { tokens: max_tokens, context })
}

fn prompt<M: CausalLm>(
    model: &M,
    tokenizer: &dyn TokenCodec,
    context: &str,
    max_tokens: usize,
) -> Result<Vec<u32>, EvalError> {
    let room = room(model, max_tokens)?;
    let mut prompt = tokenizer.encode(context).map_err(EvalError::Tokenizer)?;
    if prompt.is_empty() {
        prompt.push(tokenizer.prefix_token().ok_or_else(|| {
            EvalError::Tokenizer("has no beginning- or end-of-sequence token to start an empty context with".into())
        })?);
    }
    prompt.drain(..prompt.len().saturating_sub(room));
    Ok(prompt)
}
