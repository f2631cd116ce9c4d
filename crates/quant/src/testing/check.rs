use super::properties::Subject;
use super::{Case, cases};
use crate::{QuantError, Quantized};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// Cases per property.
const CASES: u32 = 128;

/// What a method promises beyond what holds for all. True unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// Every weight goes to the nearest value of its grid: one inside the range by at most half a step. Not so if weights make
    /// up for one another.
    pub nearest: bool,
    /// Every weight is inside the range of its grid. Not so if ranges are clipped.
    pub covers: bool,
    /// Weights that are zero stay zero, in schemes that have an exact zero. Not so if weights make up for one another.
    pub keeps_zeros: bool,
    /// Changing the weights of one group changes no other group.
    pub independent_groups: bool,
    /// Reordering outputs reorders the result likewise.
    pub permutes: bool,
    /// Outputs move at most as far on the inputs as with rounding to nearest between the smallest and the largest weight.
    pub no_worse_than_nearest: bool,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            nearest: true,
            covers: true,
            keeps_zeros: true,
            independent_groups: true,
            permutes: true,
            no_worse_than_nearest: true,
        }
    }
}

/// Checks a method against everything that holds for quantization by any method, and what it claims for itself, on random
/// weights, schemes and inputs; the same every time.
///
/// That is: the result has the shape and the scheme that were asked for; codes are within range, scales and zero points are
/// such that can be stored; rounding what the codes stand for gives the codes again; sizes count all that is stored; zero is exact
/// in every scheme that has one; the same weights become the same codes, on any number of threads; a weight that is NaN or infinite and a group size that does not divide are errors that
/// name the place. And the [`Claims`].
///
/// # Panics
/// If any of it does not hold, with what does not hold and the smallest case found for which it does not.
pub fn check_method(method: impl Fn(&Case) -> Result<Quantized, QuantError> + Sync, claims: Claims) {
    Subject::new(method).check(claims);
}

/// Runs one property over random cases.
///
/// # Panics
/// If it does not hold for one of them.
pub(super) fn holds(property: &str, test: impl Fn(Case) -> TestCaseResult) {
    let config = Config { failure_persistence: None, ..Config::with_cases(CASES) };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    if let Err(error) = runner.run(&cases(), test) {
        panic!("not so: {property}\n{error}");
    }
}
