//! GPTQ.

use crate::finite::check_finite;
use crate::{Distortion, Grid, LayerSummary, MinMax, QuantError, Quantized, Range, Scheme, Summary};
use burn::module::Module;
use junkdna_backend::calibration::{Hessian, InverseFactor, Place, Sweep, compress_by_block};
use junkdna_backend::{Blocks, HostMatrix, Selection, TokenTree};

/// Rounds one column after another and lets the columns behind make up for each error (Frantar et al. 2022, *GPTQ: Accurate
/// Post-Training Quantization for Generative Pre-trained Transformers*, arXiv 2210.17323, algorithm 1).
///
/// The grid of a group is set when its first column is reached, from its weights as the columns before have left them. In
/// the order of activations ([`with_activation_order`](Self::with_activation_order)) grids are set beforehand, from the
/// weights as they were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gptq<R = MinMax> {
    scheme: Scheme,
    range: R,
    block_size: usize,
    damping: f64,
    by_activation: bool,
}

impl Gptq {
    /// Blocks of 128 columns and a damping of 0.01 times the mean of the Hessian's diagonal, as published; inputs in their
    /// own order.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, range: MinMax, block_size: 128, damping: 0.01, by_activation: false }
    }
}

impl<R: Range> Gptq<R> {
    /// With another choice of grids.
    pub fn with_range<S: Range>(self, range: S) -> Gptq<S> {
        let Self { scheme, block_size, damping, by_activation, .. } = self;
        Gptq { scheme, range, block_size, damping, by_activation }
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

    /// The codes of a matrix `[d_out, d_in]`, given the Hessian of its inputs.
    ///
    /// # Errors
    /// If the group size does not divide `d_in`, a weight is NaN, infinite or 2^126 and more, or the Hessian is of other
    /// inputs or cannot be inverted.
    pub fn quantize(&self, matrix: &HostMatrix, hessian: &Hessian) -> Result<Quantized, QuantError> {
        let (d_out, d_in) = (matrix.d_out(), matrix.d_in());
        if hessian.d_in() != d_in {
            return Err(QuantError::OtherInputs { d_in, observed: hessian.d_in() });
        }
        check_finite(matrix)?;
        let group_len = self.scheme.group_len(d_out, d_in)?.max(1);
        let order = self.order(hessian);
        let factor = hessian.factor_in_order(&order, self.damping)?;
        let groups = Groups { run: group_len.min(d_in.max(1)), of_matrix: group_len > d_in };
        let rows = self.sweep(matrix, &order, &factor, groups);
        let grids = rows.iter().take(if groups.of_matrix { 1 } else { d_out }).flat_map(|row| row.grids.iter());
        Ok(Quantized {
            d_out,
            d_in,
            scheme: self.scheme,
            group_len,
            scales: grids.clone().map(Grid::scale).collect(),
            zeros: grids.map(Grid::zero).collect(),
            codes: rows.into_iter().flat_map(|row| row.codes).collect(),
        })
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
        selection: &Selection,
        progress: impl FnMut(usize),
    ) -> Result<(M, Summary), QuantError> {
        if samples.is_empty() {
            return Err(QuantError::NoSamples);
        }
        let compress = |path: &str, matrix: HostMatrix, hessian: &Hessian| {
            let round = || {
                let rounded = self.quantize(&matrix, hessian)?.dequantize();
                let distortion = Distortion::between(matrix.as_slice(), rounded.as_slice());
                let layer = LayerSummary::new(path, [matrix.d_out(), matrix.d_in()], &self.scheme, distortion)?;
                Ok((rounded, layer))
            };
            round().map_err(|error: QuantError| error.of_weight(path))
        };
        let (model, layers) = compress_by_block(model, samples, selection, compress, progress)?;
        match layers.is_empty() {
            true => Err(QuantError::NothingSelected),
            false => Ok((model, Summary { layers: layers.into_iter().map(|(_, layer)| layer).collect() })),
        }
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

    fn sweep(&self, matrix: &HostMatrix, order: &[usize], factor: &InverseFactor, groups: Groups) -> Vec<Row> {
        let (scheme, range, d_in) = (&self.scheme, &self.range, matrix.d_in());
        let beforehand = self.by_activation || groups.of_matrix;
        let mut rows: Vec<Row> = match (beforehand, groups.of_matrix) {
            (false, _) => (0..matrix.d_out()).map(|_| Row::new(Vec::new(), d_in)).collect(),
            (true, true) => {
                let one = range.grid(matrix.as_slice(), scheme);
                (0..matrix.d_out()).map(|_| Row::new(vec![one], d_in)).collect()
            }
            (true, false) => {
                let grids =
                    |output| matrix.row(output).chunks(groups.run).map(|group| range.grid(group, scheme)).collect();
                (0..matrix.d_out()).map(|output| Row::new(grids(output), d_in)).collect()
            }
        };
        let in_order: Vec<f32> = match self.by_activation {
            true => (0..matrix.d_out()).flat_map(|o| order.iter().map(move |&input| matrix.row(o)[input])).collect(),
            false => matrix.as_slice().to_vec(),
        };
        let mut sweep = Sweep::new(&in_order, factor);
        let step = self.block_size;
        let blocks = if rows.is_empty() { 0 } else { d_in };
        for start in (0..blocks).step_by(step) {
            sweep.block(start..(start + step).min(d_in), &mut rows, |place: Place<'_>, rows: &mut [Row]| {
                let Row { grids, codes } = &mut rows[0];
                let input = order[place.input];
                if !beforehand && input.is_multiple_of(groups.run) {
                    grids.push(range.grid(&place.row[input..input + groups.run], scheme));
                }
                let grid = grids[input / groups.run];
                codes[input] = grid.code(place.row[place.input]);
                grid.value(codes[input])
            });
        }
        rows
    }
}

/// How a matrix splits into groups.
#[derive(Clone, Copy)]
struct Groups {
    /// Inputs of one output that share a grid.
    run: usize,
    /// Whether all outputs share it too.
    of_matrix: bool,
}

/// What one output has become.
struct Row {
    grids: Vec<Grid>,
    codes: Vec<u8>,
}

impl Row {
    fn new(grids: Vec<Grid>, d_in: usize) -> Self {
        Self { grids, codes: vec![0; d_in] }
    }
}
