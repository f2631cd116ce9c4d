//! Contexts and continuations as tokens.

use crate::EvalError;
use junkdna_backend::TokenCodec;

/// The tokens of a context and its continuation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encoded {
    /// Context, then continuation.
    pub tokens: Vec<u32>,
    /// How many of them, at the end, are the continuation.
    pub continuation: usize,
    /// How many tokens of the context were cut off at its beginning, because the model cannot read so many.
    pub cut: usize,
}

/// Tokenizes as lm-evaluation-harness does: spaces at the end of a context belong to the continuation, the two are
/// tokenized as one text, and the continuation is what comes after as many tokens as the context has alone. After a
/// context of nothing but spaces the continuation follows the tokenizer's prefix token.
///
/// Of a text longer than `context_length + 1` tokens the beginning is cut off (the last token is not read, only scored), and
/// [`Encoded::cut`] says how much.
///
/// # Errors
/// A tokenizer that fails or lacks the prefix token; a continuation without tokens; a continuation that alone is longer than the context length.
pub fn encode(
    tokenizer: &dyn TokenCodec,
    context: &str,
    continuation: &str,
    context_length: usize,
) -> Result<Encoded, EvalError> {
    let text = |text: &str| tokenizer.encode(text).map_err(EvalError::Tokenizer);
    let whole = text(&format!("{context}{continuation}"))?;
    let (mut tokens, start) = if context.trim_end().is_empty() {
        let prefix = tokenizer.prefix_token().ok_or_else(|| {
            EvalError::Tokenizer("has no beginning- or end-of-sequence token to start an empty context with".into())
        })?;
        ([vec![prefix], whole].concat(), 1)
    } else {
        let start = text(context.trim_end())?.len();
        (whole, start)
    };
    if tokens.len() <= start && text(continuation)?.is_empty() {
        return Err(EvalError::NoTokens { continuation: continuation.to_owned() });
    }
    // A merge across the border can leave the continuation no token of its own; score the last token then.
    let continuation = tokens.len().saturating_sub(start).max(1);
    if continuation > context_length {
        return Err(EvalError::TooLong { tokens: continuation, context: context_length });
    }
    let cut = tokens.len().saturating_sub(context_length + 1);
    tokens.drain(..cut);
    Ok(Encoded { tokens, continuation, cut })
}
