//! Long texts in windows.

use crate::{Encoded, EvalError};
use junkdna_backend::TokenCodec;

/// A whole text as requests that score each of its tokens once, as lm-evaluation-harness cuts it: windows of
/// `context_length` tokens side by side, the first after the tokenizer's prefix token; each of the others is read after the
/// one token before it, and the last, where it is shorter, after as many as make it whole.
///
/// # Errors
/// A tokenizer that fails or lacks the prefix token; a context length of 0.
pub fn rolling(tokenizer: &dyn TokenCodec, text: &str, context_length: usize) -> Result<Vec<Encoded>, EvalError> {
    let tokens = tokenizer.encode(text).map_err(EvalError::Tokenizer)?;
    let prefix = tokenizer.prefix_token().ok_or_else(|| {
        EvalError::Tokenizer("has no beginning- or end-of-sequence token to start a text with".into())
    })?;
    if context_length == 0 {
        return Err(EvalError::TooLong { tokens: 1, context: 0 });
    }
    Ok(windows(&tokens, prefix, context_length))
}

fn windows(tokens: &[u32], prefix: u32, length: usize) -> Vec<Encoded> {
    if tokens.is_empty() {
        return Vec::new();
    }
    let first = length.min(tokens.len());
    let mut windows = vec![Encoded { tokens: [&[prefix], &tokens[..first]].concat(), continuation: first, cut: 0 }];
    let mut scored = first;
    while scored < tokens.len() {
        let continuation = length.min(tokens.len() - scored);
        scored += continuation;
        windows.push(Encoded { tokens: tokens[scored - length - 1..scored].to_vec(), continuation, cut: 0 });
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // From `get_rolling_token_windows` and `make_disjoint_window` of lm-evaluation-harness 0.4.13.
    #[test]
    fn windows_are_those_of_the_harness() {
        let pairs = |length| {
            let tokens: Vec<u32> = (1..=7).collect();
            let split = |w: Encoded| {
                let (context, continuation) = w.tokens.split_at(w.tokens.len() - w.continuation);
                (context.to_vec(), continuation.to_vec())
            };
            windows(&tokens, 0, length).into_iter().map(split).collect::<Vec<_>>()
        };
        assert_eq!(pairs(3), [(vec![0], vec![1, 2, 3]), (vec![3], vec![4, 5, 6]), (vec![4, 5, 6], vec![7])]);
        assert_eq!(pairs(10), [(vec![0], vec![1, 2, 3, 4, 5, 6, 7])]);
    }

    proptest! {
        #[test]
        fn each_token_is_scored_once(n in 0u32..50, length in 1usize..12) {
            let tokens: Vec<u32> = (1..=n).collect();
            let windows = windows(&tokens, 0, length);
            let scored = windows.iter().flat_map(|w| w.tokens[w.tokens.len() - w.continuation..].to_vec());
            prop_assert_eq!(scored.collect::<Vec<_>>(), tokens);
            prop_assert!(windows.iter().all(|w| w.tokens.len() <= length + 1 && w.tokens.len() > w.continuation));
        }
    }
}
