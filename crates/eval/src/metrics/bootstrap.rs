//! Standard errors by resampling (Efron 1979).

use super::aggregation::sample_deviation;
use crate::PythonRandom;
use rayon::prelude::*;

/// Resamples that share a generator.
const CHUNK: usize = 1000;

/// The standard deviation of a statistic over resamples of its values.
pub fn bootstrap_stderr<T: Sync>(values: &[T], iterations: usize, statistic: impl Fn(&[&T]) -> f64 + Sync) -> f64 {
    sample_deviation(&resampled(values, iterations, statistic))
}

/// The percentile interval of a statistic: between its quantiles (1 - confidence) / 2 and (1 + confidence) / 2 over
/// resamples, whose places between two resamples are interpolated. NaN for no values, no resamples or where the statistic
/// is NaN throughout.
pub fn bootstrap_interval<T: Sync>(
    values: &[T],
    confidence: f64,
    iterations: usize,
    statistic: impl Fn(&[&T]) -> f64 + Sync,
) -> (f64, f64) {
    let mut results = match values.is_empty() {
        true => Vec::new(),
        false => resampled(values, iterations, statistic),
    };
    results.retain(|result| !result.is_nan());
    results.sort_by(f64::total_cmp);
    let quantile = |q: f64| match results.len() {
        0 => f64::NAN,
        n => {
            let place = q.clamp(0.0, 1.0) * (n - 1) as f64;
            let (below, above) = (results[place.floor() as usize], results[place.ceil() as usize]);
            below + (above - below) * place.fract()
        }
    };
    (quantile((1.0 - confidence) / 2.0), quantile((1.0 + confidence) / 2.0))
}

/// The statistic over the resamples that lm-evaluation-harness draws: chunk i of a thousand from Python's generator with the
/// seed i. As there, what does not fill a chunk is left out.
fn resampled<T: Sync>(values: &[T], iterations: usize, statistic: impl Fn(&[&T]) -> f64 + Sync) -> Vec<f64> {
    let size = CHUNK.min(iterations.max(1));
    let chunk = |seed: usize| {
        let mut random = PythonRandom::new(seed as u64);
        let mut resample = || (0..values.len()).map(|_| &values[random.choice(values.len())]).collect::<Vec<&T>>();
        (0..size).map(|_| statistic(&resample())).collect::<Vec<f64>>()
    };
    (0..iterations / size).into_par_iter().flat_map(chunk).collect()
}
