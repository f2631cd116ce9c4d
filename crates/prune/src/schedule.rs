//! When.

mod nested;
mod ramp;

pub(crate) use nested::keeps;
pub use nested::{Nested, next_mask};
pub use ramp::Ramp;

use crate::Sparsity;
use serde::{Deserialize, Serialize};

/// The sparsity at each step of training. In a TOML file:
///
/// ```toml
/// kind = "cubic"
/// initial = 0.0
/// target = 0.9
/// start = 100
/// end = 1000
/// frequency = 50
/// ```
///
/// It never falls. That what is gone also stays gone is for [`next_mask`] to see to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Everything at once.
    OneShot {
        /// The step.
        at: usize,
        /// The sparsity from there on.
        target: Sparsity,
    },
    /// Equal shares, with training between them (Han et al. 2015, *Learning both Weights and Connections*, arXiv
    /// 1506.02626): s = s_f + (s_i − s_f)(1 − t).
    Iterative(Ramp),
    /// Much at first, while there is much to spare, less and less later (Zhu and Gupta 2017, *To prune, or not to prune*,
    /// arXiv 1710.01878, equation 1): s = s_f + (s_i − s_f)(1 − t)³.
    Cubic(Ramp),
}

impl Schedule {
    /// The sparsity from this step on, if the mask is to be recomputed before it. At any other step the mask stays.
    pub fn sparsity(&self, step: usize) -> Option<Sparsity> {
        match self {
            Self::OneShot { at, target } => (step == *at).then_some(*target),
            Self::Iterative(ramp) => ramp.sparsity(step, |left| left),
            Self::Cubic(ramp) => ramp.sparsity(step, |left| left * left * left),
        }
    }

    /// The steps at which the mask is recomputed, with their sparsities.
    pub fn steps(&self) -> impl Iterator<Item = (usize, Sparsity)> + use<> {
        let schedule = *self;
        let (first, last) = match self {
            Self::OneShot { at, .. } => (*at, *at),
            Self::Iterative(ramp) | Self::Cubic(ramp) => (ramp.start(), ramp.end()),
        };
        (first..=last).filter_map(move |step| Some((step, schedule.sparsity(step)?)))
    }
}
