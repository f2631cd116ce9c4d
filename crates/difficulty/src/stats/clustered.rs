use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::iter::ParallelIterator;

use super::replicates::replicates;
use super::{Bootstrap, DropInterval};
use crate::measure::{AT_CHANCE, PairedScore, pair};
use crate::{Outcomes, StatsError};

/// One seed: the dense and the compressed model of it on the same items.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The dense model; the same outcomes in every run where only the compression has a seed.
    pub dense: &'a Outcomes,
    /// The compressed model.
    pub compressed: &'a Outcomes,
}

/// Percentile bootstrap of the mean drop over seeds and items, both resampled: every seed meets every item, so a
/// resample draws seeds and items independently of each other and takes the cells where they cross (the pigeonhole
/// bootstrap, Owen 2007, "The pigeonhole bootstrap", Ann. Appl. Stat. 1, whose variance is a little too large, never
/// asymptotically too small). With one run only items are resampled. Three seeds are few: the interval holds for more
/// seeds of their kind only as far as three can tell.
///
/// # Errors
/// No runs; those of [`pair`]; [`StatsError::NotPaired`] where runs have different items; settings out of range.
pub fn clustered_bootstrap(runs: &[Run<'_>], bootstrap: &Bootstrap) -> Result<DropInterval, StatsError> {
    bootstrap.check()?;
    let grid = Grid::of(runs)?;
    let observed = grid.means(&Draw::everything(grid.seeds, grid.items));
    let resampled = resamples(grid.seeds, grid.items, bootstrap, |draw| grid.means(draw));
    let drops = resampled.iter().map(|means| means.drop).collect();
    let relatives = resampled.iter().map(Means::relative).collect();
    Ok(DropInterval {
        drop: bootstrap.percentiles(observed.drop, drops),
        relative: bootstrap.percentiles_if_defined(observed.relative(), relatives),
    })
}

/// Mean scores of a resample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    pub(crate) dense: f64,
    pub(crate) drop: f64,
}

impl Means {
    /// None where the dense model is not above chance.
    pub(crate) fn relative(&self) -> Option<f64> {
        (self.dense > AT_CHANCE).then(|| self.drop / self.dense)
    }
}

/// Paired scores, `[seeds][items]`, the items in the order of the first run.
pub(crate) struct Grid {
    pub(crate) seeds: usize,
    pub(crate) items: usize,
    scores: Vec<PairedScore>,
}

impl Grid {
    pub(crate) fn of(runs: &[Run<'_>]) -> Result<Self, StatsError> {
        let first = runs.first().ok_or_else(|| StatsError::Empty { what: "list of runs".to_owned() })?;
        Self::in_order_of(first.dense, runs)
    }

    /// The items in the order of `reference`, so that grids of several sparsities share their items.
    pub(crate) fn in_order_of(reference: &Outcomes, runs: &[Run<'_>]) -> Result<Self, StatsError> {
        let ids = reference.items.iter().map(|item| item.id.as_str());
        let place: BTreeMap<&str, usize> = ids.zip(0..).collect();
        let items = reference.items.len();
        let mut scores = Vec::with_capacity(items * runs.len());
        for run in runs {
            let mut row = pair(run.dense, run.compressed)?;
            if let Some(id) = unshared(reference, &row) {
                let (left, right) = (reference.variant.clone(), run.dense.variant.clone());
                return Err(StatsError::NotPaired { left, right, id });
            }
            row.sort_by_key(|score| place.get(score.id.as_str()).copied());
            scores.append(&mut row);
        }
        Ok(Self { seeds: runs.len(), items, scores })
    }

    pub(crate) fn means(&self, draw: &Draw) -> Means {
        let mut sums = Means { dense: 0.0, drop: 0.0 };
        for &seed in &draw.seeds {
            let row = &self.scores[seed * self.items..(seed + 1) * self.items];
            for (score, &times) in row.iter().zip(&draw.times) {
                sums.dense += times * score.dense;
                sums.drop += times * score.drop;
            }
        }
        let cells = (draw.seeds.len() * self.items) as f64;
        Means { dense: sums.dense / cells, drop: sums.drop / cells }
    }
}

/// An item that only one of the two has.
fn unshared(reference: &Outcomes, row: &[PairedScore]) -> Option<String> {
    let left: BTreeSet<&str> = reference.items.iter().map(|item| item.id.as_str()).collect();
    let right: BTreeSet<&str> = row.iter().map(|score| score.id.as_str()).collect();
    left.symmetric_difference(&right).next().map(ToString::to_string)
}

/// The seeds of a resample, and how often each item is in it.
pub(crate) struct Draw {
    seeds: Vec<usize>,
    times: Vec<f64>,
}

impl Draw {
    pub(crate) fn everything(seeds: usize, items: usize) -> Self {
        Self { seeds: (0..seeds).collect(), times: vec![1.0; items] }
    }

    /// Mean of one value per item.
    pub(crate) fn mean(&self, values: &[f64]) -> f64 {
        self.times.iter().zip(values).map(|(times, value)| times * value).sum::<f64>() / values.len() as f64
    }

    fn random(seeds: usize, items: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut times = vec![0.0; items];
        (0..items).for_each(|_| times[rng.random_range(0..items)] += 1.0);
        // Seeds come last: a single one draws nothing, and the items stay those of the paired bootstrap.
        Self { seeds: (0..seeds).map(|_| rng.random_range(0..seeds)).collect(), times }
    }
}

/// `statistic` of every resample, in order.
pub(crate) fn resamples<T: Send>(
    seeds: usize,
    items: usize,
    bootstrap: &Bootstrap,
    statistic: impl Fn(&Draw) -> T + Sync + Send,
) -> Vec<T> {
    replicates(bootstrap.seed, bootstrap.resamples, |rng| statistic(&Draw::random(seeds, items, rng))).collect()
}
