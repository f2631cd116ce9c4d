//! Operations with a backward pass of their own give the values and gradients of Burn's.

#![cfg(all(feature = "flex", feature = "autodiff"))]

use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Distribution, Tensor, TensorData, Tolerance, activation};
use junkdna_backend::Seed;
use junkdna_backend::kernels::{dropout, gelu, masked_softmax, residual_norm};
use proptest::prelude::*;

fn normal<const D: usize>(shape: [usize; D], mean: f64, std: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(mean, std), &Device::flex())
}

/// A leaf that trains.
fn leaf<const D: usize>(value: &Tensor<D>) -> Tensor<D> {
    Tensor::from_inner(value.clone()).require_grad()
}

/// The value of a function, and the gradient of its product with `weight`.
fn both_ways<const D: usize>(
    x: &Tensor<D>,
    weight: &Tensor<D>,
    function: impl Fn(Tensor<D>) -> Tensor<D>,
) -> [TensorData; 2] {
    let x = leaf(x);
    let y = function(x.clone());
    let gradients = (y.clone() * Tensor::from_inner(weight.clone())).sum().backward();
    [y.into_data(), x.grad(&gradients).unwrap().into_data()]
}

fn close(found: &[TensorData], expected: &[TensorData], tolerance: Tolerance<f32>) {
    for (found, expected) in found.iter().zip(expected) {
        found.assert_approx_eq::<f32>(expected, tolerance);
    }
}

fn probability() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.05..0.6]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gelu_is_burns(rows in 1..300usize, width in 1..90usize, std in 0.1..30f64) {
        let (x, weight) = (normal([rows, width], 0.0, std), normal([rows, width], 0.0, 1.0));
        let found = both_ways(&x, &weight, gelu);
        let expected = both_ways(&x, &weight, activation::gelu);
        close(&found, &expected, Tolerance::absolute(4e-6).set_relative(1e-6));
        prop_assert_eq!(&gelu(x.clone()).into_data(), &found[0]);
        // Another memory layout of the same numbers.
        prop_assert_eq!(&gelu(x.transpose()).transpose().into_data(), &found[0]);
    }

    #[test]
    fn masked_softmax_is_burns(
        [batch, heads, tokens, keys] in [1..4usize, 1..4usize, 1..6usize, 1..70usize],
        padding in 0..69usize,
        probability in probability(),
        seed: u64,
    ) {
        let shape = [batch, heads, tokens, keys];
        let (scores, weight) = (normal(shape, 0.0, 3.0), normal(shape, 0.0, 1.0));
        let hidden = |i: usize| i / keys == batch - 1 && keys - i % keys <= padding.min(keys - 1);
        let mask = (0..batch * keys).map(|i| if hidden(i) { -1e9 } else { 0.0f32 }).collect::<Vec<_>>();
        let mask = Tensor::<2>::from_data(TensorData::new(mask, [batch, keys]), &Device::flex());
        let fused = |scores| masked_softmax(scores, mask.clone(), 0.4, probability, Seed(seed));
        let found = both_ways(&scores, &weight, fused);
        let expected = both_ways(&scores, &weight, |scores| {
            let mask = Tensor::from_inner(mask.clone().reshape([batch, 1, 1, keys]));
            dropout(activation::softmax(scores * 0.4 + mask, 3), probability, Seed(seed))
        });
        close(&found, &expected, Tolerance::absolute(4e-6));
        prop_assert_eq!(&fused(scores).into_data(), &found[0]);
    }

    #[test]
    fn residual_norm_is_burns(
        [batch, tokens, width] in [1..4usize, 1..40usize, 2..70usize],
        probability in probability(),
        seed: u64,
    ) {
        let shape = [batch, tokens, width];
        let (x, residual, weight) = (normal(shape, 0.5, 2.0), normal(shape, 0.5, 2.0), normal(shape, 0.0, 1.0));
        let vectors = [normal([width], 1.0, 0.5), normal([width], 0.0, 0.5)];
        let both_ways = |norm: fn(Tensor<3>, Tensor<3>, [Tensor<1>; 2], f64, f64, Seed) -> Tensor<3>| {
            let ([x, residual], [gamma, beta]) = ([&x, &residual].map(leaf), vectors.each_ref().map(leaf));
            let y = norm(x.clone(), residual.clone(), [gamma.clone(), beta.clone()], 1e-2, probability, Seed(seed));
            let gradients = (y.clone() * Tensor::from_inner(weight.clone())).sum().backward();
            let matrices = [x, residual].map(|t| t.grad(&gradients).unwrap().into_data());
            let vectors = [gamma, beta].map(|t| t.grad(&gradients).unwrap().into_data());
            ([vec![y.into_data()], matrices.to_vec()].concat(), vectors)
        };
        let found = both_ways(residual_norm);
        let expected = both_ways(|x, residual, [gamma, beta], epsilon, probability, seed| {
            layer_norm(dropout(x, probability, seed) + residual, gamma, Some(beta), epsilon)
        });
        close(&found.0, &expected.0, Tolerance::absolute(5e-5).set_relative(1e-5));
        close(&found.1, &expected.1, Tolerance::absolute(2e-4).set_relative(1e-5));
        let plain = residual_norm(x, residual, vectors, 1e-2, probability, Seed(seed)).into_data();
        plain.assert_approx_eq::<f32>(&found.0[0], Tolerance::absolute(1e-6));
    }
}

#[test]
fn gelu_far_from_zero_is_nothing_or_the_number() {
    let x = Tensor::<1>::from_data([-1e30, -100.0, 100.0, 1e30, f32::NAN], &Device::flex());
    let y: Vec<f32> = gelu(x).into_data().iter::<f32>().collect();
    assert_eq!(y[..4], [0.0, 0.0, 100.0, 1e30]);
    assert!(y[4].is_nan());
}

#[test]
fn a_score_that_is_no_number_is_not_hidden() {
    let scores = Tensor::<4>::full([1, 1, 1, 20], f32::NAN, &Device::flex().autodiff());
    let weights = masked_softmax(scores, Tensor::zeros([1, 20], &Device::flex()), 1.0, 0.0, Seed(0));
    assert!(weights.into_data().iter::<f32>().all(f32::is_nan));
}
