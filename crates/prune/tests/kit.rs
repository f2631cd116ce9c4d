//! The check of scores passes scores that keep their promises, and finds those that do not.

use burn::tensor::{Tensor, TensorData};
use junkdna_backend::{HostMatrix, Seed};
use junkdna_prune::testing::{Claims, Net, check_score};
use junkdna_prune::{
    Gradients, Largest, Magnitude, Movement, MovementSum, Nested, PruneError, Pruner, Random, Ria, Score, Sparsity,
    Taylor, Wanda, WeightRef,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn magnitude_holds() {
    check_score(|_| Magnitude, Claims::default());
}

#[test]
fn random_holds() {
    check_score(|_| Random { seed: Seed(7) }, Claims { permutation_equivariant: false, ..Claims::default() });
}

#[test]
fn largest_holds() {
    check_score(|_| Largest, Claims { idempotent: false, ..Claims::default() });
}

/// A gradient for each weight, `[d_in, d_out]`, between -1 and 1.
fn gradient(weight: &Tensor<2>) -> Option<Tensor<2>> {
    let [d_in, d_out] = weight.dims();
    let values: Vec<f32> = (0..d_in * d_out).map(|i| (i as f32 * 1.7).sin()).collect();
    Some(Tensor::from_data(TensorData::new(values, [d_in, d_out]), &weight.device()))
}

#[test]
fn taylor_holds() {
    let taylor = |net: &Net| {
        let mut gradients = Gradients::default();
        gradients.add(net, gradient).unwrap();
        Taylor { gradients }
    };
    check_score(taylor, Claims { permutation_equivariant: false, ..Claims::default() });
}

/// What a weight did while it was trained, whatever it is by now.
#[test]
fn movement_holds() {
    let movement = |net: &Net| {
        let mut sum = MovementSum::default();
        sum.add(net, gradient).unwrap();
        Movement { sum }
    };
    check_score(movement, Claims { permutation_equivariant: false, idempotent: false, ..Claims::default() });
}

/// A norm for each input, between 1/2 and 2; the first was never active.
fn norms(net: &Net) -> BTreeMap<String, Vec<f32>> {
    let of = |(layer, matrix): (usize, HostMatrix)| {
        let norm = |input: usize| if input == 0 { 0.0 } else { (input as f32).sin().exp2() };
        (Net::path(layer), (0..matrix.d_in()).map(norm).collect())
    };
    net.matrices().into_iter().enumerate().map(of).collect()
}

#[test]
fn wanda_holds() {
    check_score(|net| Wanda::new(norms(net)), Claims { idempotent: false, ..Claims::default() });
}

/// Sums over outputs depend on their order in the last bit, and on what is pruned.
#[test]
fn ria_holds() {
    let ria = |net: &Net| {
        let matrices: Vec<_> = net.matrices().into_iter().enumerate().map(|(l, m)| (Net::path(l), m)).collect();
        let weights = matrices.iter().map(|(path, matrix)| {
            let (d_out, d_in) = (matrix.d_out(), matrix.d_in());
            WeightRef { path, d_out, d_in, values: matrix.as_slice() }
        });
        Ria::new(weights, &norms(net), Ria::EXPONENT).unwrap()
    };
    check_score(ria, Claims { permutation_equivariant: false, idempotent: false, ..Claims::default() });
}

/// A score made for each module: magnitude, but what a first mask removed goes first.
#[test]
fn nested_holds() {
    let nested = |net: &Net| {
        // Broken modules have no first mask, and need none to be found out.
        let tenth = Sparsity::new(0.1).and_then(|tenth| Pruner::new(Magnitude).mask(net, tenth));
        Nested::new(Magnitude, tenth.unwrap_or_default())
    };
    check_score(nested, Claims::default());
}

/// A score by a formula: what a user writes.
struct By<F>(F);

impl<F: Fn(&WeightRef<'_>, usize) -> f32 + Send + Sync> Score for By<F> {
    fn name(&self) -> &'static str {
        "by formula"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        scores.iter_mut().zip(range).for_each(|(score, index)| *score = (self.0)(weight, index));
        Ok(())
    }
}

/// The magnitude relative to the largest of the same output.
fn relative(weight: &WeightRef<'_>, index: usize) -> f32 {
    let [output, _] = weight.position(index);
    let row = &weight.values[output * weight.d_in..][..weight.d_in];
    let largest = row.iter().fold(f32::MIN_POSITIVE, |largest, w| largest.max(w.abs()));
    weight.values[index].abs() / largest
}

#[test]
fn a_score_of_ones_own_holds() {
    check_score(|_| By(relative), Claims::default());
}

fn complaint(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check passed");
    *panic.downcast::<String>().expect("a message")
}

fn complains<F: Fn(&WeightRef<'_>, usize) -> f32 + Send + Sync + Copy + 'static>(formula: F, of: &[&str]) {
    let message = complaint(|| check_score(move |_| By(formula), Claims::default()));
    assert!(of.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn claims_that_are_false_are_found() {
    // An absolute threshold.
    complains(|w, i| (w.values[i].abs() - 0.25).abs(), &["scale_invariant", "2^"]);
    // The first outputs matter less.
    complains(|w, i| w.values[i].abs() * (1 + i / w.d_in) as f32, &["permutation_equivariant", "layers."]);
    // The same, with ties.
    complains(|w, i| (i / w.d_in) as f32, &["permutation_equivariant", "scores"]);
    // The largest go first.
    complains(|w, i| -w.values[i].abs(), &["idempotent"]);
}

#[test]
fn claims_that_are_not_made_are_not_held_against_a_score() {
    let nothing = Claims { scale_invariant: false, permutation_equivariant: false, idempotent: false };
    check_score(|_| By(|w: &WeightRef<'_>, i: usize| w.values[i].sin() - (i % 3) as f32), nothing);
}

#[test]
fn scores_that_change_are_found() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = move |_: &WeightRef<'_>, _| calls.fetch_add(1, Ordering::Relaxed) as f32;
    let message = complaint(|| check_score(|_| By(counted.clone()), Claims::default()));
    assert!(message.contains("pieces") && message.contains("layers.0.weight"), "{message}");

    // The same for every piece of one score, another each time a score is made.
    let made = AtomicU32::new(0);
    let another = |_: &Net| Random { seed: Seed(u64::from(made.fetch_add(1, Ordering::Relaxed))) };
    let message = complaint(|| check_score(another, Claims::default()));
    assert!(message.contains("every time") && message.contains("made twice"), "{message}");
}

/// A score that takes the piece for the whole.
struct FromThePiece;

impl Score for FromThePiece {
    fn name(&self) -> &'static str {
        "from the piece"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let piece = &weight.values[range];
        let largest = piece.iter().fold(f32::MIN_POSITIVE, |largest, w| largest.max(w.abs()));
        scores.iter_mut().zip(piece).for_each(|(score, w)| *score = w.abs() / largest);
        Ok(())
    }
}

#[test]
fn scores_that_depend_on_the_piece_are_found() {
    let message = complaint(|| check_score(|_| FromThePiece, Claims::default()));
    assert!(message.contains("FromThePiece") && message.contains("pieces"), "{message}");
}

#[test]
fn scores_that_are_no_numbers_or_panic_are_found() {
    complains(|w, i| if w.values[i] == 2.0 { f32::NAN } else { w.values[i] }, &["NaN", "by formula", "layers."]);
    complains(|w, i| w.values[i + 1], &["index out of bounds"]);
}
