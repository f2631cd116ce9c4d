//! How the next token is chosen.

use junkdna_backend::Seed;
use std::collections::HashMap;

/// Tokens drawn at random, as Transformers does: by probability after a temperature, among the `top_k` likeliest, of those
/// among the likeliest that together have `top_p` of the probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// What logits are divided by; above 0. Near 0 the likeliest token is always drawn.
    pub temperature: f64,
    /// How many tokens can be drawn.
    pub top_k: Option<usize>,
    /// The probability that the tokens which can be drawn have together, in (0, 1].
    pub top_p: Option<f64>,
    /// Another seed, other answers.
    pub seed: u64,
}

/// What chooses the tokens of each prompt's answer.
pub(super) struct Samplers {
    sampling: Option<Sampling>,
    /// One for each prompt.
    seeds: Vec<Seed>,
}

impl Samplers {
    pub fn new(sampling: Option<Sampling>, prompts: &[Vec<u32>]) -> Self {
        let seed = Seed(sampling.map_or(0, |sampling| sampling.seed));
        let mut times: HashMap<&[u32], usize> = HashMap::new();
        let seeds = prompts.iter().map(|prompt| {
            let time = times.entry(prompt).or_default();
            *time += 1;
            // By what is asked, not by when: neither order nor company changes an answer.
            seed.derive(&format!("{time} {prompt:?}"))
        });
        Self { sampling, seeds: seeds.collect() }
    }

    /// The token after `place` others of the answer to a prompt.
    pub fn next(&self, prompt: usize, place: usize, logits: &[f32]) -> u32 {
        match self.sampling {
            None => likeliest(logits),
            Some(sampling) => {
                let uniform = f64::from(self.seeds[prompt].draw(place as u64)) / 2f64.powi(32);
                sampling.draw(logits, uniform)
            }
        }
    }
}

/// The first of the largest.
pub(super) fn likeliest(logits: &[f32]) -> u32 {
    let first = (0, f32::NEG_INFINITY);
    logits.iter().enumerate().fold(first, |best, (token, &logit)| if logit > best.1 { (token, logit) } else { best }).0
        as u32
}

impl Sampling {
    /// The token whose share of the cumulated probability holds `uniform`, of [0, 1).
    fn draw(&self, logits: &[f32], uniform: f64) -> u32 {
        let candidates = self.candidates(logits);
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut left = uniform * total;
        for &(token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        candidates.first().map_or(0, |&(token, _)| token)
    }

    /// Tokens that can be drawn, likeliest first, with what their probabilities are proportional to.
    fn candidates(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        let likelier = |&a: &u32, &b: &u32| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b));
        if let Some(top_k) = self.top_k.filter(|&top_k| top_k > 0 && top_k < order.len()) {
            order.select_nth_unstable_by(top_k - 1, likelier);
            order.truncate(top_k);
        }
        order.sort_unstable_by(likelier);
        let scaled = |token: u32| f64::from(logits[token as usize]) / self.temperature.max(1e-6);
        let max = order.first().map_or(0.0, |&token| scaled(token));
        let mut candidates: Vec<(u32, f64)> = order.iter().map(|&t| (t, (scaled(t) - max).exp())).collect();
        if let Some(top_p) = self.top_p {
            let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
            let mut before = 0.0;
            let kept = candidates.iter().take_while(|&&(_, weight)| {
                let inside = before < top_p * total;
                before += weight;
                inside
            });
            let kept = kept.count().max(1);
            candidates.truncate(kept);
        }
        candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampling(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Sampling {
        Sampling { temperature, top_k, top_p, seed: 1 }
    }

    #[test]
    fn only_the_likeliest_are_candidates() {
        let logits = [0.0, 2.0, 1.0, -1.0];
        let tokens = |sampling: Sampling| sampling.candidates(&logits).into_iter().map(|c| c.0).collect::<Vec<_>>();
        assert_eq!(tokens(sampling(1.0, None, None)), [1, 2, 0, 3]);
        assert_eq!(tokens(sampling(1.0, Some(2), None)), [1, 2]);
        // Probabilities 0.64, 0.24, 0.09, 0.03: two of them reach 0.8, one is enough for 0.6.
        assert_eq!(tokens(sampling(1.0, None, Some(0.8))), [1, 2]);
        assert_eq!(tokens(sampling(1.0, None, Some(0.6))), [1]);
        assert_eq!(tokens(sampling(1.0, Some(3), Some(1e-9))), [1]);
    }

    #[test]
    fn draws_have_the_probabilities_of_the_softmax() {
        let logits: Vec<f32> = [0.5f32, 0.3, 0.2].iter().map(|p| p.ln() * 2.0).collect();
        let draw = |i: u32| sampling(2.0, None, None).draw(&logits, (f64::from(i) + 0.5) / 1000.0);
        let drawn: Vec<u32> = (0..1000).map(draw).collect();
        assert_eq!([0, 1, 2].map(|token| drawn.iter().filter(|&&t| t == token).count()), [500, 300, 200]);
    }

    proptest! {
        #[test]
        fn a_cold_draw_is_the_likeliest(logits in prop::collection::vec(-9f32..9.0, 1..20), uniform in 0.0..1.0f64) {
            let drawn = sampling(1e-6, None, None).draw(&logits, uniform);
            prop_assert_eq!(logits[drawn as usize], logits[likeliest(&logits) as usize]);
        }
    }
}
