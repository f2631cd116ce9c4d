use crate::stats::{Bootstrap, Draw, Interval, resamples};
use crate::{Outcomes, StatsError};

/// Normalized human–model gap, (human − accuracy) / human: the difficulty of a task for this model, measured on the
/// dense one (Junk DNA Hypothesis, arXiv 2310.02277, section 3). Negative where the model is better. Human accuracy
/// counts as known; the interval is the bootstrap's over items.
///
/// # Errors
/// A human accuracy that is not above 0 and at most 1; those of [`Outcomes::check`]; settings out of range.
pub fn normalized_gap(human: f64, dense: &Outcomes, bootstrap: &Bootstrap) -> Result<Interval, StatsError> {
    StatsError::positive("human accuracy", human)?;
    StatsError::within("human accuracy", human, 0.0..=1.0, "above 0, at most 1")?;
    bootstrap.check()?;
    dense.check()?;
    let rights: Vec<f64> = dense.items.iter().map(|item| f64::from(u8::from(item.correct))).collect();
    let gap = |draw: &Draw| (human - draw.mean(&rights)) / human;
    let sample = resamples(1, rights.len(), bootstrap, gap);
    Ok(bootstrap.percentiles(gap(&Draw::everything(1, rights.len())), sample))
}
