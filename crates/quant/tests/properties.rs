//! What must hold for any weights and any scheme.

use junkdna_backend::HostMatrix;
use junkdna_quant::{
    Codes, Granularity, Grid, Hqq, LeastError, MinMax, QuantError, Range, RoundToNearest, ScaleDtype, Scheme, ZeroPoint,
};
use junkdna_quant::{Outlier, Packed, testing};
use proptest::prelude::*;

/// A matrix and a scheme that fits it.
#[derive(Debug, Clone)]
struct Case {
    d_out: usize,
    d_in: usize,
    weights: Vec<f32>,
    scheme: Scheme,
}

impl Case {
    fn matrix(&self) -> HostMatrix {
        HostMatrix::new(self.weights.clone(), self.d_out, self.d_in)
    }

    fn method(&self) -> RoundToNearest {
        RoundToNearest::new(self.scheme)
    }

    fn rounded(&self) -> Vec<f32> {
        self.method().round(&self.matrix()).unwrap().0.as_slice().to_vec()
    }

    fn group_len(&self) -> usize {
        self.scheme.group_len(self.d_out, self.d_in).unwrap()
    }
}

/// Integer codes whose scales are not rounded.
fn exact(bits: u8, symmetric: bool, granularity: Granularity) -> Scheme {
    Scheme::new(bits, symmetric, granularity).unwrap().with_scales(ScaleDtype::F32).unwrap()
}

/// Weights of many magnitudes, some exactly zero.
fn weight() -> impl Strategy<Value = f32> {
    prop_oneof![6 => -1.0f32..1.0, 1 => -1e6f32..1e6, 1 => -1e-6f32..1e-6, 1 => Just(0.0)]
}

/// Rows that end within and beyond the lanes of the inner loops, of one sign too.
fn case() -> impl Strategy<Value = Case> {
    let size = prop::sample::select(vec![1usize, 3, 8, 16, 17, 32]);
    (1usize..5, 1usize..5, size, 0usize..3, 2u8..=8, any::<bool>(), any::<bool>()).prop_flat_map(
        |(d_out, groups, size, granularity, bits, symmetric, positive)| {
            let granularity = [Granularity::Tensor, Granularity::Channel, Granularity::Group(size)][granularity];
            let scheme = exact(bits, symmetric, granularity);
            let weights = prop::collection::vec(weight(), d_out * groups * size);
            weights.prop_map(move |mut weights| {
                if positive {
                    weights.iter_mut().for_each(|weight| *weight = weight.abs());
                }
                Case { d_out, d_in: groups * size, weights, scheme }
            })
        },
    )
}

/// One grid for everything.
struct Fixed(Grid);

impl Range for Fixed {
    fn grid(&self, _group: &[f32], _scheme: &Scheme) -> Grid {
        self.0
    }
}

proptest! {
    #[test]
    fn packed_codes_come_back(case in testing::cases(), outlier: prop::sample::Index) {
        let plain = RoundToNearest::new(case.scheme).quantize(&case.matrix).unwrap();
        let index = outlier.index(plain.codes().len()) as u32;
        let more = plain.clone().with_outliers(vec![Outlier { index, value: 1.5 }]).unwrap();
        let more = more.with_input_scales((1..=plain.d_in()).map(|input| input as f32).collect()).unwrap();
        for quantized in [plain, more] {
            let packed = Packed::from(&quantized);
            prop_assert_eq!(packed.unpack(), quantized.clone());
            let bits = |matrix: &HostMatrix| matrix.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&packed.dequantize()), bits(&quantized.dequantize()));
            prop_assert_eq!(packed.shape(), [quantized.d_out(), quantized.d_in()]);
        }
    }
}

#[test]
fn packed_codes_take_the_bytes_of_a_file() {
    let weights = HostMatrix::new((0..64 * 128).map(|i| (i as f32 * 0.37).sin()).collect(), 64, 128);
    for (codes, zeros) in [(Codes::Nf4, 4), (Codes::Integer { bits: 4, zero_point: ZeroPoint::Real }, 2 * 64 * 2)] {
        let scheme = Scheme::of(codes, Granularity::Group(64)).unwrap();
        let packed = Packed::from(&RoundToNearest::new(scheme).quantize(&weights).unwrap());
        // Four bits a weight, two bytes a scale; a zero point that is the same everywhere is there once.
        assert_eq!(packed.bytes(), 64 * 128 / 2 + 2 * 64 * 2 + zeros);
    }
}

proptest! {
    #[test]
    fn no_weight_moves_more_than_half_a_step(case in case()) {
        let quantized = case.method().quantize(&case.matrix()).unwrap();
        for (i, (weight, rounded)) in case.weights.iter().zip(case.rounded()).enumerate() {
            let scale = quantized.scales()[i / case.group_len()];
            // Half a step, and what the float operations round.
            let bound = scale * 0.5 * (1.0 + 1e-4);
            prop_assert!((weight - rounded).abs() <= bound, "{weight} became {rounded} with step {scale}");
        }
    }

    #[test]
    fn codes_and_zero_points_fit_their_bits(case in case()) {
        let quantized = case.method().quantize(&case.matrix()).unwrap();
        let max_code = case.scheme.max_code();
        prop_assert_eq!(usize::from(max_code) + 1, 1 << case.scheme.bits());
        prop_assert_eq!(quantized.codes().len(), case.weights.len());
        prop_assert_eq!(quantized.scales().len(), case.weights.len() / case.group_len());
        prop_assert_eq!(quantized.zeros().len(), quantized.scales().len());
        prop_assert!(quantized.codes().iter().all(|&code| code <= max_code));
        prop_assert!(quantized.zeros().iter().all(|zero| zero.fract() == 0.0 && *zero <= max_code.into()));
        prop_assert!(quantized.scales().iter().all(|&scale| scale.is_normal() && scale > 0.0));
    }

    #[test]
    fn rounding_is_quantizing_and_dequantizing(case in case()) {
        let quantized = case.method().quantize(&case.matrix()).unwrap();
        let dequantized = quantized.dequantize();
        let (rounded, distortion) = case.method().round(&case.matrix()).unwrap();
        prop_assert_eq!(dequantized.as_slice(), rounded.as_slice());
        let squares = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        let error = squares(&case.weights, rounded.as_slice());
        let total = squares(&case.weights, &vec![0.0; case.weights.len()]);
        prop_assert!((distortion.squared_error - error).abs() <= 1e-12 * error);
        prop_assert!((distortion.squared_weight - total).abs() <= 1e-12 * total);
    }

    #[test]
    fn values_of_a_grid_stay(scale in 1e-6f32..1e3, zero in 0.0f32..256.0, case in case()) {
        let method = case.method().with_range(Fixed(Grid::new(scale, zero, &case.scheme)));
        let once = method.round(&case.matrix()).unwrap().0;
        let twice = method.round(&once).unwrap().0;
        prop_assert_eq!(once.as_slice(), twice.as_slice());
    }

    #[test]
    fn quantizing_again_changes_at_most_the_last_bits(case in case()) {
        prop_assume!(!case.scheme.symmetric());
        let len = case.group_len();
        for group in case.weights.chunks(len) {
            // A zero point halfway between two codes rounds together with the largest weight: both ends may come in.
            let low = group.iter().copied().fold(0.0, f32::min);
            let high = group.iter().copied().fold(0.0, f32::max);
            let zero = -low / ((high - low) / f32::from(case.scheme.max_code()));
            prop_assume!(low == high || (zero.fract() - 0.5).abs() > 1e-3);
        }
        let once = case.rounded();
        let twice = Case { weights: once.clone(), ..case.clone() }.rounded();
        for (once, twice) in once.chunks(len).zip(twice.chunks(len)) {
            let largest = once.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            let close = once.iter().zip(twice).all(|(a, b)| (a - b).abs() <= 2.0 * largest * f32::EPSILON);
            prop_assert!(close, "{once:?} became {twice:?}");
        }
    }

    #[test]
    fn zero_stays_zero(case in case()) {
        for (weight, rounded) in case.weights.iter().zip(case.rounded()) {
            prop_assert!(*weight != 0.0 || rounded == 0.0);
        }
    }

    #[test]
    fn symmetric_codes_put_zero_in_the_middle_and_mirror(case in case()) {
        let scheme = exact(case.scheme.bits(), true, case.scheme.granularity());
        let case = Case { scheme, ..case };
        let quantized = case.method().quantize(&case.matrix()).unwrap();
        prop_assert!(quantized.zeros().iter().all(|&zero| zero == f32::from(1u8 << (scheme.bits() - 1))));
        let mirrored = Case { weights: case.weights.iter().map(|weight| -weight).collect(), ..case.clone() };
        let mirrored = mirrored.method().quantize(&mirrored.matrix()).unwrap();
        prop_assert_eq!(quantized.scales(), mirrored.scales());
        // There is one code more below the middle than above it.
        let both_inside = |a: f32, b: f32, scale: f32| a == -b || (a + b).abs() <= scale * 1.0001;
        let (a, b) = (quantized.dequantize(), mirrored.dequantize());
        for (i, (&a, &b)) in a.as_slice().iter().zip(b.as_slice()).enumerate() {
            prop_assert!(both_inside(a, b, quantized.scales()[i / case.group_len()]));
        }
    }

    #[test]
    fn groups_do_not_see_one_another(case in case(), factor in 2.0f32..10.0) {
        let len = case.group_len();
        let mut changed = case.clone();
        changed.weights[..len].iter_mut().for_each(|weight| *weight *= factor);
        prop_assert_eq!(&case.rounded()[len..], &changed.rounded()[len..]);
    }

    #[test]
    fn the_order_of_outputs_does_not_matter(case in case(), by in 0usize..4) {
        let mut rotated = case.clone();
        let by = by % case.d_out * case.d_in;
        rotated.weights.rotate_left(by);
        let mut expected = case.rounded();
        expected.rotate_left(by);
        prop_assert_eq!(rotated.rounded(), expected);
    }

    #[test]
    fn more_bits_never_make_a_larger_step(case in case()) {
        prop_assume!(case.scheme.bits() < 8);
        let finer = case.scheme.with_bits(case.scheme.bits() + 1).unwrap();
        let steps = |scheme| RoundToNearest::new(scheme).quantize(&case.matrix()).unwrap().scales().to_vec();
        prop_assert!(steps(finer).iter().zip(steps(case.scheme)).all(|(&finer, coarser)| finer <= coarser));
    }

    #[test]
    fn any_finite_group_has_finite_values(weights in prop::collection::vec(any::<f32>(), 1..40), bits in 2u8..=8, symmetric: bool) {
        let scheme = exact(bits, symmetric, Granularity::Channel);
        let matrix = HostMatrix::new(weights.clone(), 1, weights.len());
        match RoundToNearest::new(scheme).round(&matrix) {
            Ok((rounded, _)) => prop_assert!(rounded.as_slice().iter().all(|value| value.is_finite())),
            Err(error) => {
                let refused = weights.iter().position(|weight| weight.is_nan() || weight.abs() > f32::MAX / 4.0);
                let QuantError::NotFinite { output: 0, input, .. } = error else { panic!("{error}") };
                prop_assert_eq!(Some(input), refused);
            }
        }
    }
}

#[test]
fn groups_of_zeros_and_of_one_value_are_exact() {
    for value in [0.0, -0.0, 0.75, -0.75, 1e-45, 3e37] {
        for bits in 2..=8 {
            let scheme = exact(bits, false, Granularity::Group(4));
            let matrix = HostMatrix::new(vec![value; 8], 2, 4);
            let rounded = RoundToNearest::new(scheme).round(&matrix).unwrap().0;
            let largest = rounded.as_slice().iter().map(|rounded| (rounded - value).abs()).fold(0.0, f32::max);
            assert!(
                largest <= value.abs() * f32::EPSILON || value == 1e-45,
                "{value} at {bits} bits: off by {largest}"
            );
            assert!(value != 0.0 || rounded.as_slice() == [0.0; 8]);
        }
    }
}

#[test]
fn an_empty_matrix_is_no_matter() {
    for (d_out, d_in) in [(0, 4), (3, 0), (0, 0)] {
        for granularity in [Granularity::Tensor, Granularity::Channel, Granularity::Group(2)] {
            let scheme = Scheme::new(4, false, granularity).unwrap();
            let empty = HostMatrix::new(vec![], d_out, d_in);
            let quantized = RoundToNearest::new(scheme).quantize(&empty).unwrap();
            assert_eq!(quantized.dequantize().as_slice(), &[] as &[f32]);
            assert_eq!(scheme.bytes(d_out, d_in).unwrap(), 0);
        }
    }
}

#[test]
fn sizes_count_scales_and_zero_points() {
    let bits = |bits, symmetric, granularity| {
        let scheme = Scheme::new(bits, symmetric, granularity).unwrap();
        (scheme.effective_bits(8, 256).unwrap(), scheme.bytes(8, 256).unwrap())
    };
    assert_eq!(bits(4, false, Granularity::Group(128)), (4.15625, 1024 + 32 + 8));
    assert_eq!(bits(4, true, Granularity::Group(128)), (4.125, 1024 + 32));
    assert_eq!(bits(3, false, Granularity::Channel), (3.0 + 19.0 / 256.0, 768 + 16 + 3));
    assert_eq!(bits(8, true, Granularity::Tensor), (8.0 + 16.0 / 2048.0, 2048 + 2));
}

#[test]
fn wrong_requests_are_named() {
    let error = |bits, granularity| Scheme::new(bits, false, granularity).unwrap_err().to_string();
    assert_eq!(error(1, Granularity::Tensor), "bits is 1; it must be 2 to 8");
    assert_eq!(error(9, Granularity::Tensor), "bits is 9; it must be 2 to 8");
    assert!(error(4, Granularity::Group(0)).starts_with("the group size is 0"));

    let scheme = Scheme::new(4, false, Granularity::Group(48)).unwrap();
    let error = RoundToNearest::new(scheme).quantize(&HostMatrix::new(vec![0.5; 64], 1, 64)).unwrap_err();
    assert_eq!(error.to_string(), "the group size 48 does not divide the input dimension 64");
}

#[test]
fn a_symmetric_group_of_one_sign_is_not_clipped() {
    let scheme = exact(4, true, Granularity::Channel);
    let grid = MinMax.grid(&[0.1, 0.7, 1.5], &scheme);
    assert_eq!(grid.scale(), 0.2);
    assert!((grid.round(1.5) - 1.4).abs() < 1e-6);
}

/// All codes, with scales in all types that hold their zero points.
fn schemes() -> Vec<Scheme> {
    let zero_points = [ZeroPoint::Middle, ZeroPoint::Narrow, ZeroPoint::Code, ZeroPoint::Real];
    let integer = |bits| zero_points.map(|zero_point| Codes::Integer { bits, zero_point });
    let codes = (2..=8).flat_map(integer).chain([Codes::Nf4, Codes::Fp4]);
    let scales = [ScaleDtype::F32, ScaleDtype::F16, ScaleDtype::BF16, ScaleDtype::UE8M0];
    let schemes =
        codes.flat_map(|codes| scales.map(|scales| Scheme::of(codes, Granularity::Group(8))?.with_scales(scales)));
    schemes.flatten().collect()
}

fn weights(seed: u64, factor: f32) -> HostMatrix {
    let draw = |n: u64| (f64::from(junkdna_backend::Seed(seed).draw(n)) / f64::from(u32::MAX) - 0.5) as f32;
    HostMatrix::new((0..96).map(|n| factor * draw(n).powi(3)).collect(), 4, 24)
}

#[test]
fn stored_scales_are_what_is_computed_with() {
    for scheme in schemes() {
        let quantized = RoundToNearest::new(scheme).quantize(&weights(1, 1.0)).unwrap();
        for &scale in quantized.scales() {
            let stored = match scheme.scales() {
                ScaleDtype::F16 => burn::tensor::f16::from_f32(scale).to_f32(),
                ScaleDtype::BF16 => burn::tensor::bf16::from_f32(scale).to_f32(),
                ScaleDtype::UE8M0 => scale.log2().round().exp2(),
                _ => scale,
            };
            assert_eq!(scale, stored, "{scheme}");
        }
    }
}

#[test]
fn no_weight_moves_more_than_half_a_gap_whatever_the_scales_are_stored_as() {
    for scheme in schemes() {
        let matrix = weights(2, 1.0);
        let quantized = RoundToNearest::new(scheme).quantize(&matrix).unwrap();
        let gap = match scheme.codes() {
            Codes::Integer { .. } => 1.0,
            Codes::Nf4 => 0.31,
            Codes::Fp4 => 2.0,
        };
        let rounded = quantized.dequantize();
        for (i, (w, r)) in matrix.as_slice().iter().zip(rounded.as_slice()).enumerate() {
            let scale = quantized.scales()[i / 8];
            // A zero point between the codes is itself rounded, by up to 2^-9 of the largest in bfloat16.
            let of_zero = if scheme.keeps_zero() { 0.0 } else { quantized.zeros()[i / 8] * 0.004 };
            let bound = scale * (gap / 2.0 * 1.0001 + of_zero);
            assert!((w - r).abs() <= bound, "{scheme}: {w} became {r} with a scale of {scale}");
        }
    }
}

#[test]
fn values_of_codes_are_their_own_codes() {
    for scheme in schemes() {
        let once = RoundToNearest::new(scheme).quantize(&weights(3, 1.0)).unwrap();
        for (i, (value, code)) in once.dequantize().as_slice().iter().zip(once.codes()).enumerate() {
            assert_eq!(once.grid(i / 8).code(*value), *code, "{scheme}: {value}");
        }
    }
}

#[test]
fn scales_that_overflow_are_named() {
    let mut values = weights(4, 1.0).as_slice().to_vec();
    values[2 * 24 + 9] = 1e9;
    let matrix = HostMatrix::new(values, 4, 24);
    let scheme = |scales| Scheme::new(4, false, Granularity::Group(8)).unwrap().with_scales(scales).unwrap();
    let error = RoundToNearest::new(scheme(ScaleDtype::F16)).quantize(&matrix).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the scale of the group at [output 2, input 8] overflows F16 (largest 65504); store scales as F32 or BF16"
    );
    assert!(RoundToNearest::new(scheme(ScaleDtype::BF16)).quantize(&matrix).is_ok());
    let outliers = RoundToNearest::new(scheme(ScaleDtype::F16)).with_outliers(0.02).unwrap();
    assert!(matches!(outliers.quantize(&matrix), Err(QuantError::ScaleOverflow { output: 2, input: 9, .. })));
    let real = Scheme::new(4, false, Granularity::Channel).unwrap().with_zero_point(ZeroPoint::Real).unwrap();
    assert!(matches!(real.with_scales(ScaleDtype::UE8M0), Err(QuantError::ZeroPoint { .. })));
}

#[test]
fn searched_ranges_are_never_worse() {
    for scheme in schemes() {
        for seed in 0..5 {
            let matrix = weights(seed, 3.0);
            let error = |quantized: junkdna_quant::Quantized| -> [f64; 2] {
                let rounded = quantized.dequantize();
                let off = || matrix.as_slice().iter().zip(rounded.as_slice()).map(|(a, b)| f64::from(a - b).abs());
                [off().map(|off| off * off).sum(), off().map(|off| off.powf(0.7)).sum()]
            };
            let method = RoundToNearest::new(scheme);
            let whole = error(method.quantize(&matrix).unwrap());
            let searched = LeastError::default().with_power(2.0);
            let searched = error(method.with_range(searched).quantize(&matrix).unwrap());
            let hqq = error(method.with_range(Hqq::default()).quantize(&matrix).unwrap());
            assert!(searched[0] <= whole[0], "{scheme}: {searched:?} and {whole:?}");
            // Groups are weighed by their own steps.
            assert!(hqq[1] <= 1.1 * whole[1], "{scheme}: {hqq:?} and {whole:?}");
        }
    }
}

#[test]
fn searches_pay_where_weights_have_tails() {
    let total = |scheme: Scheme, range: &dyn Fn(RoundToNearest, &HostMatrix) -> f64| -> f64 {
        (0..20).map(|seed| range(RoundToNearest::new(scheme), &weights(seed, 1.0))).sum()
    };
    let scheme = Scheme::new(3, false, Granularity::Channel).unwrap();
    let whole = total(scheme, &|method, matrix| method.round(matrix).unwrap().1.squared_error);
    let searched =
        total(scheme, &|method, m| method.with_range(LeastError::default()).round(m).unwrap().1.squared_error);
    assert!(searched < 0.9 * whole, "{searched} and {whole}");
    let real = scheme.with_zero_point(ZeroPoint::Real).unwrap();
    let p = |m: &HostMatrix, r: &HostMatrix| -> f64 {
        m.as_slice().iter().zip(r.as_slice()).map(|(a, b)| f64::from(a - b).abs().powf(0.7)).sum()
    };
    let whole = total(real, &|method, m| p(m, &method.round(m).unwrap().0));
    let hqq = total(real, &|method, m| p(m, &method.with_range(Hqq::default()).round(m).unwrap().0));
    assert!(hqq < 0.95 * whole, "{hqq} and {whole}");
}

#[test]
fn outliers_stay_and_the_others_gain() {
    let matrix = weights(5, 1.0);
    let method = RoundToNearest::new(Scheme::new(3, false, Granularity::Channel).unwrap());
    let plain = method.quantize(&matrix).unwrap();
    let kept = method.with_outliers(0.05).unwrap().quantize(&matrix).unwrap();
    assert_eq!(kept.outliers().len(), 4);
    let (rounded, distortion) = method.with_outliers(0.05).unwrap().round(&matrix).unwrap();
    assert_eq!(rounded.as_slice(), kept.dequantize().as_slice());
    let smallest = kept.outliers().iter().map(|o| o.value.abs()).fold(f32::INFINITY, f32::min);
    let larger = matrix.as_slice().iter().filter(|w| w.abs() > 1.001 * smallest).count();
    assert!(larger < 4, "{larger} weights are larger than the smallest outlier");
    assert!(distortion.squared_error < plain.distortion(&matrix).squared_error);
    assert_eq!(kept.bytes(), plain.bytes() + 4 * 6);
    assert!((kept.effective_bits() - plain.effective_bits() - 4.0 * 48.0 / 96.0).abs() < 1e-9);
    assert!(method.with_outliers(1.0).is_err() && method.with_outliers(f64::NAN).is_err());
}

/// Every kind of codes.
fn every_codes() -> Vec<Codes> {
    let zero_points = [ZeroPoint::Middle, ZeroPoint::Narrow, ZeroPoint::Code, ZeroPoint::Real];
    let integers = |bits| zero_points.map(|zero_point| Codes::Integer { bits, zero_point });
    (2..=8).flat_map(integers).chain([Codes::Nf4, Codes::Fp4]).collect()
}

#[test]
fn groups_of_zeros_stay_zero_and_those_of_one_value_move_half_a_step_at_most() {
    for codes in every_codes() {
        let scheme = Scheme::of(codes, Granularity::Group(8)).unwrap();
        for value in [0.0f32, 0.3, -0.3] {
            let matrix = HostMatrix::new(vec![value; 16], 1, 16);
            let ranges: [&dyn Range; 3] = [&MinMax, &LeastError::default(), &Hqq::default()];
            for range in ranges {
                let quantized = RoundToNearest::new(scheme).with_range(range).quantize(&matrix).unwrap();
                let bound = if value == 0.0 { 0.0 } else { 0.51 * quantized.scales()[0] };
                for rounded in quantized.dequantize().as_slice() {
                    assert!((rounded - value).abs() <= bound, "{scheme}: {rounded}, not {value}");
                }
            }
        }
    }
}
