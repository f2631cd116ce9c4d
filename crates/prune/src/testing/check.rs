use super::{Claims, Net, properties::Subject};
use crate::Score;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use std::any::type_name;

/// Modules per property.
const CASES: u32 = 64;

/// Checks a score against everything that holds for pruning by any score, and what it claims for itself, on random
/// modules in every scope; the same modules every time.
///
/// `score` makes the score for a module: one that knows only weights ignores the argument, one that knows more (gradients,
/// calibration) makes that up for the module's paths and shapes, and the same for the same module.
///
/// That is: scores do not depend on how many are asked for at once; masks are the same every time, on any number of
/// threads; exactly ⌊n·s⌋ of n weights go, those with the smallest scores, of ties the first, or all of them
/// ([`Ties::All`](crate::Ties::All)); a mask at a higher sparsity removes what one at a lower removes; with one layer,
/// layer-wise is global; N:M removes the N smallest of every group, and an M that does not divide is an error; of blocks
/// those with the smallest mean scores go, whole; where layers have sparsities of their own each loses what its own says, and
/// what is handed out is the overall sparsity; survivors
/// and all other parameters keep their bits; a weight that is NaN or infinite is an error that names the parameter. And the
/// [`Claims`].
///
/// # Panics
/// If any of it does not hold, with the score, what does not hold, and the smallest module found for which it does not.
pub fn check_score<S: Score + 'static>(score: impl Fn(&Net) -> S, claims: Claims) {
    Subject::new(score).check(claims);
}

/// Runs one property over random cases.
///
/// # Panics
/// If it does not hold for one of them.
pub(super) fn holds<S, C: Strategy>(property: &str, cases: C, test: impl Fn(C::Value) -> TestCaseResult) {
    let config = Config { failure_persistence: None, ..Config::with_cases(CASES) };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    if let Err(error) = runner.run(&cases, test) {
        panic!("score {}: not so: {property}\n{error}", type_name::<S>());
    }
}
