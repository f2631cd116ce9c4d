//! Log-probabilities of given next tokens.

use burn::tensor::{Int, Tensor, TensorData, activation::log_softmax};

/// How likely a model found one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenScore {
    /// ln p(token).
    pub log_prob: f32,
    /// Whether no other token was likelier.
    pub greedy: bool,
}

/// The score of one target token per row of `logits` `[n, vocab]`.
///
/// # Panics
/// If there are not as many targets as rows, or one is not in the vocabulary.
pub fn token_scores(logits: Tensor<2>, targets: &[u32]) -> Vec<TokenScore> {
    let [rows, vocab] = logits.dims();
    assert_eq!(rows, targets.len(), "one target per row");
    assert!(targets.iter().all(|&t| (t as usize) < vocab), "a target outside of the vocabulary of {vocab}");
    #[cfg(feature = "flex")]
    if super::flex::holds(&logits) {
        return on_flex(&super::flex::take(logits), vocab, targets);
    }
    composed(logits, targets)
}

fn composed(logits: Tensor<2>, targets: &[u32]) -> Vec<TokenScore> {
    let device = logits.device();
    let ids: Vec<i64> = targets.iter().map(|&t| i64::from(t)).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [targets.len(), 1]), &device);
    let best = logits.clone().max_dim(1);
    let greedy = logits.clone().gather(1, ids.clone()).greater_equal(best).into_data();
    let log_probs = log_softmax(logits, 1).gather(1, ids).into_data().convert::<f32>();
    let pairs = log_probs.iter::<f32>().zip(greedy.iter::<bool>());
    pairs.map(|(log_prob, greedy)| TokenScore { log_prob, greedy }).collect()
}

#[cfg(feature = "flex")]
fn on_flex(logits: &burn_flex::FlexTensor, vocab: usize, targets: &[u32]) -> Vec<TokenScore> {
    use rayon::prelude::*;
    let rows = logits.as_slice::<f32>().unwrap_or_default().par_chunks(vocab);
    rows.zip(targets)
        .map(|(row, &target)| {
            let (max, log_sum) = super::flex::vectorized(
                #[inline(always)]
                || max_and_log_sum_exp(row),
            );
            let logit = row[target as usize];
            TokenScore { log_prob: logit - max - log_sum, greedy: logit >= max }
        })
        .collect()
}

/// The largest of a row, and ln Σ e^(x - largest).
#[cfg(feature = "flex")]
#[inline(always)]
fn max_and_log_sum_exp(row: &[f32]) -> (f32, f32) {
    // Sixteen partial results: a single one would make the loop wait for itself.
    const LANES: usize = 16;
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut max = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (m, x) in max.iter_mut().zip(chunk) {
            *m = m.max(*x);
        }
    }
    let max = max.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut sum = [0f32; LANES];
    for chunk in chunks {
        for (s, x) in sum.iter_mut().zip(chunk) {
            *s += super::exp::exp(x - max);
        }
    }
    let rest: f32 = rest.iter().map(|x| super::exp::exp(x - max)).sum();
    (max, (sum.iter().sum::<f32>() + rest).ln())
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn agrees_with_burns_operations() {
        let logits = Tensor::<2>::random([9, 1003], Distribution::Normal(0.0, 5.0), &Device::flex());
        let best: Vec<i64> = logits.clone().argmax(1).into_data().iter::<i64>().collect();
        let targets: Vec<u32> =
            best.iter().enumerate().map(|(i, &b)| if i % 2 == 0 { b as u32 } else { i as u32 }).collect();
        let expected = composed(logits.clone(), &targets);
        for (got, want) in token_scores(logits, &targets).iter().zip(&expected) {
            assert!((got.log_prob - want.log_prob).abs() < 1e-4, "{got:?} {want:?}");
            assert_eq!(got.greedy, want.greedy);
        }
    }
}
