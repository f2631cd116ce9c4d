//! Large weights that are kept beside the codes.

use crate::finite::check_finite;
use crate::{Outlier, QuantError, Scheme};
use burn::tensor::quantization::ScaleDtype;
use burn::tensor::{bf16, f16};
use junkdna_backend::HostMatrix;

/// Which share of a matrix, its largest weights, is not quantized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outliers {
    share: f64,
}

impl Outliers {
    pub(crate) const NONE: Self = Self { share: 0.0 };

    pub(crate) fn new(share: f64) -> Result<Self, QuantError> {
        if (0.0..1.0).contains(&share) { Ok(Self { share }) } else { Err(QuantError::OutlierShare { share }) }
    }

    /// The matrix with its outliers at zero, which no range has to reach, and the outliers in the order of their places.
    pub(crate) fn split(self, matrix: &HostMatrix, scheme: Scheme) -> Result<(HostMatrix, Vec<Outlier>), QuantError> {
        let weights = matrix.as_slice();
        let count = (self.share * weights.len() as f64) as usize;
        if count == 0 {
            return Ok((matrix.clone(), Vec::new()));
        }
        check_finite(matrix)?;
        let mut places: Vec<usize> = (0..weights.len()).collect();
        let larger = |&a: &usize, &b: &usize| weights[b].abs().total_cmp(&weights[a].abs()).then(a.cmp(&b));
        places.select_nth_unstable_by(count - 1, larger);
        places.truncate(count);
        places.sort_unstable();
        let mut inliers = weights.to_vec();
        let mut outliers = Vec::with_capacity(count);
        for place in places {
            let value = stored(std::mem::take(&mut inliers[place]), scheme.scales());
            if !value.is_finite() {
                let [output, input] = [place / matrix.d_in(), place % matrix.d_in()];
                return Err(QuantError::ScaleOverflow { output, input, scales: scheme.scales() });
            }
            outliers.push(Outlier { index: place as u32, value });
        }
        Ok((HostMatrix::new(inliers, matrix.d_out(), matrix.d_in()), outliers))
    }
}

/// An outlier as it is stored: like a scale, but that 8 bits are too coarse for it.
fn stored(weight: f32, scales: ScaleDtype) -> f32 {
    match scales {
        ScaleDtype::F32 => weight,
        ScaleDtype::BF16 => bf16::from_f32(weight).to_f32(),
        ScaleDtype::F16 | ScaleDtype::UE8M0 | ScaleDtype::UE4M3 => f16::from_f32(weight).to_f32(),
    }
}
