//! The generator of Python's `random`.

/// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) with the seeding and the derived draws of CPython's
/// `random.Random`, so that shots and bootstrap samples are those of lm-evaluation-harness.
#[derive(Clone)]
pub struct PythonRandom {
    state: [u32; N],
    index: usize,
}

const N: usize = 624;
const M: usize = 397;

impl PythonRandom {
    /// `random.Random(seed)`.
    pub fn new(seed: u64) -> Self {
        let key = if seed >> 32 == 0 { vec![seed as u32] } else { vec![seed as u32, (seed >> 32) as u32] };
        Self::from_key(&key)
    }

    /// `init_by_array` of the authors.
    fn from_key(key: &[u32]) -> Self {
        let mut state = [0u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            state[i] = 1_812_433_253u32.wrapping_mul(state[i - 1] ^ (state[i - 1] >> 30)).wrapping_add(i as u32);
        }
        let mixed = |state: &[u32; N], i: usize, factor: u32| {
            state[i] ^ (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(factor)
        };
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            state[i] = mixed(&state, i, 1_664_525).wrapping_add(key[j]).wrapping_add(j as u32);
            (i, j) = (next(&mut state, i), (j + 1) % key.len());
        }
        for _ in 1..N {
            state[i] = mixed(&state, i, 1_566_083_941).wrapping_sub(i as u32);
            i = next(&mut state, i);
        }
        state[0] = 0x8000_0000;
        Self { state, index: N }
    }

    fn word(&mut self) -> u32 {
        if self.index == N {
            self.twist();
        }
        let mut word = self.state[self.index];
        self.index += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let joined = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if joined & 1 == 0 { 0 } else { 0x9908_b0df };
            self.state[i] = self.state[(i + M) % N] ^ (joined >> 1) ^ odd;
        }
        self.index = 0;
    }

    /// `random()`: uniform in [0, 1), 53 bits.
    pub fn random(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `randrange(n)`, for n from 1 to 2³² - 1.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let draw = (self.word() >> (32 - bits)) as usize;
            if draw < n {
                return draw;
            }
        }
    }

    /// `sample(range(n), k)`: k different indices in random order, or `None` if there are fewer.
    pub fn sample(&mut self, n: usize, k: usize) -> Option<Vec<usize>> {
        if k > n || n > u32::MAX as usize {
            return None;
        }
        if n <= set_size(k) {
            let mut pool: Vec<usize> = (0..n).collect();
            let draw = |i| {
                let place = self.below(n - i);
                let chosen = pool[place];
                pool[place] = pool[n - i - 1];
                chosen
            };
            return Some((0..k).map(draw).collect());
        }
        let mut chosen = Vec::with_capacity(k);
        let mut seen = std::collections::HashSet::new();
        while chosen.len() < k {
            let draw = self.below(n);
            if seen.insert(draw) {
                chosen.push(draw);
            }
        }
        Some(chosen)
    }

    /// One index of `choices(range(n))`.
    pub fn choice(&mut self, n: usize) -> usize {
        (self.random() * n as f64) as usize
    }
}

fn next(state: &mut [u32; N], i: usize) -> usize {
    if i + 1 < N {
        return i + 1;
    }
    state[0] = state[N - 1];
    1
}

/// Up to which population CPython's `sample` shuffles a list instead of remembering what it drew.
fn set_size(k: usize) -> usize {
    if k > 5 { 21 + 4usize.pow(((k * 3) as f64).log(4.0).ceil() as u32) } else { 21 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // From CPython 3.11.
    #[test]
    fn draws_are_those_of_python() {
        let mut random = PythonRandom::new(1234);
        assert_eq!([random.random(), random.random()], [0.9664535356921388, 0.4407325991753527]);
        assert_eq!(PythonRandom::new(1234).sample(20, 5), Some(vec![14, 3, 0, 2, 1]));
        assert_eq!(PythonRandom::new(0).sample(1000, 10), Some(vec![864, 394, 776, 911, 430, 41, 265, 988, 523, 497]));
        assert_eq!(PythonRandom::new(1 << 40).sample(80, 7), Some(vec![13, 45, 8, 54, 6, 49, 51]));
        let mut random = PythonRandom::new(3);
        assert_eq!([(); 8].map(|()| random.choice(100)), [23, 54, 36, 60, 62, 6, 1, 83]);
    }

    proptest! {
        #[test]
        fn samples_are_different_members(seed: u64, n in 1usize..400, share in 0.0..=1.0f64) {
            let k = (n as f64 * share) as usize;
            let mut sample = PythonRandom::new(seed).sample(n, k).unwrap();
            sample.sort_unstable();
            sample.dedup();
            prop_assert!(sample.len() == k && sample.iter().all(|&i| i < n));
            prop_assert_eq!(PythonRandom::new(seed).sample(n, n + 1), None);
        }
    }
}
