//! ROUGE (Lin 2004), as the Python package `rouge_score` computes it without stemming.
//!
//! The library with these numbers, `rougers` 0.2, asks for exact versions of ICU's tables and of three other crates that half of a
//! dependency tree shares, older ones among them: whoever depends on it cannot update those. What is needed of it is little. The
//! tests compare with `rouge_score` itself.

use std::collections::HashMap;

/// The F-measure of n-grams that two texts share, 0 to 1.
pub fn rouge_n(answer: &str, reference: &str, n: usize) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    let counts = |words: &[String]| {
        let mut counts: HashMap<Vec<String>, usize> = HashMap::new();
        words.windows(n.max(1)).for_each(|ngram| *counts.entry(ngram.to_vec()).or_default() += 1);
        counts
    };
    let (answer, reference) = (counts(&answer), counts(&reference));
    let shared: usize = answer.iter().map(|(ngram, &n)| n.min(reference.get(ngram).copied().unwrap_or(0))).sum();
    f_measure(shared, answer.values().sum(), reference.values().sum())
}

/// The F-measure of the longest common subsequence of words, 0 to 1.
pub fn rouge_l(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    // The lengths for all beginnings of the reference, row by row of the answer.
    let mut lengths = vec![0; reference.len() + 1];
    for word in &answer {
        let mut above_left = 0;
        for (place, other) in reference.iter().enumerate() {
            let above = lengths[place + 1];
            lengths[place + 1] = if word == other { above_left + 1 } else { above.max(lengths[place]) };
            above_left = above;
        }
    }
    f_measure(lengths[reference.len()], answer.len(), reference.len())
}

fn f_measure(shared: usize, answer: usize, reference: usize) -> f64 {
    if shared == 0 {
        return 0.0;
    }
    let (precision, recall) = (shared as f64 / answer as f64, shared as f64 / reference as f64);
    2.0 * precision * recall / (precision + recall)
}

/// Runs of ASCII letters and digits, in lower case.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}
