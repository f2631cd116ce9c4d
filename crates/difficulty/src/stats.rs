//! Tests and intervals over paired outcomes. Each is usable alone.

mod bootstrap;
mod chance;
mod holm;
mod page;
mod relative;

pub use bootstrap::{Bootstrap, DropInterval, Interval, paired_bootstrap};
pub use chance::{Standing, StandingRule, StandingTest, p_above_chance, standing};
pub use holm::holm;
pub use page::{PageTest, page_l};
pub use relative::{Estimate, LevelScores, mean_relative_drop, relative_drop_slope};
