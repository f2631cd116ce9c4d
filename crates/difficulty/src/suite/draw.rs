//! Seeded draws. Each purpose has its own random stream, so that one family, table or item never shifts another's.

use rand::RngExt;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Family, SuiteError};

/// The generator for `purpose` under `seed`: the ChaCha stream is the 64-bit FNV-1a hash of the purpose.
pub(crate) fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let hash = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hash);
    rng
}

/// `values` in a random order.
pub(crate) fn shuffled<T>(mut values: Vec<T>, rng: &mut ChaCha8Rng) -> Vec<T> {
    values.shuffle(rng);
    values
}

/// One of `values`.
pub(super) fn pick<'a, T>(values: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &values[rng.random_range(0..values.len())]
}

/// Puts the gold at a random place among the distractors and a space before each; returns choices and gold's index.
pub(super) fn place_gold(gold: &str, distractors: &[String], rng: &mut ChaCha8Rng) -> (Vec<String>, usize) {
    let mut choices: Vec<String> = distractors.iter().map(|d| format!(" {d}")).collect();
    let position = rng.random_range(0..=choices.len());
    choices.insert(position, format!(" {gold}"));
    (choices, position)
}

/// One of each group in turn until all are used up: every prefix of the result is balanced over the groups.
pub(super) fn interleave<T>(groups: Vec<Vec<T>>) -> Vec<T> {
    let mut groups: Vec<_> = groups.into_iter().map(Vec::into_iter).collect();
    let mut merged = Vec::new();
    loop {
        let before = merged.len();
        merged.extend(groups.iter_mut().filter_map(Iterator::next));
        if merged.len() == before {
            return merged;
        }
    }
}

/// The first `asked` of `pool`.
pub(super) fn take<T>(family: Family, mut pool: Vec<T>, asked: usize) -> Result<Vec<T>, SuiteError> {
    if asked > pool.len() {
        return Err(SuiteError::TooManyItems { family, asked, available: pool.len() });
    }
    pool.truncate(asked);
    Ok(pool)
}
