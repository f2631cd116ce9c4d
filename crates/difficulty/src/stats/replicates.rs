//! Random replicates, on all cores, reproducible whatever the number of threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Runs `replicate` `count` times, each with the ChaCha stream of its own index under one seed: which thread computes
/// it decides nothing.
pub(crate) fn replicates<T: Send>(
    seed: u64,
    count: usize,
    replicate: impl Fn(&mut ChaCha8Rng) -> T + Sync + Send,
) -> impl IndexedParallelIterator<Item = T> {
    let run = move |index: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index as u64);
        replicate(&mut rng)
    };
    (0..count).into_par_iter().map(run)
}

/// (1 + replicates that are as extreme) / (1 + replicates): a valid p-value at any number of replicates (Phipson and
/// Smyth 2010, "Permutation P-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9).
pub(crate) fn monte_carlo_p(
    seed: u64,
    count: usize,
    as_extreme: impl Fn(&mut ChaCha8Rng) -> bool + Sync + Send,
) -> f64 {
    let extreme = replicates(seed, count, as_extreme).filter(|&extreme| extreme).count();
    (1 + extreme) as f64 / (1 + count) as f64
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn threads_do_not_matter() {
        let draw = || replicates(9, 100, |rng| rng.random::<u64>()).collect::<Vec<_>>();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(draw);
        let five = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap().install(draw);
        assert_eq!(one, five);
        assert_ne!(one[0], one[1]);
    }
}
