//! BLEU of a corpus (Papineni et al. 2002), as sacrebleu (Post 2018) computes it by default: tokenizer 13a, n-grams up to
//! four, exponential smoothing.
//!
//! No library of Rust's has these numbers: `bleuscore` 0.2 either smooths by adding one or not at all, which is another number
//! wherever an order has no match, gives no counts to draw bootstrap samples from, and panics where there are no answers. The
//! tests compare with sacrebleu itself.

use fancy_regex::Regex;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

const ORDER: usize = 4;

/// The separations of mteval-v13a, one after the other.
static SEPARATIONS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"([\{-~\[-` -&\(-\+:-@/])", " $1 "),
        (r"([^0-9])([\.,])", "$1 $2 "),
        (r"([\.,])([^0-9])", " $1 $2"),
        (r"([0-9])(-)", "$1 $2 "),
    ];
    rules.into_iter().filter_map(|(rule, by)| Some((Regex::new(rule).ok()?, by))).collect()
});

/// BLEU, 0 to 100, of answers with their references, one or several each.
pub fn corpus_bleu(pairs: &[(&str, &[String])]) -> f64 {
    let segments: Vec<Counts> = pairs.iter().map(|(answer, references)| Counts::new(answer, references)).collect();
    Counts::bleu(&segments.iter().collect::<Vec<_>>())
}

/// What one answer adds to the sums that BLEU is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Counts {
    /// n-grams of each order that are in a reference.
    correct: [usize; ORDER],
    /// n-grams of each order.
    total: [usize; ORDER],
    length: usize,
    /// Of the reference nearest in length.
    reference: usize,
}

impl Counts {
    pub fn new(answer: &str, references: &[String]) -> Self {
        let answer = tokenize(answer);
        let references: Vec<Vec<String>> = references.iter().map(|text| tokenize(text)).collect();
        let nearest = references.iter().map(Vec::len).min_by_key(|&n| (n.abs_diff(answer.len()), n));
        let mut counts = Self { length: answer.len(), reference: nearest.unwrap_or(0), ..Self::default() };
        for n in 1..=ORDER {
            let known: Vec<_> = references.iter().map(|tokens| ngrams(tokens, n)).collect();
            for (ngram, count) in ngrams(&answer, n) {
                let allowed = known.iter().filter_map(|known| known.get(ngram)).max().copied().unwrap_or(0);
                counts.correct[n - 1] += count.min(allowed);
                counts.total[n - 1] += count;
            }
        }
        counts
    }

    /// BLEU of all answers together.
    pub fn bleu(segments: &[&Self]) -> f64 {
        let sum = |part: &dyn Fn(&Self) -> usize| segments.iter().map(|segment| part(segment)).sum::<usize>();
        let correct: [usize; ORDER] = std::array::from_fn(|n| sum(&|s| s.correct[n]));
        let total: [usize; ORDER] = std::array::from_fn(|n| sum(&|s| s.total[n]));
        let (length, reference) = (sum(&|s| s.length) as f64, sum(&|s| s.reference) as f64);
        if correct == [0; ORDER] || total.contains(&0) {
            return 0.0;
        }
        let brevity = if length < reference { (1.0 - reference / length).exp() } else { 1.0 };
        let mut smooth = 1.0;
        let logs = correct.iter().zip(total).map(|(&correct, total)| match correct {
            0 => {
                smooth *= 2.0;
                (100.0 / (smooth * total as f64)).ln()
            }
            correct => (100.0 * correct as f64 / total as f64).ln(),
        });
        brevity * (logs.sum::<f64>() / ORDER as f64).exp()
    }
}

fn tokenize(text: &str) -> Vec<String> {
    let text = text.trim_end().replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let mut text = format!(" {text} ");
    for (rule, by) in SEPARATIONS.iter() {
        if let Cow::Owned(separated) = rule.replace_all(&text, *by) {
            text = separated;
        }
    }
    text.split_whitespace().map(str::to_owned).collect()
}

fn ngrams(tokens: &[String], n: usize) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    tokens.windows(n).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}
