use crate::stats::{Bootstrap, Draw, Grid, Interval, Run, resamples};
use crate::{Outcomes, StatsError};

/// The compressed models of one sparsity on one variant.
#[derive(Debug, Clone)]
pub struct CurvePoint<'a> {
    /// Sparsity, above 0; the dense model is the curve's point at 0.
    pub sparsity: f64,
    /// One per seed, in the same order at every sparsity.
    pub runs: Vec<Run<'a>>,
}

/// The relative drop of one variant over sparsity, straight between the points, 0 at sparsity 0.
pub struct DropCurve {
    points: Vec<(f64, Grid)>,
}

/// The largest sparsity that stays within a tolerance.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CriticalSparsity {
    /// Where the curve first crosses the tolerance; the largest sparsity measured, where it never does.
    pub sparsity: Interval,
    /// Whether the curve crosses it; otherwise `sparsity` is only a lower bound.
    pub reached: bool,
}

impl DropCurve {
    /// Puts the points in order and pairs all models by item.
    ///
    /// # Errors
    /// No points, a sparsity that is not above 0 or repeats, different numbers of seeds, items that are not paired.
    pub fn new(points: &[CurvePoint<'_>]) -> Result<Self, StatsError> {
        let mut sorted: Vec<&CurvePoint> = points.iter().collect();
        sorted.sort_by(|a, b| a.sparsity.total_cmp(&b.sparsity));
        let reference: &Outcomes = sorted
            .first()
            .and_then(|point| point.runs.first())
            .ok_or_else(|| StatsError::Empty { what: "drop curve".to_owned() })?
            .dense;
        let what = format!("drop curve of {}", reference.variant);
        let mut curve = Vec::with_capacity(sorted.len());
        let mut last = 0.0;
        for (row, point) in sorted.iter().enumerate() {
            StatsError::positive(&format!("sparsity of the {what}"), point.sparsity)?;
            if point.sparsity <= last {
                return Err(StatsError::Repeated { what, name: format!("sparsity {last}") });
            }
            last = point.sparsity;
            let (found, expected) = (point.runs.len(), sorted[0].runs.len());
            if found != expected {
                return Err(StatsError::Ragged { what: format!("seeds of the {what}"), row, expected, found });
            }
            curve.push((point.sparsity, Grid::in_order_of(reference, &point.runs)?));
        }
        Ok(Self { points: curve })
    }

    /// The largest sparsity up to which the relative drop stays within `tolerance`, with a bootstrap interval over
    /// items and seeds. A drop that returns below the tolerance later does not count.
    ///
    /// # Errors
    /// A tolerance that is negative, settings out of range, a dense model that is not above chance, or not in over 5 %
    /// of the resamples.
    pub fn critical_sparsity(&self, tolerance: f64, bootstrap: &Bootstrap) -> Result<CriticalSparsity, StatsError> {
        StatsError::within("tolerance of the critical sparsity", tolerance, 0.0..=f64::MAX, "at least 0")?;
        let crossing = |draw: &Draw| Some(crossing(&self.drops(draw)?, tolerance));
        let sparsity = self.interval(bootstrap, |draw| crossing(draw).map(|(sparsity, _)| sparsity))?;
        let reached = crossing(&self.everything()).is_some_and(|(_, reached)| reached);
        Ok(CriticalSparsity { sparsity, reached })
    }

    /// Area under the curve up to the largest sparsity, divided by that sparsity: the mean relative drop (trapezoids),
    /// with a bootstrap interval over items and seeds.
    ///
    /// # Errors
    /// Those of [`DropCurve::critical_sparsity`].
    pub fn area(&self, bootstrap: &Bootstrap) -> Result<Interval, StatsError> {
        self.interval(bootstrap, |draw| self.drops(draw).map(|curve| area(&curve)))
    }

    fn interval(
        &self,
        bootstrap: &Bootstrap,
        statistic: impl Fn(&Draw) -> Option<f64> + Sync + Send,
    ) -> Result<Interval, StatsError> {
        bootstrap.check()?;
        let grid = &self.points[0].1;
        let everything = self.everything();
        let sample = resamples(grid.seeds, grid.items, bootstrap, &statistic);
        bootstrap.percentiles_if_defined(statistic(&everything), sample).ok_or_else(|| StatsError::NothingToLose {
            what: "drop curve".to_owned(),
            score: grid.means(&everything).dense,
        })
    }

    fn everything(&self) -> Draw {
        let grid = &self.points[0].1;
        Draw::everything(grid.seeds, grid.items)
    }

    /// (sparsity, relative drop) from 0; none where the dense model is not above chance.
    fn drops(&self, draw: &Draw) -> Option<Vec<(f64, f64)>> {
        let points = self.points.iter().map(|(sparsity, grid)| Some((*sparsity, grid.means(draw).relative()?)));
        std::iter::once(Some((0.0, 0.0))).chain(points).collect()
    }
}

fn crossing(curve: &[(f64, f64)], tolerance: f64) -> (f64, bool) {
    for pair in curve.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if high > tolerance {
            return (from + (to - from) * (tolerance - low) / (high - low), true);
        }
    }
    (curve[curve.len() - 1].0, false)
}

fn area(curve: &[(f64, f64)]) -> f64 {
    let trapezoid = |pair: &[(f64, f64)]| (pair[1].0 - pair[0].0) * f64::midpoint(pair[0].1, pair[1].1);
    curve.windows(2).map(trapezoid).sum::<f64>() / curve[curve.len() - 1].0
}
