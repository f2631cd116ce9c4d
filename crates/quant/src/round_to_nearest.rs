//! Every weight to its nearest code.

use crate::outliers::Outliers;
use crate::{Distortion, Grids, MinMax, QuantError, Quantized, Range, Scheme};
use junkdna_backend::HostMatrix;
use rayon::prelude::*;

/// Round-to-nearest quantization: each weight goes to the nearest value of its group's grid, ties to even, whatever the
/// others do. Needs no data; the baseline that GPTQ and AWQ are measured against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundToNearest<R = MinMax> {
    scheme: Scheme,
    range: R,
    outliers: Outliers,
}

impl RoundToNearest {
    /// With grids from the smallest to the largest weight of each group.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, range: MinMax, outliers: Outliers::NONE }
    }
}

impl<R: Range> RoundToNearest<R> {
    /// With another choice of grids.
    pub fn with_range<S: Range>(self, range: S) -> RoundToNearest<S> {
        RoundToNearest { scheme: self.scheme, range, outliers: self.outliers }
    }

    /// With this share of each matrix, its largest weights, kept beside the codes; grids are chosen for the others.
    ///
    /// # Errors
    /// If `share` is not in [0, 1).
    pub fn with_outliers(self, share: f64) -> Result<Self, QuantError> {
        Ok(Self { outliers: Outliers::new(share)?, ..self })
    }

    /// What the codes are.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The same with another scheme.
    pub(crate) fn with_scheme(&self, scheme: Scheme) -> RoundToNearest<&R> {
        RoundToNearest { scheme, range: &self.range, outliers: self.outliers }
    }

    /// The codes of a matrix `[d_out, d_in]`.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`, a weight is NaN, infinite or 2^126 and more, or a scale overflows the type
    /// that it is stored in.
    pub fn quantize(&self, matrix: &HostMatrix) -> Result<Quantized, QuantError> {
        let (inliers, outliers) = self.outliers.split(matrix, self.scheme)?;
        let grids = Grids::of(&inliers, self.scheme, &self.range)?;
        grids.encode(&inliers).with_outliers(outliers)
    }

    /// The matrix after [`quantize`](Self::quantize) and [`dequantize`](Quantized::dequantize), bit for bit, without
    /// storing codes; and how far it moved.
    ///
    /// # Errors
    /// As for [`quantize`](Self::quantize).
    pub fn round(&self, matrix: &HostMatrix) -> Result<(HostMatrix, Distortion), QuantError> {
        let (inliers, outliers) = self.outliers.split(matrix, self.scheme)?;
        let grids = Grids::of(&inliers, self.scheme, &self.range)?;
        let mut rounded = vec![0.0; matrix.as_slice().len()];
        let (d_in, run) = (matrix.d_in().max(1), grids.run());
        let rows = rounded.par_chunks_mut(d_in).zip(inliers.as_slice().par_chunks(d_in)).enumerate();
        rows.for_each(|(output, (rounded, row))| {
            let runs = rounded.chunks_mut(run).zip(row.chunks(run)).zip(grids.of_row(output));
            runs.for_each(|((rounded, weights), grid)| grid.round_all(weights, rounded));
        });
        outliers.iter().for_each(|outlier| rounded[outlier.index as usize] = outlier.value);
        let moved = Distortion::of_rows(matrix.as_slice(), &rounded, d_in);
        Ok((HostMatrix::new(rounded, matrix.d_out(), matrix.d_in()), moved))
    }
}
