//! Standard errors by resampling (Efron 1979).

use super::aggregation::sample_deviation;
use crate::PythonRandom;
use rayon::prelude::*;

/// Resamples that share a generator.
const CHUNK: usize = 1000;

/// The standard deviation of a statistic over resamples of its values, with the resamples that lm-evaluation-harness draws:
/// chunk i of a thousand from Python's generator with the seed i. As there, what does not fill a chunk is left out.
pub fn bootstrap_stderr<T: Sync>(values: &[T], iterations: usize, statistic: impl Fn(&[&T]) -> f64 + Sync) -> f64 {
    let size = CHUNK.min(iterations.max(1));
    let chunk = |seed: usize| {
        let mut random = PythonRandom::new(seed as u64);
        let mut resample = || (0..values.len()).map(|_| &values[random.choice(values.len())]).collect::<Vec<&T>>();
        (0..size).map(|_| statistic(&resample())).collect::<Vec<f64>>()
    };
    let results: Vec<f64> = (0..iterations / size).into_par_iter().flat_map(chunk).collect();
    sample_deviation(&results)
}
