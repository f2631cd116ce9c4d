//! Scores that know a backward pass.

mod common;

use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use common::{Net, Rows, gone, net, net_on, path, sparsity};
use junkdna_backend::Selection;
use junkdna_prune::{
    Gradients, Largest, Magnitude, Mask, Movement, MovementSum, PruneError, Pruner, Scope, Score, Taylor, WeightRef,
};
use proptest::prelude::*;
use std::sync::Arc;

fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}

/// x · W, without the bias; x is one row.
fn forward(net: &Net, layer: usize, x: Tensor<2>) -> Tensor<2> {
    x.matmul(net.layers[layer].weight.val())
}

/// The sum of `y · weights`, so that ∂L/∂W is `weightsᵀ x`, whatever W is.
fn linear_loss(net: &Net, x: &[f32], weights: &[f32], device: &Device) -> Tensor<1> {
    (forward(net, 0, row(x, device)) * row(weights, device)).sum()
}

fn two_by_three() -> Rows {
    Rows::new(2, 3, vec![1.0, 2.0, -3.0, -0.5, 4.0, 0.25])
}

fn scores(score: &dyn Score, rows: &Rows) -> Vec<f32> {
    let path = path(0);
    let weight = WeightRef { path: &path, d_out: rows.d_out, d_in: rows.d_in, values: &rows.values };
    let mut scores = vec![0.0; rows.values.len()];
    // In two pieces, as they are asked for.
    let (a, b) = scores.split_at_mut(2);
    score.score(&weight, 0..2, a).unwrap();
    score.score(&weight, 2..rows.values.len(), b).unwrap();
    scores
}

#[test]
fn taylor_is_the_weight_times_the_sum_of_its_gradients() {
    let device = Device::flex().autodiff();
    let rows = two_by_three();
    let net = net_on(&device, std::slice::from_ref(&rows));
    let mut gradients = Gradients::default();
    for (x, y) in [([1.0, 2.0, 3.0], [1.0, -1.0]), ([0.0, -4.0, 1.0], [0.5, 2.0])] {
        let backward = linear_loss(&net, &x, &y, &device).backward();
        gradients.add(&net, |weight| weight.grad(&backward)).unwrap();
    }
    // [1, -1]ᵀ [1, 2, 3] + [0.5, 2]ᵀ [0, -4, 1]
    let by_hand = [1.0, 0.0, 3.5, -1.0, -10.0, -1.0];
    let collected = &gradients.matrices()[&path(0)];
    assert_eq!((collected.d_out(), collected.d_in(), collected.as_slice()), (2, 3, &by_hand[..]));
    assert_eq!(gradients.matrices().len(), 1, "the loss depends on nothing else");
    let taylor = Taylor { gradients };
    assert_eq!(scores(&taylor, &rows), [1.0, 0.0, 10.5, 0.5, 40.0, 0.25]);
    let mask = Pruner::new(taylor).mask(&net, sparsity(0.5)).unwrap();
    assert_eq!(gone(&mask, &[rows]), [[false, true, false, true, false, true]]);
}

/// w = [1, -1], x = [1, 2], L = y² / 2, and two steps of gradient descent at rate 1/2:
/// y = -1, ∂L/∂w = [-1, -2], w becomes [1.5, 0]; y = 1.5, ∂L/∂w = [1.5, 3], w becomes [0.75, -1.5].
fn descend(mut net: Net, device: &Device, mut each: impl FnMut(&Net, &burn::tensor::Gradients)) -> Net {
    let mut optimizer = SgdConfig::new().init();
    for _ in 0..2 {
        let backward = (forward(&net, 0, row(&[1.0, 2.0], device)).powf_scalar(2.0).sum() / 2.0).backward();
        each(&net, &backward);
        let gradients = GradientsParams::from_grads(backward, &net);
        net = optimizer.step(0.5, net, gradients);
    }
    net
}

#[test]
fn movement_multiplies_at_every_step() {
    let device = Device::flex().autodiff();
    let rows = Rows::new(1, 2, vec![1.0, -1.0]);
    let (mut sum, mut gradients) = (MovementSum::default(), Gradients::default());
    let after = descend(net_on(&device, &[rows]), &device, |net, backward| {
        sum.add(net, |weight| weight.grad(backward)).unwrap();
        gradients.add(net, |weight| weight.grad(backward)).unwrap();
    });
    let after = &common::rows(&after)[0];
    assert_eq!(after.values, [0.75, -1.5]);
    // -(1 · -1) - (1.5 · 1.5) and -(-1 · -2) - (0 · 3)
    assert_eq!(scores_of_two(&Movement { sum }, after), [-1.25, -2.0]);
    // The last weights times the sum of the gradients, [0.5, 1], would rank them the other way round.
    assert_eq!(gradients.matrices()[&path(0)].as_slice(), [0.5, 1.0]);
}

fn scores_of_two(score: &dyn Score, rows: &Rows) -> Vec<f32> {
    let path = path(0);
    let weight = WeightRef { path: &path, d_out: 1, d_in: 2, values: &rows.values };
    let mut scores = vec![0.0; 2];
    score.score(&weight, 0..2, &mut scores).unwrap();
    scores
}

#[test]
fn a_score_may_be_shared_and_kept() {
    let mut sum = MovementSum::default();
    let net = net(&[two_by_three()]);
    sum.add(&net, |weight| Some(weight.clone())).unwrap();
    let movement = Arc::new(Movement { sum });
    let mask = Pruner::new(Arc::clone(&movement)).mask(&net, sparsity(0.5)).unwrap();
    assert_eq!(
        gone(&mask, &[two_by_three()]),
        [[false, true, true, false, true, false]],
        "-w² ranks the largest first"
    );
    assert_eq!(movement.name(), "movement");
}

#[test]
fn masked_modules_have_the_gradients_of_their_stored_weights() {
    let device = Device::flex().autodiff();
    let net = net_on(&device, &[two_by_three()]);
    let mask = Pruner::new(Magnitude).mask(&net, sparsity(0.5)).unwrap();
    let masked = mask.attach(net).unwrap();
    let backward = linear_loss(&masked, &[1.0, 2.0, 3.0], &[1.0, -1.0], &device).backward();
    let mut gradients = Gradients::default();
    gradients.add(&masked, |weight| weight.grad(&backward)).unwrap();
    // 1, -0.5 and 0.25 are pruned.
    assert_eq!(gradients.matrices()[&path(0)].as_slice(), [0.0, 2.0, 3.0, 0.0, -2.0, 0.0]);
}

#[test]
fn weights_without_a_gradient_have_no_score() {
    let device = Device::flex().autodiff();
    let mut net = net_on(&device, &[two_by_three(), Rows::noise(3, 2, 1)]);
    net.layers[1].weight = net.layers[1].weight.clone().set_require_grad(false);
    let y = forward(&net, 0, row(&[1.0, 2.0, 3.0], &device));
    let backward = forward(&net, 1, y).sum().backward();
    let mut gradients = Gradients::default();
    gradients.add(&net, |weight| weight.grad(&backward)).unwrap();
    let error = Pruner::new(Taylor { gradients }).mask(&net, sparsity(0.5)).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, PruneError::NoScore { .. }) && message.contains("layers.1.weight"), "{message}");
    assert!(message.contains("taylor"), "{message}");

    let mut sum = MovementSum::default();
    let message = sum.add(&net, |_| None).unwrap_err().to_string();
    assert!(message.contains("autodiff"), "{message}");
    let message = Pruner::new(Movement { sum }).mask(&net, sparsity(0.5)).unwrap_err().to_string();
    assert!(message.contains("movement") && message.contains("layers.0.weight"), "{message}");
}

#[test]
fn embeddings_are_collected_on_request() {
    let net = net(&[two_by_three()]);
    let selection = Selection { embeddings: true, ..Selection::default() };
    let (mut with, mut without) = (Gradients::of(selection.clone()), Gradients::default());
    with.add(&net, |weight| Some(weight.clone())).unwrap();
    without.add(&net, |weight| Some(weight.clone())).unwrap();
    assert!(with.matrices().contains_key("embedding.weight") && !without.matrices().contains_key("embedding.weight"));
    let mask = Pruner::new(Taylor { gradients: with }).with_selection(selection).mask(&net, sparsity(0.5)).unwrap();
    assert_eq!(mask.layers().len(), 2);
}

#[test]
fn gradients_of_another_module_are_refused_and_change_nothing() {
    let wide = net(&[two_by_three(), Rows::noise(4, 4, 1)]);
    let other = net(&[two_by_three(), Rows::noise(4, 5, 1)]);
    let mut gradients = Gradients::default();
    gradients.add(&wide, |weight| Some(weight.clone())).unwrap();
    let before = gradients.matrices()[&path(0)].as_slice().to_vec();
    let message = gradients.add(&other, |weight| Some(weight.clone())).unwrap_err().to_string();
    assert!(["layers.1.weight", "[4, 4]", "[4, 5]"].iter().all(|part| message.contains(part)), "{message}");
    assert_eq!(gradients.matrices()[&path(0)].as_slice(), before, "not even the first was added");
    let message = Pruner::new(Taylor { gradients }).mask(&other, sparsity(0.5)).unwrap_err().to_string();
    assert!(message.contains("layers.1.weight") && message.contains("[4, 5]"), "{message}");
}

#[test]
fn a_gradient_that_is_not_a_number_is_named() {
    let net = net(&[two_by_three()]);
    let mut gradients = Gradients::default();
    gradients.add(&net, |weight| Some(weight.clone().sqrt())).unwrap(); // of negative weights too
    let message = Pruner::new(Taylor { gradients }).mask(&net, sparsity(0.5)).unwrap_err().to_string();
    assert!(["taylor", "layers.0.weight", "[0, 2]"].iter().all(|part| message.contains(part)), "{message}");
}

fn masks_of(pruner: &Pruner, net: &Net) -> Vec<Mask> {
    pruner.masks(net, &[0.2, 0.5, 0.8].map(sparsity)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// With w itself for its gradient, Taylor's score is w² and movement's is -w²: the masks of magnitude and its opposite.
    #[test]
    fn squares_rank_like_magnitudes(seed: u64, d_out in 1usize..9, d_in in 1usize..40, layer: bool) {
        let net = net(&[Rows::noise(d_out, d_in, seed), Rows::noise(d_in, d_out, seed ^ 1)]);
        let (mut gradients, mut sum) = (Gradients::default(), MovementSum::default());
        gradients.add(&net, |weight| Some(weight.clone())).unwrap();
        sum.add(&net, |weight| Some(weight.clone())).unwrap();
        let scope = if layer { Scope::Layer } else { Scope::Global };
        let masks = |pruner: Pruner| masks_of(&pruner.with_scope(scope), &net);
        prop_assert_eq!(masks(Pruner::new(Taylor { gradients })), masks(Pruner::new(Magnitude)));
        prop_assert_eq!(masks(Pruner::new(Movement { sum })), masks(Pruner::new(Largest)));
    }

    /// What the largest-first mask removes, the smallest-first mask at the complement keeps, but for ties.
    #[test]
    fn the_largest_go_first(seed: u64, d_out in 1usize..9, d_in in 1usize..40, percent in 0usize..100) {
        let net = net(&[Rows::noise(d_out, d_in, seed)]);
        let values = &common::rows(&net)[0].values;
        let mask = Pruner::new(Largest).mask(&net, sparsity(percent as f64 / 100.0)).unwrap();
        let gone = gone(&mask, &common::rows(&net)).remove(0);
        let magnitudes = |wanted: bool| values.iter().zip(&gone).filter(move |(_, g)| **g == wanted).map(|(v, _)| v.abs());
        let kept = magnitudes(false).fold(0.0, f32::max);
        prop_assert!(magnitudes(true).all(|removed| removed >= kept));
        prop_assert_eq!(magnitudes(true).count(), sparsity(percent as f64 / 100.0).count(values.len()));
    }
}
