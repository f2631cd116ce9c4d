//! One number over several tasks.

use super::Score;

/// How much each task counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighting {
    /// By its number of documents.
    Size,
    /// All the same.
    Equal,
}

/// The mean over tasks, each given by its score and its number of documents. The standard error is pooled over sizes, as of
/// one sample, or that of a mean of independent means; there is none if a task has none.
pub fn aggregate(tasks: &[(Score, usize)], weighting: Weighting) -> Option<Score> {
    if tasks.is_empty() {
        return None;
    }
    let k = tasks.len() as f64;
    let stderrs: Option<Vec<f64>> = tasks.iter().map(|(score, _)| score.stderr).collect();
    let total: f64 = tasks.iter().map(|&(_, size)| size as f64).sum();
    Some(match weighting {
        Weighting::Size => {
            let pooled = |stderrs: Vec<f64>| {
                let sizes = tasks.iter().map(|&(_, size)| size as f64);
                let squares: f64 = sizes.zip(stderrs).map(|(size, e)| (size - 1.0) * e * e * size).sum();
                (squares / (total - k) / total).sqrt()
            };
            let value = tasks.iter().map(|&(score, size)| score.value * size as f64).sum::<f64>() / total;
            Score { value, stderr: stderrs.map(pooled) }
        }
        Weighting::Equal => {
            let value = tasks.iter().map(|(score, _)| score.value).sum::<f64>() / k;
            Score { value, stderr: stderrs.map(|stderrs| stderrs.iter().map(|e| e * e).sum::<f64>().sqrt() / k) }
        }
    })
}
