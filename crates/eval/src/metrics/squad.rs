//! The metrics of SQuAD (Rajpurkar et al. 2016), as its evaluation script has them.

use std::collections::HashMap;

/// Lower case, without ASCII punctuation, articles and superfluous space.
pub fn normalize(answer: &str) -> String {
    let lower = answer.to_lowercase();
    let words: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    // The script takes articles out at borders of words, where letters, digits and `_` make words.
    let mut kept = String::new();
    for word in words.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_')) {
        let bare = word.trim_end_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
        match bare {
            "a" | "an" | "the" => {
                kept.push(' ');
                kept += &word[bare.len()..];
            }
            _ => kept += word,
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without a right answer the empty one is right, as in the script of version 2.0 (Rajpurkar et al. 2018).
fn right<'a>(golds: &'a [&'a str]) -> &'a [&'a str] {
    if golds.is_empty() { &[""] } else { golds }
}

/// Whether the answer is one of the right ones, normalized: 1 or 0, the best over them. Of a question without answers the
/// empty one is right.
pub fn squad_exact_match(answer: &str, golds: &[&str]) -> f64 {
    let answer = normalize(answer);
    if right(golds).iter().any(|gold| normalize(gold) == answer) { 1.0 } else { 0.0 }
}

/// F1 of the normalized words, the best over the right answers. Where one side has no words, 1 if both have none; of a
/// question without answers the empty one is right.
pub fn squad_f1(answer: &str, golds: &[&str]) -> f64 {
    let answer = normalize(answer);
    right(golds).iter().map(|gold| token_f1(&answer, &normalize(gold))).fold(0.0, f64::max)
}

/// F1 of two texts as bags of words. Where one side has no words, 1 if both have none.
pub fn token_f1(answer: &str, gold: &str) -> f64 {
    let (answer, gold): (Vec<&str>, Vec<&str>) =
        (answer.split_whitespace().collect(), gold.split_whitespace().collect());
    if answer.is_empty() || gold.is_empty() {
        return if answer.len() == gold.len() { 1.0 } else { 0.0 };
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    gold.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let mut shared = 0.0;
    for word in &answer {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1.0;
        }
    }
    if shared == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (shared / answer.len() as f64, shared / gold.len() as f64);
    2.0 * precision * recall / (precision + recall)
}
