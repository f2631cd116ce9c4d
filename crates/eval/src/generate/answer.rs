//! An answer as it grows.

use crate::{EvalError, Generation};
use junkdna_backend::TokenCodec;

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub tokens: Vec<u32>,
}

impl Answer {
    /// Adds a token; whether the answer ends with it.
    pub fn push(&mut self, token: u32, tokenizer: &dyn TokenCodec, generation: &Generation) -> Result<bool, EvalError> {
        let is_end = Some(token) == tokenizer.end_token();
        if !is_end {
            self.tokens.push(token);
        }
        if is_end || self.tokens.len() >= generation.max_tokens {
            return Ok(true);
        }
        let longest = stops(&generation.until).map(str::len).max();
        let Some(longest) = longest else { return Ok(false) };
        // A stop string that ends with this token begins within as many tokens as it has bytes.
        let recent = &self.tokens[self.tokens.len().saturating_sub(longest + 1)..];
        let recent = tokenizer.decode(recent).map_err(EvalError::Tokenizer)?;
        if !stops(&generation.until).any(|stop| recent.contains(stop)) {
            return Ok(false);
        }
        // Tokens decoded alone can differ from those decoded after others, by a space: the whole decides.
        let whole = tokenizer.decode(&self.tokens).map_err(EvalError::Tokenizer)?;
        Ok(stops(&generation.until).any(|stop| whole.contains(stop)))
    }

    /// What comes before the first of the stop strings.
    pub fn text(self, tokenizer: &dyn TokenCodec, generation: &Generation) -> Result<String, EvalError> {
        let whole = tokenizer.decode(&self.tokens).map_err(EvalError::Tokenizer)?;
        Ok(cut(&whole, &generation.until).to_owned())
    }
}

fn stops(until: &[String]) -> impl Iterator<Item = &str> {
    until.iter().map(String::as_str).filter(|stop| !stop.is_empty())
}

/// The text before the first of the stop strings.
fn cut<'a>(text: &'a str, until: &[String]) -> &'a str {
    stops(until).fold(text, |text, stop| text.split_once(stop).map_or(text, |(before, _)| before))
}
