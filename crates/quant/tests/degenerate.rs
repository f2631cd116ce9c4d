//! Weights and inputs that leave a method little to go by: groups of zeros and of one value, inputs that are always zero, scales
//! that overflow, groups that do not divide.
#![cfg(feature = "calibration")]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::calibration::batches;
use junkdna_backend::{Blocks, Fold, FoldSource, HostMatrix, LinearObserver, Selection, TokenTree};
use junkdna_quant::testing::Case;
use junkdna_quant::{
    Awq, Codes, Gptq, Granularity, Hqq, LeastError, QuantError, Quantized, RoundToNearest, ScaleDtype, Scheme,
    SmoothQuant, ZeroPoint,
};

const D_OUT: usize = 3;
const D_IN: usize = 16;
const GROUP: usize = 8;

/// A norm and a linear that reads it, which SmoothQuant can shift spread between.
#[derive(Module, Debug)]
struct Net {
    norm: RmsNorm,
    linear: Linear,
}

impl Net {
    fn new(matrix: &HostMatrix) -> Self {
        let device = Device::flex();
        let mut linear = LinearConfig::new(matrix.d_in(), matrix.d_out()).with_bias(false).init(&device);
        let weight = matrix.clone().into_weight(&device);
        linear.weight = linear.weight.map(|_| weight);
        Self { norm: RmsNormConfig::new(matrix.d_in()).init(&device), linear }
    }
}

impl Blocks for Net {
    /// What the linear reads.
    type State = Tensor<2>;

    fn num_blocks(&self) -> usize {
        1
    }

    fn embed(&self, tokens: &TokenTree) -> Tensor<2> {
        let x = self.norm.gamma.val().unsqueeze::<2>().repeat_dim(0, tokens.len());
        let rows =
            tokens.tokens().iter().map(|&token| (token as f32 * 0.37).sin() * if token == 0 { 0.0 } else { 1.0 });
        x * Tensor::<2>::from_data(TensorData::new(rows.collect(), [tokens.len(), 1]), &Device::flex())
    }

    fn forward_block(&self, _block: usize, state: Tensor<2>, observer: &mut dyn LinearObserver) -> Tensor<2> {
        observer.observe(&["linear.weight".to_owned()], &state);
        self.linear.forward(state)
    }

    fn folds(&self, _block: usize) -> Vec<Fold> {
        let source = FoldSource::Norm(vec!["norm.gamma".into()]);
        vec![Fold { source, readers: vec!["linear.weight".into()] }]
    }
}

/// SmoothQuant on samples of these tokens; the codes are of weights times a factor for each input.
fn smooth(case: &Case, tokens: &[u32]) -> Result<Quantized, QuantError> {
    let samples = batches(&[tokens.to_vec()], 64);
    let method = SmoothQuant::new(case.scheme);
    let mut done = method.quantize_blocks(Net::new(&case.matrix), &samples, Selection::default(), |_| ())?;
    Ok(done.weights.remove("linear.weight").unwrap())
}

type Method = (&'static str, fn(&Case) -> Result<Quantized, QuantError>);

/// Those that give each weight of a grid's value back.
const EXACT: [Method; 6] = [
    ("rtn", |case| RoundToNearest::new(case.scheme).quantize(&case.matrix)),
    ("least error", |case| RoundToNearest::new(case.scheme).with_range(LeastError::default()).quantize(&case.matrix)),
    ("hqq", |case| RoundToNearest::new(case.scheme).with_range(Hqq::default()).quantize(&case.matrix)),
    ("gptq", |case| Gptq::new(case.scheme).quantize(&case.matrix, &case.hessian())),
    ("gptq alone", |case| Gptq::new(case.scheme).with_fallback(false).quantize(&case.matrix, &case.hessian())),
    ("gptq in order", |case| {
        Gptq::new(case.scheme).with_activation_order(true).quantize(&case.matrix, &case.hessian())
    }),
];

/// Those that multiply weights first, so that a group of one value is none any more.
const SCALED: [Method; 2] = [
    ("awq", |case| Awq::new(case.scheme).quantize(&case.matrix, &case.statistics())),
    ("smoothquant", |case| smooth(case, &[1, 2, 3, 4, 5])),
];

fn methods() -> impl Iterator<Item = &'static Method> {
    EXACT.iter().chain(&SCALED)
}

/// All codes, with one scale for a tensor, an output and a group.
fn schemes(scales: ScaleDtype) -> Vec<Scheme> {
    let zero_points = [ZeroPoint::Middle, ZeroPoint::Narrow, ZeroPoint::Code, ZeroPoint::Real];
    let integers = (2..=8).flat_map(|bits| zero_points.map(|zero_point| Codes::Integer { bits, zero_point }));
    let granularities = [Granularity::Tensor, Granularity::Channel, Granularity::Group(GROUP)];
    let scheme = |codes| granularities.map(|granularity| Scheme::of(codes, granularity)?.with_scales(scales));
    integers.chain([Codes::Nf4, Codes::Fp4]).flat_map(scheme).collect::<Result<_, QuantError>>().unwrap()
}

fn matrix(value: impl Fn(usize) -> f32) -> HostMatrix {
    HostMatrix::new((0..D_OUT * D_IN).map(value).collect(), D_OUT, D_IN)
}

/// Inputs that depend on one another.
fn inputs() -> HostMatrix {
    let value = |i: usize| ((i / D_IN) as f32 * 0.7).sin() + 0.3 * (i as f32 * 1.3).cos();
    HostMatrix::new((0..40 * D_IN).map(value).collect(), 40, D_IN)
}

fn case(matrix: &HostMatrix, scheme: Scheme) -> Case {
    Case { matrix: matrix.clone(), scheme, inputs: inputs() }
}

#[test]
fn zeros_stay_zero_through_every_method() {
    let zeros = matrix(|_| 0.0);
    for scheme in [schemes(ScaleDtype::F16), schemes(ScaleDtype::F32)].concat() {
        for (name, method) in methods() {
            let quantized = method(&case(&zeros, scheme)).unwrap();
            assert_eq!(quantized.dequantize().as_slice(), zeros.as_slice(), "{name}, {scheme}");
            assert!(quantized.scales().iter().all(|scale| *scale > 0.0 && scale.is_finite()), "{name}, {scheme}");
        }
    }
}

/// One value is the end of its range, and every kind of codes reaches the ends of its ranges, but those with zero in the middle
/// of an even number of codes: one end is missing there, and the value is half a step away.
#[test]
fn groups_of_one_value_are_exact_or_half_a_step_off() {
    for (scales, precision) in [(ScaleDtype::F32, 1e-6), (ScaleDtype::F16, 1.0 / 1024.0)] {
        for scheme in schemes(scales) {
            for value in [0.3f32, -0.3, 2.0, -0.1] {
                for (name, method) in EXACT {
                    let quantized = method(&case(&matrix(|_| value), scheme)).unwrap();
                    let middle = scheme.zero_point() == Some(ZeroPoint::Middle);
                    // Later weights of GPTQ make up for what a half step or the rounding of scales is off, up to a whole step.
                    if (middle || scales == ScaleDtype::F16) && name.starts_with("gptq") {
                        assert!(quantized.dequantize().as_slice().iter().all(|rounded| rounded.is_finite()));
                        continue;
                    }
                    for (place, rounded) in quantized.dequantize().as_slice().iter().enumerate() {
                        let step = quantized.scales()[place / quantized.group_len()];
                        let bound = if middle { 0.501 * step } else { precision * value.abs() };
                        assert!((rounded - value).abs() <= bound, "{name}, {scheme}: {value} became {rounded}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_group_of_zeros_or_of_one_value_among_others_changes_nothing_for_them() {
    let wave = |i: usize| (i as f32 * 0.9).sin();
    let plain = matrix(wave);
    for scheme in schemes(ScaleDtype::F16) {
        for value in [0.0, 0.3, -0.3] {
            let with_flat = matrix(|i| if (GROUP..2 * GROUP).contains(&i) { value } else { wave(i) });
            for (name, method) in methods() {
                let quantized = method(&case(&with_flat, scheme)).unwrap();
                let values = quantized.dequantize();
                assert!(values.as_slice().iter().all(|value| value.is_finite()), "{name}, {scheme}");
                let alone = scheme.granularity() == Granularity::Group(GROUP);
                // Groups that share neither a grid nor what makes up for another.
                if alone && EXACT[..3].iter().any(|(exact, _)| exact == name) {
                    let others = method(&case(&plain, scheme)).unwrap().dequantize();
                    for place in (0..D_OUT * D_IN).filter(|place| !(GROUP..2 * GROUP).contains(place)) {
                        assert_eq!(values.as_slice()[place], others.as_slice()[place], "{name}, {scheme} at {place}");
                    }
                    if value == 0.0 {
                        assert_eq!(&values.as_slice()[GROUP..2 * GROUP], &[0.0; GROUP], "{name}, {scheme}");
                    }
                }
            }
        }
    }
}

#[test]
fn outputs_of_one_value_move_no_more_than_with_rounding_to_nearest() {
    for scheme in schemes(ScaleDtype::F16) {
        for value in [0.3, -0.3] {
            let case = case(&matrix(|_| value), scheme);
            let nearest = case.moved(&RoundToNearest::new(scheme).round(&case.matrix).unwrap().0);
            for (name, method) in [EXACT[3], EXACT[5], SCALED[0]] {
                let moved = case.moved(&method(&case).unwrap().dequantize());
                assert!(moved <= 1.001 * nearest + 1e-5, "{name}, {scheme}: {moved}, to nearest {nearest}");
            }
        }
    }
}

/// Inputs that are zero in every sample say nothing: GPTQ lets their weights go, as published, the others round to nearest.
#[test]
fn weights_of_inputs_that_are_always_zero_go_or_are_rounded_to_nearest() {
    let weights = matrix(|i| (i as f32 * 0.9).sin());
    for scheme in schemes(ScaleDtype::F16) {
        let nearest = RoundToNearest::new(scheme).quantize(&weights).unwrap();
        let zeros = HostMatrix::new(vec![0.0; 5 * D_IN], 5, D_IN);
        let case = Case { inputs: zeros, ..case(&weights, scheme) };
        for (name, method) in [EXACT[3], EXACT[4], EXACT[5]] {
            let quantized = method(&case).unwrap();
            for (place, rounded) in quantized.dequantize().as_slice().iter().enumerate() {
                let step = quantized.scales()[place / quantized.group_len()];
                assert!(rounded.abs() <= 0.51 * step, "{name}, {scheme}: {rounded} with a step of {step}");
            }
        }
        let awq = SCALED[0].1(&case).unwrap();
        assert_eq!(awq.codes(), nearest.codes(), "{scheme}");
        assert_eq!(smooth(&case, &[0, 0, 0]).unwrap(), nearest, "{scheme}");
    }
}

#[test]
fn a_scale_that_overflows_is_refused_by_every_method_and_its_group_named() {
    let large = matrix(|i| if i == D_IN + GROUP + 2 { 4e7 } else { 0.5 });
    for scheme in schemes(ScaleDtype::F16) {
        for (name, method) in methods() {
            let error = match method(&case(&large, scheme)) {
                Err(QuantError::Weight { path, source }) if path == "linear.weight" => *source,
                Err(error) => error,
                // SmoothQuant makes large weights smaller.
                Ok(_) if *name == "smoothquant" => continue,
                Ok(quantized) => panic!("{name}, {scheme}: {:?}", quantized.scales()),
            };
            let expected = match scheme.granularity() {
                Granularity::Tensor => [0, 0],
                Granularity::Channel => [1, 0],
                Granularity::Group(_) => [1, GROUP],
            };
            let QuantError::ScaleOverflow { output, input, scales: ScaleDtype::F16 } = error else {
                panic!("{name}, {scheme}: {error}")
            };
            assert_eq!([output, input], expected, "{name}, {scheme}");
        }
        let stored = scheme.with_scales(ScaleDtype::F32).unwrap();
        for (name, method) in methods() {
            let values = method(&case(&large, stored)).unwrap().dequantize();
            assert!(values.as_slice().iter().all(|value| value.is_finite()), "{name}, {stored}");
        }
    }
}

#[test]
fn groups_that_do_not_divide_and_weights_that_are_no_numbers_are_refused_by_every_method() {
    let scheme = Scheme::new(4, false, Granularity::Group(5)).unwrap();
    let inner = |error: QuantError| match error {
        QuantError::Weight { source, .. } => *source,
        error => error,
    };
    for (name, method) in methods() {
        let error = inner(method(&case(&matrix(|_| 0.5), scheme)).unwrap_err());
        assert_eq!(error, QuantError::GroupSize { d_in: D_IN, group_size: 5 }, "{name}");
        let channel = Scheme::new(4, false, Granularity::Channel).unwrap();
        for value in [f32::NAN, f32::INFINITY, f32::MAX] {
            let broken = matrix(|i| if i == D_IN + 2 { value } else { 0.5 });
            let error = inner(method(&case(&broken, channel)).unwrap_err());
            // SmoothQuant makes large weights smaller; that one is too large for a scale then.
            let smaller = *name == "smoothquant" && matches!(error, QuantError::ScaleOverflow { output: 1, .. });
            let named = matches!(error, QuantError::NotFinite { output: 1, input: 2, .. });
            assert!(named || smaller && value.is_finite(), "{name}: {error}");
        }
    }
    for bits in [0, 1, 9, 255] {
        assert_eq!(Scheme::new(bits, true, Granularity::Tensor).unwrap_err(), QuantError::Bits { bits });
        assert_eq!(scheme.with_bits(bits).unwrap_err(), QuantError::Bits { bits });
    }
}
