//! Fewer examples: the first setting of difficulty.

use junkdna_backend::Seed;
use rand::seq::SliceRandom;

/// Some of the examples of a split: those that a seed puts first, in their original order. A smaller subset of the same
/// seed is part of every larger one.
pub fn subset<T: Clone>(examples: &[T], count: usize, seed: Seed) -> Vec<T> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(&mut seed.derive("subset").rng());
    order.truncate(count);
    order.sort_unstable();
    order.into_iter().map(|index| examples[index].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn smaller_ones_are_part_of_larger_ones(size in 0..200usize, a in 0..220usize, b in 0..220usize, seed: u64) {
            let all: Vec<usize> = (0..size).collect();
            let (small, large) = (subset(&all, a.min(b), Seed(seed)), subset(&all, a.max(b), Seed(seed)));
            prop_assert_eq!(large.len(), size.min(a.max(b)));
            prop_assert!(small.iter().all(|example| large.contains(example)));
            prop_assert!(small.is_sorted());
        }
    }
}
