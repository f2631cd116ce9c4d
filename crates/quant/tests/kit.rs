//! The check of methods passes those that keep their promises, and finds those that do not.
#![cfg(feature = "calibration")]

use junkdna_quant::testing::{Case, Claims, cases, check_method};
use junkdna_quant::{Awq, Gptq, Hqq, LeastError, QuantError, Quantized, RoundToNearest};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn rounding_to_nearest_holds() {
    check_method(|case: &Case| RoundToNearest::new(case.scheme).quantize(&case.matrix), Claims::default());
}

#[test]
fn searched_ranges_hold() {
    // A clipped weight may matter most for the outputs.
    let claims = Claims { covers: false, no_worse_than_nearest: false, ..Claims::default() };
    let method =
        |case: &Case| RoundToNearest::new(case.scheme).with_range(LeastError::default()).quantize(&case.matrix);
    check_method(method, claims);
    check_method(
        |case: &Case| RoundToNearest::new(case.scheme).with_range(Hqq::default()).quantize(&case.matrix),
        claims,
    );
}

/// Without exception: not for inputs that are always zero, that are one another's copies, or fewer tokens than inputs.
#[test]
fn gptq_holds() {
    let claims =
        Claims { nearest: false, covers: false, keeps_zeros: false, independent_groups: false, ..Claims::default() };
    check_method(|case: &Case| Gptq::new(case.scheme).quantize(&case.matrix, &case.hessian()), claims);
    let ordered =
        |case: &Case| Gptq::new(case.scheme).with_activation_order(true).quantize(&case.matrix, &case.hessian());
    check_method(ordered, claims);
    let zeros = |case: &Case| {
        let keep = case.scheme.keeps_zero();
        Gptq::new(case.scheme).with_zeros_kept(keep).quantize(&case.matrix, &case.hessian())
    };
    check_method(zeros, Claims { keeps_zeros: true, ..claims });
}

#[test]
fn awq_holds() {
    let claims =
        Claims { nearest: false, covers: false, independent_groups: false, permutes: false, ..Claims::default() };
    check_method(|case: &Case| Awq::new(case.scheme).with_powers(5).quantize(&case.matrix, &case.statistics()), claims);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The outputs for which greedy rounding is worse than rounding to nearest are those that fall back to it, and no others.
    #[test]
    fn gptq_falls_back_where_greedy_rounding_is_worse_and_nowhere_else(case in cases()) {
        let (gptq, hessian) = (Gptq::new(case.scheme), case.hessian());
        let greedy = gptq.with_fallback(false).quantize(&case.matrix, &hessian).unwrap().dequantize();
        let safe = gptq.quantize(&case.matrix, &hessian).unwrap().dequantize();
        let nearest = RoundToNearest::new(case.scheme).round(&case.matrix).unwrap().0;
        let form = hessian.quadratic_form();
        let errors = |rounded: &junkdna_backend::HostMatrix| {
            let off: Vec<f32> = case.matrix.as_slice().iter().zip(rounded.as_slice()).map(|(w, r)| w - r).collect();
            form.of_rows(&off)
        };
        let (of_greedy, of_nearest) = (errors(&greedy), errors(&nearest));
        for output in 0..case.matrix.d_out() {
            let expected = if of_nearest[output] < of_greedy[output] { &nearest } else { &greedy };
            prop_assert_eq!(safe.row(output), expected.row(output));
        }
    }
}

/// Greedy rounding alone does break the promise, so that the fallback is needed: with inputs that are all but one another's
/// copies, and codes that have nowhere to go.
#[test]
fn greedy_rounding_alone_is_found_out() {
    let claims =
        Claims { nearest: false, covers: false, keeps_zeros: false, independent_groups: false, ..Claims::default() };
    let greedy = |case: &Case| Gptq::new(case.scheme).with_fallback(false).quantize(&case.matrix, &case.hessian());
    fails(greedy, claims, "outputs move at most as far");
}

#[test]
fn broken_promises_are_found() {
    let nearest = |case: &Case| RoundToNearest::new(case.scheme).quantize(&case.matrix);
    let off_by_one = |case: &Case| -> Result<Quantized, QuantError> {
        let q = nearest(case)?;
        let below = |&code: &u8| match case.scheme.zero_point() {
            Some(_) => code.saturating_sub(1).max(case.scheme.min_code()),
            None => case.scheme.max_code(),
        };
        let codes = q.codes().iter().map(below).collect();
        let shape = [q.d_out(), q.d_in()];
        Quantized::from_parts(q.scheme(), shape, codes, q.scales().to_vec(), q.zeros().to_vec())
    };
    fails(off_by_one, Claims::default(), "nearest value");
    let odd_scales = |case: &Case| -> Result<Quantized, QuantError> {
        let q = nearest(case)?;
        let (shape, scales) = ([q.d_out(), q.d_in()], q.scales().iter().map(|scale| scale * 1.000_1).collect());
        Quantized::from_parts(q.scheme(), shape, q.codes().to_vec(), scales, q.zeros().to_vec())
    };
    fails(odd_scales, Claims::default(), "can be stored");
    let clipped =
        |case: &Case| RoundToNearest::new(case.scheme).with_range(LeastError::default()).quantize(&case.matrix);
    fails(clipped, Claims::default(), "half the gap");
    let gptq = |case: &Case| Gptq::new(case.scheme).quantize(&case.matrix, &case.hessian());
    fails(gptq, Claims { nearest: false, covers: false, ..Claims::default() }, "stay zero");
}

fn fails(method: impl Fn(&Case) -> Result<Quantized, QuantError> + Sync, claims: Claims, property: &str) {
    let result = catch_unwind(AssertUnwindSafe(|| check_method(method, claims)));
    let message = result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains(property), "{message}");
}
