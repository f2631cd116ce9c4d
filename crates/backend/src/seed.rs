//! Seeds that name what they are for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A seed from which independent seeds are derived by name, so that adding a draw in one place changes none elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of a named part, for example a parameter path.
    pub fn derive(self, name: &str) -> Seed {
        // FNV-1a over the name, started from the mixed parent: stable over releases, unlike `std`'s hasher.
        let start = mix(self.0) ^ 0xcbf2_9ce4_8422_2325;
        let hash = name.bytes().fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
        Seed(mix(hash))
    }

    /// A generator for draws one after another.
    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }

    /// A uniform 32-bit draw that depends on the seed and an index alone: any part of a long sequence can be computed by
    /// any thread.
    #[inline(always)]
    pub fn draw(self, index: u64) -> u32 {
        (mix(self.0.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15))) >> 32) as u32
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
#[inline(always)]
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_parents_give_different_seeds() {
        let seeds = [Seed(1).derive("a"), Seed(1).derive("b"), Seed(2).derive("a"), Seed(1).derive("a").derive("b")];
        for (i, a) in seeds.iter().enumerate() {
            assert!(seeds[i + 1..].iter().all(|b| a != b));
        }
        assert_eq!(Seed(1).derive("a"), Seed(1).derive("a"));
    }

    #[test]
    fn draws_look_uniform() {
        let n = 100_000;
        let mean = (0..n).map(|i| f64::from(Seed(7).draw(i))).sum::<f64>() / n as f64 / f64::from(u32::MAX);
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        let low = (0..n).filter(|&i| Seed(7).draw(i) < u32::MAX / 10).count();
        assert!((low as f64 / n as f64 - 0.1).abs() < 0.005, "{low}");
    }
}
