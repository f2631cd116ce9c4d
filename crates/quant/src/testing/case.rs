//! What methods are tried on.

use crate::{Codes, Granularity, Inputs, ScaleDtype, Scheme, ZeroPoint};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::HostMatrix;
use junkdna_backend::calibration::{Hessian, Statistic};
use proptest::prelude::*;
use proptest::sample::select;

/// A weight matrix, a scheme that fits it, and inputs to calibrate on.
#[derive(Debug, Clone)]
pub struct Case {
    /// `[d_out, d_in]`.
    pub matrix: HostMatrix,
    /// What the codes are.
    pub scheme: Scheme,
    /// What the linear reads, a row for each token, `[tokens, d_in]`.
    pub inputs: HostMatrix,
}

impl Case {
    /// The Hessian of the inputs.
    pub fn hessian(&self) -> Hessian {
        self.observe()
    }

    /// All statistics of the inputs.
    pub fn statistics(&self) -> Inputs {
        self.observe()
    }

    fn observe<S: Statistic>(&self) -> S {
        let mut statistic = S::new(self.inputs.d_in());
        let shape = [self.inputs.d_out(), self.inputs.d_in()];
        let data = TensorData::new(self.inputs.as_slice().to_vec(), shape);
        statistic.add(&Tensor::from_data(data, &Device::flex()));
        statistic
    }

    /// ‖X (W − Ŵ)ᵀ‖²: how far the outputs move on the inputs.
    pub fn moved(&self, rounded: &HostMatrix) -> f64 {
        let off = self.matrix.as_slice().iter().zip(rounded.as_slice()).map(|(w, r)| w - r).collect();
        self.energy(&HostMatrix::new(off, self.matrix.d_out(), self.matrix.d_in()))
    }

    /// ‖X Wᵀ‖² of a matrix.
    pub(super) fn energy(&self, matrix: &HostMatrix) -> f64 {
        let output =
            |x: &[f32], row: &[f32]| -> f64 { x.iter().zip(row).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum() };
        let d_in = matrix.d_in().max(1);
        let of_token = |x: &[f32]| -> f64 { matrix.as_slice().chunks(d_in).map(|row| output(x, row).powi(2)).sum() };
        self.inputs.as_slice().chunks(d_in).map(of_token).sum()
    }
}

/// Weights of all kinds below 1000: of many magnitudes, of one, of one sign, with zeros, and all zero.
pub fn matrices(d_out: usize, d_in: usize) -> impl Strategy<Value = HostMatrix> {
    let weight = prop_oneof![6 => -1.0f32..1.0, 1 => -1e3f32..1e3, 1 => -1e-4f32..1e-4, 1 => Just(0.0)];
    let rows = prop_oneof![
        6 => prop::collection::vec(weight, d_out * d_in),
        1 => prop::collection::vec(0.0f32..1.0, d_out * d_in),
        1 => prop::collection::vec(select(vec![-0.5f32, 0.0, 0.25]), d_out * d_in),
        1 => (-2.0f32..2.0).prop_map(move |value| vec![value; d_out * d_in]),
        1 => Just(vec![0.0; d_out * d_in]),
    ];
    rows.prop_map(move |values| HostMatrix::new(values, d_out, d_in))
}

/// Inputs of all kinds: that depend on one another or not, fewer tokens than inputs, inputs that are always zero or the same
/// as another.
pub fn inputs(d_in: usize) -> impl Strategy<Value = HostMatrix> {
    let tokens = select(vec![1usize, 2, 3 * d_in]);
    let values = tokens.prop_flat_map(move |tokens| (Just(tokens), prop::collection::vec(-1.0f32..1.0, tokens * d_in)));
    (values, 0usize..4, any::<prop::sample::Index>()).prop_map(move |((tokens, mut values), kind, which)| {
        let input = which.index(d_in);
        for row in values.chunks_mut(d_in) {
            match kind {
                // Each input is near the one before it.
                1 => (1..d_in).for_each(|j| row[j] = 0.9 * row[j - 1] + 0.3 * row[j]),
                2 => row[input] = 0.0,
                3 => row[input] = row[0],
                _ => (),
            }
        }
        HostMatrix::new(values, tokens, d_in)
    })
}

/// All codes, with one scale for a tensor, an output or `size` inputs, stored in all types that have room for zero points.
pub fn schemes(size: usize) -> impl Strategy<Value = Scheme> {
    let zero_point = select(vec![ZeroPoint::Middle, ZeroPoint::Narrow, ZeroPoint::Code, ZeroPoint::Real]);
    let codes = prop_oneof![
        6 => (2u8..=8, zero_point).prop_map(|(bits, zero_point)| Codes::Integer { bits, zero_point }),
        1 => Just(Codes::Nf4),
        1 => Just(Codes::Fp4),
    ];
    let granularity = select(vec![Granularity::Tensor, Granularity::Channel, Granularity::Group(size)]);
    let scales = select(vec![ScaleDtype::F32, ScaleDtype::F16, ScaleDtype::BF16]);
    let scheme = |(codes, granularity, scales)| Scheme::of(codes, granularity).and_then(|s| s.with_scales(scales)).ok();
    (codes, granularity, scales).prop_filter_map("a scheme", scheme)
}

/// Cases of odd shapes: rows that end within and beyond the lanes of inner loops.
pub fn cases() -> impl Strategy<Value = Case> {
    let size = select(vec![1usize, 3, 8, 16]);
    (1usize..5, 1usize..4, size).prop_flat_map(|(d_out, groups, size)| {
        let parts = (matrices(d_out, groups * size), schemes(size), inputs(groups * size));
        parts.prop_map(|(matrix, scheme, inputs)| Case { matrix, scheme, inputs })
    })
}
