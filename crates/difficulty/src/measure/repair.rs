use serde::{Deserialize, Serialize};

use crate::StatsError;
use crate::stats::{Bootstrap, Draw, Grid, Interval, Run, resamples};

/// What training brought back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Irreparability {
    /// Relative drop of the pruned model before training, against the dense model before training.
    pub before: Interval,
    /// Relative drop of the pruned model after training, against the dense model trained with the same budget.
    pub after: Interval,
    /// `after` / `before`: 0 where all came back, 1 where nothing did. None where the interval of `before` is not above
    /// 0: what was not lost cannot be repaired.
    pub ratio: Option<Interval>,
}

/// Irreparability of the loss of one variant (Junk DNA Hypothesis, arXiv 2310.02277: the loss on hard tasks stays
/// though the model is trained on them), with a bootstrap over items and seeds that takes both drops from the same
/// resample.
///
/// # Errors
/// Different numbers of seeds, items that are not paired, settings out of range, a dense model that is not above chance
/// before or after, or not in over 5 % of the resamples.
pub fn irreparability(
    before: &[Run<'_>],
    after: &[Run<'_>],
    bootstrap: &Bootstrap,
) -> Result<Irreparability, StatsError> {
    bootstrap.check()?;
    let first = before.first().ok_or_else(|| StatsError::Empty { what: "list of runs before training".to_owned() })?;
    if before.len() != after.len() {
        let what = "runs before and after training".to_owned();
        return Err(StatsError::Ragged { what, row: 1, expected: before.len(), found: after.len() });
    }
    let grids = [Grid::in_order_of(first.dense, before)?, Grid::in_order_of(first.dense, after)?];
    let drops = |draw: &Draw| grids.each_ref().map(|grid| grid.means(draw).relative());
    let everything = Draw::everything(grids[0].seeds, grids[0].items);
    let observed = drops(&everything);
    let sample = resamples(grids[0].seeds, grids[0].items, bootstrap, drops);
    let interval = |at: usize| {
        let resampled = sample.iter().map(|drops| drops[at]).collect();
        bootstrap.percentiles_if_defined(observed[at], resampled).ok_or_else(|| StatsError::NothingToLose {
            what: format!("{} {} training", first.dense.variant, ["before", "after"][at]),
            score: grids[at].means(&everything).dense,
        })
    };
    let (before, after) = (interval(0)?, interval(1)?);
    let ratio = |[before, after]: &[Option<f64>; 2]| {
        let (before, after) = ((*before)?, (*after)?);
        (before > 0.0).then_some(after / before)
    };
    let ratios = || bootstrap.percentiles_if_defined(ratio(&observed), sample.iter().map(ratio).collect());
    Ok(Irreparability { before, after, ratio: if before.low > 0.0 { ratios() } else { None } })
}
