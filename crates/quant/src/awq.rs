//! AWQ.

use crate::calibrated::squared_errors;
use crate::scaled::{self, Reader, Scaling, error_with};
use crate::scheme::stored_scale;
use crate::{Grid, Grids, Inputs, MinMax, Parts, QuantError, Quantized, QuantizedModule, RoundToNearest, Scheme};
use burn::module::Module;
use junkdna_backend::calibration::QuadraticForm;
use junkdna_backend::{Blocks, HostMatrix, TokenTree};
use rayon::prelude::*;

/// Clipped ranges end at this share of the weights', as published.
const SMALLEST_SHARE: f32 = 0.5;

/// Scales up the weights of large inputs before rounding to nearest, so that they lose least (Lin et al. 2023, *AWQ:
/// Activation-aware Weight Quantization*, arXiv 2306.00978, sections 3.2 and 4).
///
/// The factor of an input is the mean of its magnitude to a power α, the same α for all weights that read it, searched
/// between 0, which is rounding to nearest, and 1 for the smallest error of the linears' outputs on the calibration samples:
/// `‖X (W − Ŵ)ᵀ‖²`, where the authors compare outputs of the whole attention or feed-forward layer. Then the range of each group is clipped
/// to where the error of its own share of the output is least; a weight whose outputs would be farther off for that stays
/// unclipped.
///
/// Factors are folded into what computes the input where the model says what that is ([`Blocks::folds`]). Elsewhere they are
/// kept beside the codes, 16 bits for each input, or not used ([`with_factors_kept`](Self::with_factors_kept)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Awq {
    scheme: Scheme,
    powers: u16,
    clipped: u16,
    factors_kept: bool,
}

impl Awq {
    /// 20 powers and 10 clipped ranges.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, powers: 20, clipped: 10, factors_kept: true }
    }

    /// How many powers are tried beside 0.
    pub fn with_powers(self, powers: u16) -> Self {
        Self { powers, ..self }
    }

    /// How many clipped ranges are tried beside the whole one.
    pub fn with_clipping(self, clipped: u16) -> Self {
        Self { clipped, ..self }
    }

    /// Whether inputs are scaled whose factors nothing before them can take, so that the file has to hold them.
    pub fn with_factors_kept(self, factors_kept: bool) -> Self {
        Self { factors_kept, ..self }
    }

    /// The codes of a matrix `[d_out, d_in]` alone, given statistics of its inputs, with the factors beside them.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`, a weight is NaN, infinite or 2^126 and more, a scale overflows the type it
    /// is stored in, or the statistics are of other inputs.
    pub fn quantize(&self, matrix: &HostMatrix, inputs: &Inputs) -> Result<Quantized, QuantError> {
        let (d_in, observed) = (matrix.d_in(), inputs.hessian().d_in());
        if d_in != observed {
            return Err(QuantError::OtherInputs { d_in, observed });
        }
        let form = inputs.hessian().quadratic_form();
        let mut reader = [Reader { path: String::new(), matrix: matrix.clone(), scheme: self.scheme }];
        let factors = self.factors(inputs, &form, &reader)?;
        let rows = matrix.as_slice().chunks(d_in.max(1));
        let values = rows.flat_map(|row| row.iter().zip(&factors).map(|(w, factor)| w * factor)).collect();
        reader[0].matrix = HostMatrix::new(values, matrix.d_out(), d_in);
        Scaling::quantize(self, &reader[0], &form.divided(&factors))?.0.with_input_scales(factors)
    }

    /// The model with the selected linears of every block quantized, each block on the outputs of the quantized blocks before
    /// it, and what that did to each weight. `progress` hears how many blocks are done.
    ///
    /// # Errors
    /// Those of [`quantize`](Self::quantize), naming the weight; no samples, a selection that matches no linear of a block, or
    /// a model that names a parameter before its linears which it does not have.
    pub fn quantize_blocks<M: Module + Blocks>(
        &self,
        model: M,
        samples: &[TokenTree],
        parts: impl Into<Parts>,
        progress: impl FnMut(usize),
    ) -> Result<QuantizedModule<M>, QuantError> {
        scaled::quantize_blocks(self, model, samples, &parts.into(), progress)
    }

    /// The grids of a matrix, each clipped to where it serves its own inputs best.
    fn clipped(&self, weight: &Reader, form: &QuadraticForm) -> Result<Grids, QuantError> {
        let Reader { matrix, scheme, .. } = weight;
        let whole = Grids::of(matrix, *scheme, &MinMax)?;
        let run = whole.run();
        let groups = matrix.d_in() / run.max(1);
        let best = (0..groups).into_par_iter().map(|group| {
            let (start, form) = (group * run, form.of_inputs(group * run, run));
            let weights: Vec<f32> =
                (0..matrix.d_out()).flat_map(|o| matrix.row(o)[start..start + run].iter().copied()).collect();
            self.clipped_group(&weights, run, scheme, &form)
        });
        let best: Vec<Vec<Grid>> = best.collect();
        let grids = (0..matrix.d_out()).flat_map(|output| best.iter().map(move |group| group[output])).collect();
        Grids::from_grids(grids, *scheme, [matrix.d_out(), matrix.d_in()])
    }

    /// Of one group of inputs, `[d_out, run]`, the best grid of each output.
    fn clipped_group(&self, weights: &[f32], run: usize, scheme: &Scheme, form: &QuadraticForm) -> Vec<Grid> {
        let mut best: Vec<(f64, Grid)> = Vec::new();
        for step in 0..=self.clipped {
            let share = 1.0 - (1.0 - SMALLEST_SHARE) * f32::from(step) / f32::from(self.clipped.max(1));
            let grids: Vec<Grid> = weights
                .chunks(run)
                .map(|group| {
                    let (low, high) = crate::range::min_max(group);
                    scheme.grid_over(share * low, share * high)
                })
                .collect();
            let mut moved = vec![0.0; weights.len()];
            for ((moved, group), grid) in moved.chunks_mut(run).zip(weights.chunks(run)).zip(&grids) {
                grid.round_all(group, moved);
                moved.iter_mut().zip(group).for_each(|(r, w)| *r = w - *r);
            }
            let tried = form.of_rows(&moved).into_iter().zip(grids);
            if best.is_empty() {
                best = tried.collect();
            } else {
                best.iter_mut().zip(tried).filter(|(best, tried)| tried.0 < best.0).for_each(|(best, t)| *best = t);
            }
        }
        best.into_iter().map(|(_, grid)| grid).collect()
    }
}

impl Scaling for Awq {
    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn keeps_factors(&self) -> bool {
        self.factors_kept
    }

    fn factors(&self, inputs: &Inputs, form: &QuadraticForm, readers: &[Reader]) -> Result<Vec<f32>, QuantError> {
        let magnitudes = inputs.mean_magnitudes();
        let round = |matrix: &HostMatrix, scheme| Ok(RoundToNearest::new(scheme).round(matrix)?.0);
        let mut best = vec![1.0; magnitudes.len()];
        let mut least = error_with(&best, form, readers, round)?;
        for power in 1..=self.powers {
            // As they would be stored, for whoever has to keep them.
            let factors = powers(&magnitudes, f32::from(power) / f32::from(self.powers));
            let factors: Vec<f32> =
                factors.into_iter().map(|factor| stored_scale(factor, self.scheme.scales())).collect();
            // Factors that overflow a scale are no candidates.
            let error = error_with(&factors, form, readers, round).unwrap_or(f64::INFINITY);
            if error < least {
                (best, least) = (factors, error);
            }
        }
        Ok(best)
    }

    fn quantize(&self, weight: &Reader, form: &QuadraticForm) -> Result<(Quantized, Vec<f64>), QuantError> {
        let with_errors = |quantized: Quantized| {
            let errors = squared_errors(form, &weight.matrix, &quantized.dequantize());
            (quantized, errors)
        };
        let whole = Grids::of(&weight.matrix, weight.scheme, &MinMax)?;
        let unclipped = with_errors(whole.encode(&weight.matrix));
        if self.clipped == 0 || whole.of_matrix() {
            return Ok(unclipped);
        }
        let clipped = with_errors(self.clipped(weight, form)?.encode(&weight.matrix));
        let total = |(_, errors): &(Quantized, Vec<f64>)| errors.iter().sum::<f64>();
        Ok(if total(&clipped) < total(&unclipped) { clipped } else { unclipped })
    }
}

/// Magnitudes to a power, the largest times the smallest being 1, as published; inputs that are always zero count as very
/// small.
fn powers(magnitudes: &[f32], power: f32) -> Vec<f32> {
    let factors: Vec<f32> = magnitudes.iter().map(|magnitude| magnitude.powf(power).max(1e-4)).collect();
    let (largest, smallest) = factors.iter().fold((0.0f32, f32::INFINITY), |(l, s), &f| (l.max(f), s.min(f)));
    let middle = (largest * smallest).sqrt();
    factors.into_iter().map(|factor| factor / middle).collect()
}
