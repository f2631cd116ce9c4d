//! Tests and intervals over paired outcomes. Each is usable alone.

mod bootstrap;
mod chance;
mod clustered;
mod correlation;
mod equivalence;
mod holm;
mod isotonic;
mod jonckheere;
mod mixed;
mod monotonicity;
mod page;
mod ranks;
mod relative;
mod replicates;

pub use bootstrap::{Bootstrap, DropInterval, Interval, paired_bootstrap};
pub use chance::{Standing, StandingRule, StandingTest, p_above_chance, standing};
pub use clustered::{Run, clustered_bootstrap};
pub use correlation::{RankCorrelation, kendall, spearman};
pub use equivalence::{EquivalenceTest, equivalence};
pub use holm::holm;
pub use isotonic::isotonic;
pub use jonckheere::{JonckheereTest, jonckheere};
pub use mixed::{Answer, Coefficient, MixedLogistic, SparsityByDifficulty, mixed_logistic, sparsity_by_difficulty};
pub use monotonicity::{MonotonicityTest, monotonicity};
pub use page::{PageTest, page_l};
pub use relative::{Estimate, LevelScores, mean_relative_drop, relative_drop_slope};

pub(crate) use clustered::{Draw, Grid, resamples};
pub(crate) use equivalence::equivalence_of_rare;
pub(crate) use relative::{Contribution, Seeds, mean, mean_part, slope, slope_part};
pub(crate) use replicates::replicates;
