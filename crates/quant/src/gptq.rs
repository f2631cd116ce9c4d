//! GPTQ.

use crate::calibrated::{self, output_error, squared_errors};
use crate::{Grid, Grids, MinMax, Parts, QuantError, Quantized, QuantizedModule, Range, Scheme};
use burn::module::Module;
use junkdna_backend::calibration::{Hessian, InverseFactor, Place, QuadraticForm, Sweep};
use junkdna_backend::{Blocks, HostMatrix, TokenTree};

/// Rounds one column after another and lets the columns behind make up for each error (Frantar et al. 2022, *GPTQ: Accurate
/// Post-Training Quantization for Generative Pre-trained Transformers*, arXiv 2210.17323, algorithm 1).
///
/// The grid of a group is set when its first column is reached, from its weights as the columns before have left them; with
/// static grids ([`with_static_grids`](Self::with_static_grids)), and always in the order of activations
/// ([`with_activation_order`](Self::with_activation_order)), beforehand, from the weights as they were.
///
/// What rounding greedily promises for an output is an error of at most half a step of each input given those behind it (the
/// sum of (s_j / 2)² / U_jj², with H⁻¹ = Uᵀ U): the worst case of rounding to nearest, made smaller by how much inputs say about
/// one another; not less than what rounding to nearest happens to leave, unless no input says anything about another, when both
/// are the same. And not even that where a code has nowhere to go, at an end of its range: those are the degenerate outputs.
/// Outputs that end farther from what they were on the calibration data than rounding to nearest leaves them
/// are therefore rounded to nearest, unless [`with_fallback`](Self::with_fallback) says otherwise: with it no output is worse
/// off, whatever the inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gptq<R = MinMax> {
    scheme: Scheme,
    range: R,
    block_size: usize,
    damping: f64,
    by_activation: bool,
    static_grids: bool,
    keep_zeros: bool,
    fallback: bool,
}

impl Gptq {
    /// Blocks of 128 columns and a damping of 0.01 times the mean of the Hessian's diagonal, as published; inputs in their
    /// own order.
    pub fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            range: MinMax,
            block_size: 128,
            damping: 0.01,
            by_activation: false,
            static_grids: false,
            keep_zeros: false,
            fallback: true,
        }
    }
}

impl<R: Range> Gptq<R> {
    /// With another choice of grids.
    pub fn with_range<S: Range>(self, range: S) -> Gptq<S> {
        let Self { scheme, block_size, damping, by_activation, static_grids, keep_zeros, fallback, .. } = self;
        Gptq { scheme, range, block_size, damping, by_activation, static_grids, keep_zeros, fallback }
    }

    /// Columns between two updates of everything behind; at least 1.
    pub fn with_block_size(self, block_size: usize) -> Self {
        Self { block_size: block_size.max(1), ..self }
    }

    /// What is added to the diagonal of the Hessian, times its mean. Where that is too little it is raised tenfold, up to 1.
    pub fn with_damping(self, damping: f64) -> Self {
        Self { damping, ..self }
    }

    /// The inputs with the largest activations first ("act-order"), while there are most columns left to make up for them.
    pub fn with_activation_order(self, by_activation: bool) -> Self {
        Self { by_activation, ..self }
    }

    /// Grids from the weights as they were ("static groups").
    pub fn with_static_grids(self, static_grids: bool) -> Self {
        Self { static_grids, ..self }
    }

    /// Weights that are zero stay zero, as pruned ones should, instead of making up for others.
    pub fn with_zeros_kept(self, keep_zeros: bool) -> Self {
        Self { keep_zeros, ..self }
    }

    /// Whether outputs that rounding to nearest would move less are rounded to nearest; `false` is the paper's algorithm.
    pub fn with_fallback(self, fallback: bool) -> Self {
        Self { fallback, ..self }
    }

    /// The codes of a matrix `[d_out, d_in]`, given the Hessian of its inputs.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`, a weight is NaN, infinite or 2^126 and more, a scale overflows the type it
    /// is stored in, the Hessian is of other inputs or cannot be inverted, or zeros are to be kept by a scheme that has none.
    pub fn quantize(&self, matrix: &HostMatrix, hessian: &Hessian) -> Result<Quantized, QuantError> {
        self.quantize_as(self.scheme, matrix, hessian, &hessian.quadratic_form()).map(|(quantized, _)| quantized)
    }

    /// The model with the selected linears of every block rounded, each block on the outputs of the rounded blocks before
    /// it, and what that did to each weight. `progress` hears how many blocks are done.
    ///
    /// # Errors
    /// Those of [`quantize`](Self::quantize), naming the weight; no samples, or a selection that matches no linear of a block.
    pub fn quantize_blocks<M: Module + Blocks>(
        &self,
        model: M,
        samples: &[TokenTree],
        parts: impl Into<Parts>,
        progress: impl FnMut(usize),
    ) -> Result<QuantizedModule<M>, QuantError> {
        let quantize = |matrix: &HostMatrix, scheme: Scheme, hessian: &Hessian| {
            let form = hessian.quadratic_form();
            let (quantized, errors) = self.quantize_as(scheme, matrix, hessian, &form)?;
            Ok((quantized, output_error(&form, matrix, &errors)))
        };
        calibrated::quantize_blocks(model, samples, &parts.into(), self.scheme, quantize, progress)
    }

    /// The codes, and the squared error of each output.
    fn quantize_as(
        &self,
        scheme: Scheme,
        matrix: &HostMatrix,
        hessian: &Hessian,
        form: &QuadraticForm,
    ) -> Result<(Quantized, Vec<f64>), QuantError> {
        let d_in = matrix.d_in();
        if hessian.d_in() != d_in {
            return Err(QuantError::OtherInputs { d_in, observed: hessian.d_in() });
        }
        if self.keep_zeros && !scheme.keeps_zero() {
            return Err(QuantError::MovesZero);
        }
        let beforehand = Grids::of(matrix, scheme, &self.range)?;
        let order = self.order(hessian);
        let factor = hessian.factor_in_order(&order, self.damping)?;
        let rounded = self.sweep(matrix, &order, &factor, &beforehand)?;
        let errors = squared_errors(form, matrix, &rounded.dequantize());
        if !self.fallback {
            return Ok((rounded, errors));
        }
        let to_nearest = beforehand.encode(matrix);
        let others = squared_errors(form, matrix, &to_nearest.dequantize());
        Ok(smaller_errors((rounded, errors), (to_nearest, others)))
    }

    /// The order in which inputs are fixed.
    fn order(&self, hessian: &Hessian) -> Vec<usize> {
        let mut order: Vec<usize> = (0..hessian.d_in()).collect();
        if self.by_activation {
            let diagonal = hessian.diagonal();
            order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
        }
        order
    }

    fn sweep(
        &self,
        matrix: &HostMatrix,
        order: &[usize],
        factor: &InverseFactor,
        beforehand: &Grids,
    ) -> Result<Quantized, QuantError> {
        let (scheme, range, d_out, d_in) = (beforehand.scheme(), &self.range, matrix.d_out(), matrix.d_in());
        let run = beforehand.run();
        let fixed = self.by_activation || self.static_grids || beforehand.of_matrix();
        let grids = |output| if fixed { beforehand.of_row(output).to_vec() } else { Vec::new() };
        let mut rows: Vec<Row> = (0..d_out).map(|o| Row { grids: grids(o), codes: vec![0; d_in] }).collect();
        let in_order: Vec<f32> = match self.by_activation {
            true => (0..d_out).flat_map(|o| order.iter().map(move |&input| matrix.row(o)[input])).collect(),
            false => matrix.as_slice().to_vec(),
        };
        let mut sweep = Sweep::new(&in_order, factor);
        let step = self.block_size;
        let blocks = if rows.is_empty() { 0 } else { d_in };
        for start in (0..blocks).step_by(step) {
            sweep.block(start..(start + step).min(d_in), &mut rows, |place: Place<'_>, rows: &mut [Row]| {
                let Row { grids, codes } = &mut rows[0];
                let input = order[place.input];
                if !fixed && input.is_multiple_of(run) {
                    grids.push(range.grid(&place.row[input..input + run], &scheme));
                }
                let grid = grids[input / run];
                let stays_zero = self.keep_zeros && matrix.row(place.output)[input] == 0.0;
                codes[input] = grid.code(if stays_zero { 0.0 } else { place.row[place.input] });
                grid.value(codes[input])
            });
        }
        let shown = if beforehand.of_matrix() { 1 } else { d_out };
        let grids = rows.iter().take(shown).flat_map(|row| row.grids.iter().copied()).collect();
        let grids = Grids::from_grids(grids, scheme, [d_out, d_in])?;
        Ok(grids.with_codes(rows.into_iter().flat_map(|row| row.codes).collect()))
    }
}

/// Of two quantizations of one matrix for each output the one with the smaller error, and that error; the first if equal.
fn smaller_errors(
    (mut first, mut errors): (Quantized, Vec<f64>),
    (second, others): (Quantized, Vec<f64>),
) -> (Quantized, Vec<f64>) {
    let d_in = first.d_in;
    // Of one grid for the matrix both have the same.
    let groups = if first.group_len > d_in { 0 } else { d_in / first.group_len };
    for (output, other) in others.into_iter().enumerate() {
        if other >= errors[output] {
            continue;
        }
        let (codes, grids) = (output * d_in..(output + 1) * d_in, output * groups..(output + 1) * groups);
        first.codes[codes.clone()].copy_from_slice(&second.codes[codes]);
        first.scales[grids.clone()].copy_from_slice(&second.scales[grids.clone()]);
        first.zeros[grids.clone()].copy_from_slice(&second.zeros[grids]);
        errors[output] = other;
    }
    (first, errors)
}

/// What one output has become.
struct Row {
    grids: Vec<Grid>,
    codes: Vec<u8>,
}
