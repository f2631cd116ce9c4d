//! Which examples come together, and when.

use junkdna_backend::Seed;
use rand::seq::SliceRandom;

/// Batches that lengths are sorted over: enough that padding is near zero, few enough that every epoch differs.
const POOL: usize = 50;

/// The batches of an epoch: a random order, in which every 50 batches' worth of examples is sorted by length, so that
/// batches need little padding. Depends on its arguments alone, so that a position in it says where a run was.
pub fn batches(lengths: &[usize], batch_size: usize, epoch: usize, seed: Seed) -> Vec<Vec<usize>> {
    let mut rng = seed.derive("order").derive(&epoch.to_string()).rng();
    let mut examples: Vec<usize> = (0..lengths.len()).collect();
    examples.shuffle(&mut rng);
    let mut batches = Vec::with_capacity(lengths.len().div_ceil(batch_size));
    for pool in examples.chunks_mut(batch_size * POOL) {
        pool.sort_by_key(|&example| std::cmp::Reverse(lengths[example]));
        batches.extend(pool.chunks(batch_size).map(<[usize]>::to_vec));
    }
    batches.shuffle(&mut rng);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_example_comes_once(lengths in prop::collection::vec(1..200usize, 0..500), size in 1..40usize) {
            let batches = batches(&lengths, size, 3, Seed(1));
            prop_assert_eq!(batches.len(), lengths.len().div_ceil(size));
            let mut seen = batches.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            prop_assert!(batches.iter().all(|batch| batch.len() <= size));
        }
    }

    #[test]
    fn epochs_and_seeds_differ_and_lengths_are_close() {
        let lengths: Vec<usize> = (0..4000).map(|i| 1 + i * 7919 % 128).collect();
        let first = batches(&lengths, 16, 0, Seed(1));
        assert_eq!(first, batches(&lengths, 16, 0, Seed(1)));
        assert_ne!(first, batches(&lengths, 16, 1, Seed(1)));
        assert_ne!(first, batches(&lengths, 16, 0, Seed(2)));
        let padded: usize = first.iter().map(|b| b.len() * b.iter().map(|&e| lengths[e]).max().unwrap()).sum();
        assert!(padded * 100 < lengths.iter().sum::<usize>() * 106, "{padded}");
    }
}
