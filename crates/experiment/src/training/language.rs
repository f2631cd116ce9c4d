//! Prompts and targets as tokens.

use crate::ExperimentError;
use junkdna_backend::TokenCodec;
use junkdna_eval::{EvalError, encode};
use junkdna_finetune::FinetuneError;
use junkdna_finetune::data::{Pair, Pairs, Question};
use junkdna_finetune::language::{LanguageModeling, TokenPair, TokenQuestion};

/// The pairs of a task as tokens, at most `max_length` each: of a longer one the beginning of the prompt is cut off. Tokens
/// are those by which the evaluation scores a continuation.
///
/// # Errors
/// A text that cannot be tokenized, a target that alone is longer than `max_length`, or targets that are to end with a token
/// that the tokenizer does not have.
pub fn language_modeling(
    pairs: &Pairs,
    tokenizer: &dyn TokenCodec,
    max_length: usize,
    label_smoothing: f64,
) -> Result<LanguageModeling, ExperimentError> {
    let end = match (pairs.ends, tokenizer.end_token()) {
        (false, _) => None,
        (true, Some(end)) => Some(end),
        (true, None) => {
            let problem = "has no end-of-text token to end targets with; say `ends = false`";
            return Err(EvalError::Tokenizer(problem.into()).into());
        }
    };
    // The first token of a text is read and not predicted: there is one more than the model reads.
    let length = max_length.saturating_sub(1 + usize::from(end.is_some()));
    let tokens = |pair: &Pair| -> Result<TokenPair, ExperimentError> {
        let encoded = encode(tokenizer, &pair.prompt, &pair.target, length).map_err(|error| match error {
            EvalError::TooLong { tokens, .. } => FinetuneError::TooLong {
                task: pairs.name.clone(),
                tokens: tokens + usize::from(end.is_some()),
                length: max_length,
            }
            .into(),
            error => ExperimentError::from(error),
        })?;
        let target = encoded.continuation + usize::from(end.is_some());
        Ok(TokenPair { tokens: encoded.tokens.into_iter().chain(end).collect(), target })
    };
    let question = |question: &Question| {
        let options = question.options.iter().map(tokens).collect::<Result<_, ExperimentError>>()?;
        Ok(TokenQuestion { options, gold: question.gold })
    };
    let train = pairs.train.iter().map(tokens).collect::<Result<_, _>>()?;
    let validation = pairs.validation.iter().map(question).collect::<Result<_, ExperimentError>>()?;
    Ok(LanguageModeling::new(train, validation, label_smoothing))
}
