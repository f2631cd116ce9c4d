//! Calibration samples.

use crate::TokenTree;

/// Packs token sequences into batches of at most `tokens` tokens, or one sequence; larger batches use the processor better.
pub fn batches(samples: &[Vec<u32>], tokens: usize) -> Vec<TokenTree> {
    let mut batches: Vec<TokenTree> = Vec::new();
    for sample in samples.iter().filter(|sample| !sample.is_empty()) {
        match batches.last_mut() {
            Some(batch) if batch.len() + sample.len() <= tokens => {
                batch.push_root(sample, 0);
            }
            _ => batches.push(TokenTree::sequence(sample, 0)),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_full_and_hold_everything() {
        let samples: Vec<Vec<u32>> = [3, 4, 0, 5, 20, 1].iter().map(|&n| vec![7; n]).collect();
        let lengths: Vec<usize> = batches(&samples, 8).iter().map(TokenTree::len).collect();
        assert_eq!(lengths, [7, 5, 20, 1]);
    }
}
