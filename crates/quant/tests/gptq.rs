//! GPTQ against what its paper promises.
#![cfg(feature = "calibration")]

use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::calibration::{Hessian, Statistic};
use junkdna_backend::{HostMatrix, Seed};
use junkdna_quant::{Gptq, Granularity, Grid, QuantError, Range, RoundToNearest, Scheme};
use proptest::prelude::*;

/// Inputs that depend on one another, as those of a language model do: a few directions and a little noise.
fn inputs(tokens: usize, d_in: usize, seed: u64) -> Vec<f32> {
    let draw = |n: u64| (f64::from(Seed(seed).draw(n)) / f64::from(u32::MAX) - 0.5) as f32;
    let direction = |k: usize, j: usize| draw(1_000_000 + (k * d_in + j) as u64) * (1.0 + j as f32 / 4.0);
    let value = |t: usize, j: usize| {
        let mixed: f32 = (0..3).map(|k| draw((t * 3 + k) as u64) * direction(k, j)).sum();
        mixed + 0.1 * draw(2_000_000 + (t * d_in + j) as u64)
    };
    (0..tokens * d_in).map(|i| value(i / d_in, i % d_in)).collect()
}

fn hessian(inputs: &[f32], d_in: usize) -> Hessian {
    let mut hessian = Hessian::new(d_in);
    let data = TensorData::new(inputs.to_vec(), [inputs.len() / d_in, d_in]);
    hessian.add(&Tensor::from_data(data, &Device::flex()));
    hessian
}

fn matrix(d_out: usize, d_in: usize, seed: u64) -> HostMatrix {
    let draw = |n: u64| (f64::from(Seed(seed).draw(n)) / f64::from(u32::MAX) - 0.5) as f32;
    HostMatrix::new((0..(d_out * d_in) as u64).map(draw).collect(), d_out, d_in)
}

/// ‖X (W - Ŵ)ᵀ‖²: how far the layer's outputs move on the calibration data.
fn moved(inputs: &[f32], weight: &HostMatrix, rounded: &HostMatrix) -> f64 {
    let d_in = weight.d_in();
    let output = |x: &[f32], o: usize| -> f64 {
        let pairs = weight.row(o).iter().zip(rounded.row(o)).zip(x);
        pairs.map(|((w, r), x)| f64::from(w - r) * f64::from(*x)).sum()
    };
    inputs.chunks(d_in).flat_map(|x| (0..weight.d_out()).map(move |o| output(x, o).powi(2))).sum()
}

fn schemes(d_in: usize) -> impl Strategy<Value = Scheme> {
    let granularity = prop_oneof![
        Just(Granularity::Tensor),
        Just(Granularity::Channel),
        prop::sample::select(vec![4usize, 8]).prop_map(Granularity::Group)
    ];
    assert!(d_in.is_multiple_of(8));
    (2u8..=8, any::<bool>(), granularity).prop_map(|(bits, symmetric, g)| Scheme::new(bits, symmetric, g).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn codes_are_codes_and_values_theirs(
        scheme in schemes(24), seed in 0u64..100, block in 1usize..30, by_activation: bool,
    ) {
        let (weight, inputs) = (matrix(5, 24, seed), inputs(60, 24, seed));
        let gptq = Gptq::new(scheme).with_block_size(block).with_activation_order(by_activation);
        let quantized = gptq.quantize(&weight, &hessian(&inputs, 24)).unwrap();
        prop_assert!(quantized.codes().iter().all(|&code| code <= scheme.max_code()));
        // Rounding what is on the grids already changes nothing.
        let values = quantized.dequantize();
        let groups = scheme.group_len(5, 24).unwrap();
        for (i, (value, code)) in values.as_slice().iter().zip(quantized.codes()).enumerate() {
            prop_assert_eq!(quantized.grid(i / groups).code(*value), *code);
        }
    }

    #[test]
    fn the_block_size_changes_rounding_errors_only(seed in 0u64..100) {
        // At 8 bits no code sits so near to a border that the order of additions could move more than a few.
        let (weight, inputs) = (matrix(6, 32, seed), inputs(90, 32, seed));
        let scheme = Scheme::new(8, false, Granularity::Channel).unwrap();
        let quantize = |block| Gptq::new(scheme).with_block_size(block).quantize(&weight, &hessian(&inputs, 32)).unwrap();
        let (one, all) = (quantize(1), quantize(32));
        let differ = one.codes().iter().zip(all.codes()).filter(|(a, b)| a != b).count();
        prop_assert!(differ <= 4, "{} codes differ", differ);
    }

    #[test]
    fn inputs_that_do_not_depend_on_one_another_leave_nothing_to_make_up(scheme in schemes(16), seed in 0u64..100) {
        let weight = matrix(4, 16, seed);
        let identity: Vec<f32> = (0..256).map(|i| f32::from(u8::from(i % 16 == i / 16))).collect();
        let hessian = Hessian::from_values(&identity, 16, &Device::flex());
        let gptq = Gptq::new(scheme).quantize(&weight, &hessian).unwrap();
        prop_assert_eq!(gptq, RoundToNearest::new(scheme).quantize(&weight).unwrap());
    }
}

/// Twice the range of the weights: few codes reach its ends.
struct Wide;

impl Range for Wide {
    fn grid(&self, group: &[f32], scheme: &Scheme) -> Grid {
        let ends = group.iter().fold((0.0f32, 0.0f32), |(low, high), &w| (low.min(w), high.max(w)));
        scheme.grid_over(2.0 * ends.0, 2.0 * ends.1)
    }
}

/// The squared error of a row over the damped inputs, and the most that greedy rounding leaves of it: with H = M Mᵀ, M upper
/// triangular, the error is Σ (Σ_{i ≤ j} δ_i M_ij)², and each sum is what rounding input j to its grid alone left, at most half a
/// step times M_jj.
fn error_and_bound(inputs: &[f32], off: &[f64], step: f64) -> [f64; 2] {
    let d_in = off.len();
    let mut h = vec![vec![0.0; d_in]; d_in];
    for x in inputs.chunks(d_in) {
        for (i, row) in h.iter_mut().enumerate() {
            row.iter_mut().zip(x).for_each(|(h, &y)| *h += 2.0 * f64::from(x[i]) * f64::from(y));
        }
    }
    let damping = 0.01 * (0..d_in).map(|i| h[i][i]).sum::<f64>() / d_in as f64;
    (0..d_in).for_each(|i| h[i][i] += damping);
    let mut m = vec![vec![0.0f64; d_in]; d_in];
    for j in (0..d_in).rev() {
        for i in (0..=j).rev() {
            let left = h[i][j] - (j + 1..d_in).map(|k| m[i][k] * m[j][k]).sum::<f64>();
            m[i][j] = if i == j { left.sqrt() } else { left / m[j][j] };
        }
    }
    let error = (0..d_in).map(|j| (0..=j).map(|i| off[i] * m[i][j]).sum::<f64>().powi(2)).sum();
    [error, (0..d_in).map(|j| (step / 2.0 * m[j][j]).powi(2)).sum()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What greedy rounding can promise without rounding to nearest to fall back to, and when it cannot: an output is at most
    /// as far off as half a step of each input alone, given those behind it, unless a code had nowhere to go. Outputs with a code
    /// at an end of its range are the only ones beyond that.
    #[test]
    fn outputs_beyond_the_bound_of_greedy_rounding_have_a_code_at_an_end_of_its_range(
        seed in 0u64..1000, bits in 2u8..=8, wide: bool,
    ) {
        let (d_out, d_in) = (8, 16);
        let (weight, inputs) = (matrix(d_out, d_in, seed), inputs(60, d_in, seed));
        let scheme = Scheme::new(bits, false, Granularity::Channel).unwrap();
        let gptq = Gptq::new(scheme).with_fallback(false);
        let hessian = hessian(&inputs, d_in);
        let quantized = match wide {
            true => gptq.with_range(Wide).quantize(&weight, &hessian),
            false => gptq.quantize(&weight, &hessian),
        }.unwrap();
        let rounded = quantized.dequantize();
        for output in 0..d_out {
            let codes = &quantized.codes()[output * d_in..(output + 1) * d_in];
            let at_an_end = codes.iter().any(|&code| code == 0 || code == scheme.max_code());
            let off: Vec<f64> =
                weight.row(output).iter().zip(rounded.row(output)).map(|(w, r)| f64::from(*w) - f64::from(*r)).collect();
            let [error, bound] = error_and_bound(&inputs, &off, quantized.scales()[output].into());
            prop_assert!(at_an_end || error <= 1.001 * bound, "{} bits: {} beyond {}", bits, error, bound);
        }
    }
}

/// Both kinds of outputs exist: with wide ranges most have no code at an end, and at 2 bits some codes have nowhere to go and
/// break the bound.
#[test]
fn the_bound_of_greedy_rounding_is_met_and_is_broken() {
    let (d_out, d_in) = (8, 16);
    let [mut inside, mut beyond] = [0, 0];
    for seed in 0..40 {
        let (weight, inputs) = (matrix(d_out, d_in, seed), inputs(60, d_in, seed));
        let hessian = hessian(&inputs, d_in);
        let quantized = |bits| {
            let scheme = Scheme::new(bits, false, Granularity::Channel).unwrap();
            Gptq::new(scheme).with_fallback(false)
        };
        let wide = quantized(6).with_range(Wide).quantize(&weight, &hessian).unwrap();
        inside += wide.codes().chunks(d_in).filter(|codes| codes.iter().all(|&code| code > 0 && code < 63)).count();
        let narrow = quantized(2).quantize(&weight, &hessian).unwrap();
        let rounded = narrow.dequantize();
        for output in 0..d_out {
            let pairs = weight.row(output).iter().zip(rounded.row(output));
            let off: Vec<f64> = pairs.map(|(w, r)| f64::from(*w) - f64::from(*r)).collect();
            let [error, bound] = error_and_bound(&inputs, &off, narrow.scales()[output].into());
            beyond += usize::from(error > 1.001 * bound);
        }
    }
    assert!(inside > 100 && beyond > 0, "{inside} outputs without a code at an end, {beyond} beyond the bound");
}

/// Greedy rounding promises no smaller error for a single layer, only on average over layers: over many, at every width and
/// granularity, the sum must be well below that of rounding to nearest.
#[test]
fn outputs_move_less_than_with_rounding_to_nearest() {
    for granularity in [Granularity::Channel, Granularity::Group(8)] {
        for bits in [2, 3, 4, 8] {
            let scheme = Scheme::new(bits, false, granularity).unwrap();
            let (mut by_gptq, mut in_order, mut to_nearest) = (0.0, 0.0, 0.0);
            for seed in 0..20 {
                let (weight, inputs) = (matrix(16, 32, seed), inputs(200, 32, seed));
                let hessian = hessian(&inputs, 32);
                let error = |rounded: &HostMatrix| moved(&inputs, &weight, rounded);
                by_gptq += error(&Gptq::new(scheme).quantize(&weight, &hessian).unwrap().dequantize());
                let ordered = Gptq::new(scheme).with_activation_order(true);
                in_order += error(&ordered.quantize(&weight, &hessian).unwrap().dequantize());
                to_nearest += error(&RoundToNearest::new(scheme).round(&weight).unwrap().0);
            }
            assert!(by_gptq < 0.6 * to_nearest, "{scheme}: {by_gptq} and {to_nearest}");
            assert!(in_order < 0.6 * to_nearest, "{scheme}: {in_order} and {to_nearest}");
        }
    }
}

#[test]
fn what_cannot_be_is_an_error() {
    let scheme = |granularity| Gptq::new(Scheme::new(4, false, granularity).unwrap());
    let hessian_of = |d_in: usize| hessian(&inputs(40, d_in, 1), d_in);
    let weight = matrix(3, 12, 1);
    let error = |gptq: Gptq, weight: &HostMatrix, d_in| gptq.quantize(weight, &hessian_of(d_in)).unwrap_err();
    let channel = || scheme(Granularity::Channel);
    assert_eq!(error(channel(), &weight, 8), QuantError::OtherInputs { d_in: 12, observed: 8 });
    let five = scheme(Granularity::Group(5));
    assert_eq!(error(five, &weight, 12), QuantError::GroupSize { d_in: 12, group_size: 5 });
    let mut values = weight.as_slice().to_vec();
    values[13] = f32::NAN;
    let broken = HostMatrix::new(values, 3, 12);
    assert!(matches!(error(channel(), &broken, 12), QuantError::NotFinite { output: 1, input: 1, .. }));
    let indefinite: Vec<f32> = (0..144).map(|i| if i % 12 == i / 12 { 1.0 } else { 5.0 }).collect();
    let hessian = Hessian::from_values(&indefinite, 12, &Device::flex());
    assert!(matches!(channel().quantize(&weight, &hessian), Err(QuantError::Hessian(_))));
}
