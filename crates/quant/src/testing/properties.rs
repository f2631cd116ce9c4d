//! What must hold.

use super::check::holds;
use super::{Case, Claims};
use crate::scheme::scale_bits;
use crate::{Granularity, QuantError, Quantized, RoundToNearest, ScaleDtype, Scheme, ZeroPoint};
use burn::tensor::{bf16, f16};
use junkdna_backend::HostMatrix;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// The method under test.
pub struct Subject<F> {
    method: F,
}

impl<F: Fn(&Case) -> Result<Quantized, QuantError> + Sync> Subject<F> {
    pub fn new(method: F) -> Self {
        Self { method }
    }

    pub fn check(&self, claims: Claims) {
        self.parts_are_such_that_can_be_stored();
        self.values_are_their_own_codes();
        self.sizes_count_everything();
        self.results_are_the_same_every_time();
        self.broken_weights_and_groups_are_named();
        if claims.nearest {
            self.weights_go_to_the_nearest_value();
        }
        if claims.covers {
            self.no_weight_moves_more_than_half_a_gap();
        }
        if claims.keeps_zeros {
            self.zeros_stay();
        }
        if claims.independent_groups {
            self.groups_do_not_see_one_another();
        }
        if claims.permutes {
            self.outputs_permute();
        }
        if claims.no_worse_than_nearest {
            self.outputs_move_no_more_than_with_rounding_to_nearest();
        }
    }

    fn of(&self, case: &Case) -> Result<Quantized, TestCaseError> {
        (self.method)(case).map_err(|error| TestCaseError::fail(error.to_string()))
    }

    fn values(&self, case: &Case) -> Result<Vec<f32>, TestCaseError> {
        Ok(self.of(case)?.dequantize().as_slice().to_vec())
    }

    fn parts_are_such_that_can_be_stored(&self) {
        holds("codes, scales and zero points are such that can be stored", |case| {
            let (scheme, quantized) = (case.scheme, self.of(&case)?);
            prop_assert_eq!(quantized.scheme(), scheme);
            prop_assert_eq!([quantized.d_out(), quantized.d_in()], [case.matrix.d_out(), case.matrix.d_in()]);
            let groups = case.matrix.as_slice().len() / quantized.group_len();
            prop_assert_eq!(quantized.codes().len(), case.matrix.as_slice().len());
            prop_assert_eq!([quantized.scales().len(), quantized.zeros().len()], [groups, groups]);
            let range = scheme.min_code()..=scheme.max_code();
            prop_assert!(quantized.codes().iter().all(|code| range.contains(code)), "a code is out of range");
            for &scale in quantized.scales() {
                prop_assert!(scale > 0.0 && scale == stored(scale, scheme.scales()), "the scale {scale}");
            }
            for &zero in quantized.zeros() {
                let fits = match scheme.zero_point() {
                    Some(ZeroPoint::Real) => zero == stored(zero, scheme.scales()),
                    Some(ZeroPoint::Code) => {
                        zero.fract() == 0.0 && (0.0..=f32::from(scheme.max_code())).contains(&zero)
                    }
                    Some(ZeroPoint::Middle | ZeroPoint::Narrow) => zero == f32::from(1u8 << (scheme.bits() - 1)),
                    None => true,
                };
                prop_assert!(fits, "the zero point {zero}");
            }
            prop_assert!(quantized.dequantize().as_slice().iter().all(|value| value.is_finite()));
            Ok(())
        });
    }

    fn values_are_their_own_codes(&self) {
        holds("rounding what codes stand for gives the codes again, and zero is exact where there is one", |case| {
            let quantized = self.of(&case)?;
            for (place, &code) in quantized.codes().iter().enumerate() {
                let grid = quantized.grid(place / quantized.group_len());
                prop_assert_eq!(grid.code(grid.value(code)), code, "at {}", place);
                prop_assert!(!case.scheme.keeps_zero() || grid.round(0.0) == 0.0);
            }
            Ok(())
        });
    }

    fn sizes_count_everything(&self) {
        holds("sizes count codes, scales, zero points, factors and outliers", |case| {
            let quantized = self.of(&case)?;
            let (scheme, of_scale) = (case.scheme, scale_bits(case.scheme.scales()));
            let of_zero = match scheme.zero_point() {
                Some(ZeroPoint::Code) => usize::from(scheme.bits()),
                Some(ZeroPoint::Real) => of_scale,
                _ => 0,
            };
            let bits = quantized.codes().len() * usize::from(scheme.bits())
                + quantized.scales().len() * (of_scale + of_zero)
                + quantized.input_scales().map_or(0, <[f32]>::len) * of_scale
                + quantized.outliers().len() * (32 + of_scale);
            let effective = bits as f64 / quantized.codes().len() as f64;
            prop_assert!((quantized.effective_bits() - effective).abs() < 1e-9);
            // Each kind is filled up to a whole byte.
            prop_assert!((bits.div_ceil(8)..bits.div_ceil(8) + 5).contains(&quantized.bytes()));
            Ok(())
        });
    }

    fn results_are_the_same_every_time(&self) {
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        holds("the same weights become the same codes every time, on any number of threads", |case| {
            let quantized = self.of(&case)?;
            prop_assert_eq!(&self.of(&case)?, &quantized);
            if let Ok(one_thread) = &one_thread {
                let alone = one_thread.install(|| self.of(&case))?;
                prop_assert_eq!(&alone, &quantized);
            }
            Ok(())
        });
    }

    fn broken_weights_and_groups_are_named(&self) {
        holds("weights that are no numbers and groups that do not divide are errors that name the place", |case| {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let (d_out, d_in) = (case.matrix.d_out(), case.matrix.d_in());
                let place = d_out * d_in / 2;
                let mut values = case.matrix.as_slice().to_vec();
                values[place] = bad;
                let broken = Case { matrix: HostMatrix::new(values, d_out, d_in), ..case.clone() };
                match (self.method)(&broken) {
                    Err(QuantError::NotFinite { output, input, .. }) => {
                        prop_assert_eq!([output, input], [place / d_in, place % d_in]);
                    }
                    other => return Err(TestCaseError::fail(format!("{bad}: {other:?}"))),
                }
            }
            let granularity = Granularity::Group(case.matrix.d_in() + 1);
            let scheme = Scheme::of(case.scheme.codes(), granularity).and_then(|s| s.with_scales(case.scheme.scales()));
            let refused = (self.method)(&Case { scheme: scheme.unwrap_or(case.scheme), ..case.clone() });
            prop_assert!(matches!(refused, Err(QuantError::GroupSize { .. })), "{refused:?}");
            Ok(())
        });
    }

    fn weights_go_to_the_nearest_value(&self) {
        holds("every weight goes to the nearest value of its grid", |case| {
            let quantized = self.of(&case)?;
            let values = quantized.dequantize();
            for (place, (w, r)) in case.matrix.as_slice().iter().zip(values.as_slice()).enumerate() {
                let grid = quantized.grid(place / quantized.group_len());
                let codes = case.scheme.min_code()..=case.scheme.max_code();
                let nearest = codes.map(|code| (grid.value(code) - w).abs()).fold(f32::INFINITY, f32::min);
                prop_assert!((w - r).abs() <= nearest + 1e-4 * grid.scale(), "{w} became {r}");
            }
            Ok(())
        });
    }

    fn no_weight_moves_more_than_half_a_gap(&self) {
        holds("no weight moves more than half the gap between two values", |case| {
            let quantized = self.of(&case)?;
            let values = quantized.dequantize();
            for (place, (w, r)) in case.matrix.as_slice().iter().zip(values.as_slice()).enumerate() {
                let group = place / quantized.group_len();
                let grid = quantized.grid(group);
                let mut sorted: Vec<f32> =
                    (case.scheme.min_code()..=case.scheme.max_code()).map(|code| grid.value(code)).collect();
                sorted.sort_by(f32::total_cmp);
                let gap = sorted.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f32::max);
                // A zero point between the codes is itself rounded to the type of the scales.
                let of_zero = if case.scheme.keeps_zero() { 0.0 } else { quantized.zeros()[group].abs() * 0.004 };
                let bound = 0.5001 * gap + of_zero * grid.scale();
                prop_assert!((w - r).abs() <= bound, "{w} became {r}, with gaps up to {gap}");
            }
            Ok(())
        });
    }

    fn zeros_stay(&self) {
        holds("weights that are zero stay zero where the scheme has a zero", |case| {
            let values = self.values(&case)?;
            let stays = |(w, r): (&f32, &f32)| *w != 0.0 || *r == 0.0;
            prop_assert!(!case.scheme.keeps_zero() || case.matrix.as_slice().iter().zip(&values).all(stays));
            Ok(())
        });
    }

    fn groups_do_not_see_one_another(&self) {
        holds("changing the weights of one group changes no other", |case| {
            let (d_out, d_in) = (case.matrix.d_out(), case.matrix.d_in());
            let len = self.of(&case)?.group_len();
            let mut values = case.matrix.as_slice().to_vec();
            values[..len].iter_mut().for_each(|w| *w = 0.5 - 2.0 * *w);
            let changed = Case { matrix: HostMatrix::new(values, d_out, d_in), ..case.clone() };
            prop_assert_eq!(&self.values(&case)?[len..], &self.values(&changed)?[len..]);
            Ok(())
        });
    }

    fn outputs_permute(&self) {
        holds("reordering outputs reorders the result", |case| {
            let (d_out, d_in) = (case.matrix.d_out(), case.matrix.d_in());
            let mut values = case.matrix.as_slice().to_vec();
            values.rotate_left(d_in * (d_out / 2));
            let turned = Case { matrix: HostMatrix::new(values, d_out, d_in), ..case.clone() };
            let mut expected = self.values(&case)?;
            expected.rotate_left(d_in * (d_out / 2));
            prop_assert_eq!(self.values(&turned)?, expected);
            Ok(())
        });
    }

    fn outputs_move_no_more_than_with_rounding_to_nearest(&self) {
        holds("outputs move at most as far as with rounding to nearest", |case| {
            let ours = case.moved(&self.of(&case)?.dequantize());
            let nearest = RoundToNearest::new(case.scheme).quantize(&case.matrix);
            let nearest = case.moved(&nearest.map_err(|e| TestCaseError::fail(e.to_string()))?.dequantize());
            // Methods see the inputs through a Hessian in single precision.
            let bound = 1.001 * nearest + 1e-6 * case.energy(&case.matrix);
            prop_assert!(ours <= bound, "{ours}, to nearest {nearest}");
            Ok(())
        });
    }
}

/// A number as it is stored beside codes.
fn stored(value: f32, scales: ScaleDtype) -> f32 {
    match scales {
        ScaleDtype::F16 => f16::from_f32(value).to_f32(),
        ScaleDtype::BF16 => bf16::from_f32(value).to_f32(),
        _ => value,
    }
}
