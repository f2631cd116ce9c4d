//! Numbers of right and predicted classes.

use std::collections::BTreeMap;

/// F1 of class 1 (van Rijsbergen 1979); 0 if it is neither right nor predicted anywhere. Pairs are (right, predicted).
pub fn f1(pairs: &[(usize, usize)]) -> f64 {
    f1_of(pairs, 1)
}

/// The mean of the F1 of all classes that are right or predicted somewhere.
pub fn macro_f1(pairs: &[(usize, usize)]) -> f64 {
    let mut classes: Vec<usize> = pairs.iter().flat_map(|&(gold, predicted)| [gold, predicted]).collect();
    classes.sort_unstable();
    classes.dedup();
    classes.iter().map(|&class| f1_of(pairs, class)).sum::<f64>() / classes.len().max(1) as f64
}

fn f1_of(pairs: &[(usize, usize)], class: usize) -> f64 {
    let count = |wanted: fn(bool, bool) -> bool| {
        pairs.iter().filter(|&&(gold, predicted)| wanted(gold == class, predicted == class)).count() as f64
    };
    let (both, either) = (count(|gold, predicted| gold && predicted), count(|gold, predicted| gold != predicted));
    if both == 0.0 { 0.0 } else { 2.0 * both / (2.0 * both + either) }
}

/// Matthews's correlation coefficient (Matthews 1975), for more than two classes as Gorodkin (2004) has it; 0 where it is
/// not defined. Pairs are (right, predicted).
pub fn matthews(pairs: &[(usize, usize)]) -> f64 {
    let mut counts: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for &(gold, predicted) in pairs {
        counts.entry(gold).or_default().0 += 1.0;
        counts.entry(predicted).or_default().1 += 1.0;
    }
    let n = pairs.len() as f64;
    let right = pairs.iter().filter(|(gold, predicted)| gold == predicted).count() as f64;
    let sum = |product: fn(f64, f64) -> f64| counts.values().map(|&(t, p)| product(t, p)).sum::<f64>();
    let both = right * n - sum(|t, p| t * p);
    let spread = (n * n - sum(|_, p| p * p)) * (n * n - sum(|t, _| t * t));
    if spread == 0.0 { 0.0 } else { both / spread.sqrt() }
}

/// The mean over documents of Σ (probability - 1 if right)² over classes (Brier 1950): between 0 and 2.
pub fn brier_score<'a>(documents: impl Iterator<Item = (usize, &'a [f64])>) -> f64 {
    let mut n = 0.0;
    let mut total = 0.0;
    for (gold, probabilities) in documents {
        let error = |(class, p): (usize, &f64)| (p - if class == gold { 1.0 } else { 0.0 }).powi(2);
        total += probabilities.iter().enumerate().map(error).sum::<f64>();
        n += 1.0;
    }
    total / n
}
