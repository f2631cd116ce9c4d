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
/// A margin below 0.
pub fn equivalence(estimate: &Estimate, margin: f64) -> Result<EquivalenceTest, StatsError> {
    StatsError::within("margin of the equivalence test", margin, 0.0..=f64::MAX, "at least 0")?;
    let p_lower = estimate.p_greater_than(-margin);
    let p_upper = estimate.p_less_than(margin);
    Ok(EquivalenceTest { p_lower, p_upper, p: p_lower.max(p_upper) })
}

/// As [`equivalence`] where changed answers can be so few that their variance is not seen: for either test `unseen`
/// more are counted where they matter most, in the estimate and in its variance (as Agresti and Coull 1998,
/// "Approximate is better than 'exact' for interval estimation of binomial proportions", Amer. Statist. 52, with z² / 2
/// at level α). `one_change` is what one can take from and add to the estimate.
pub(crate) fn equivalence_of_rare(
    estimate: &Estimate,
    one_change: [f64; 2],
    unseen: f64,
    margin: f64,
) -> Result<EquivalenceTest, StatsError> {
    let with = |reach: f64| Estimate {
        value: estimate.value + unseen * reach,
        standard_error: (estimate.standard_error.powi(2) + unseen * reach.powi(2)).sqrt(),
        ..*estimate
    };
    let [lowered, raised] = one_change.map(with);
    let (p_lower, p_upper) = (equivalence(&lowered, margin)?.p_lower, equivalence(&raised, margin)?.p_upper);
    Ok(EquivalenceTest { p_lower, p_upper, p: p_lower.max(p_upper) })
}
