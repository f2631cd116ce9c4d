use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::StatsError;

/// Two one-sided tests of "the effect is smaller than a margin".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EquivalenceTest {
    /// p-value of "the effect is at most −margin".
    pub p_lower: f64,
    /// p-value of "the effect is at least the margin".
    pub p_upper: f64,
    /// The larger of the two: equivalence holds at level α where it is at most α, which is where the 1 − 2α interval of
    /// the effect lies within the margin.
    pub p: f64,
}

/// Tests equivalence to zero within ±`margin` (Schuirmann 1987, "A comparison of the two one-sided tests procedure and
/// the power approach for assessing the equivalence of average bioavailability", J. Pharmacokin. Biopharm. 15).
///
/// # Errors
/// A margin that is not positive.
pub fn equivalence(estimate: &Estimate, margin: f64) -> Result<EquivalenceTest, StatsError> {
    StatsError::positive("margin of the equivalence test", margin)?;
    let p_lower = estimate.p_greater_than(-margin);
    let p_upper = estimate.p_less_than(margin);
    Ok(EquivalenceTest { p_lower, p_upper, p: p_lower.max(p_upper) })
}
