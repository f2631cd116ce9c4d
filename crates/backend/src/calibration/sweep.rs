//! One column after another, the columns behind making up for each.

use super::InverseFactor;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Outputs that a thread takes at a time.
const ROWS: usize = 8;

/// Fixes the weights of a linear column after column: what pruning or rounding a weight does to the layer's outputs is taken
/// out of the weights of the inputs behind it, as far as they can (optimal brain surgeon, Hassibi and Stork 1993, in the fixed
/// order of GPTQ and SparseGPT: Frantar et al. 2022, equations 2 and 3; Frantar and Alistarh 2023, algorithm 1).
#[derive(Debug)]
pub struct Sweep<'a> {
    factor: &'a InverseFactor,
    d_in: usize,
    /// `[d_out, d_in]`: final left of the last block, updated for it right of it.
    values: Vec<f32>,
}

/// A weight that is about to be fixed.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its output.
    pub output: usize,
    /// Its input.
    pub input: usize,
    /// The output's weights as they are now, `[d_in]`; of those behind the current block as they were before it.
    pub row: &'a [f32],
}

impl<'a> Sweep<'a> {
    /// Over a weight `[d_out, d_in]`, row-major. Weights of inputs that were always zero become zero.
    pub fn new(weight: &[f32], factor: &'a InverseFactor) -> Self {
        let d_in = factor.d_in().max(1);
        let mut values = weight.to_vec();
        for row in values.chunks_mut(d_in) {
            row.iter_mut().enumerate().filter(|(input, _)| factor.is_dead(*input)).for_each(|(_, w)| *w = 0.0);
        }
        Self { factor, d_in, values }
    }

    /// The weights as they are now.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The weights.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// Fixes the next columns. `rule` says what a weight becomes; of `state` it gets the same share for each output, in
    /// their order, to note what it needs.
    ///
    /// # Panics
    /// If `state` is not a whole number of entries for each output.
    pub fn block<T: Send>(
        &mut self,
        columns: Range<usize>,
        state: &mut [T],
        rule: impl Fn(Place<'_>, &mut [T]) -> f32 + Sync,
    ) {
        let (width, d_in, outputs) = (columns.len(), self.d_in, self.values.len() / self.d_in);
        assert!(outputs > 0 && state.len().is_multiple_of(outputs), "{} entries for {outputs} outputs", state.len());
        let share = state.len() / outputs;
        // A copy that stays in the cache while all outputs go through it.
        let factor: Vec<f32> =
            columns.clone().flat_map(|j| self.factor.row(j)[columns.clone()].iter().copied()).collect();
        let mut errors = vec![0.0; outputs * width];
        let rows = self.values.par_chunks_mut(ROWS * d_in).zip(state.par_chunks_mut(ROWS * share));
        rows.zip(errors.par_chunks_mut(ROWS * width)).enumerate().for_each(|(chunk, ((values, state), errors))| {
            let rows = values.chunks_mut(d_in).zip(state.chunks_mut(share)).zip(errors.chunks_mut(width));
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (index, ((row, state), errors)) in rows.enumerate() {
                        let output = chunk * ROWS + index;
                        fix(row, columns.clone(), &factor, errors, |input, row| {
                            rule(Place { output, input, row }, &mut *state)
                        });
                    }
                },
            );
        });
        self.update_behind(columns, &errors);
    }

    /// W[:, behind] -= errors · U[columns, behind].
    fn update_behind(&mut self, columns: Range<usize>, errors: &[f32]) {
        let (d_in, width) = (self.d_in, columns.len());
        let (d_out, behind) = (self.values.len() / d_in, d_in - columns.end);
        let upper = MatRef::from_row_major_slice(self.factor.as_slice(), d_in, d_in);
        let upper = upper.submatrix(columns.start, columns.end, width, behind);
        let errors = MatRef::from_row_major_slice(errors, d_out, width);
        let weights = MatMut::from_row_major_slice_mut(&mut self.values, d_out, d_in).subcols_mut(columns.end, behind);
        matmul(weights, Accum::Add, errors, upper, -1.0, Par::rayon(0));
    }
}

/// Fixes the columns of one output; `errors` become (w - what it becomes) / U_jj, `factor` is U of these columns.
#[inline(always)]
fn fix(
    row: &mut [f32],
    columns: Range<usize>,
    factor: &[f32],
    errors: &mut [f32],
    mut rule: impl FnMut(usize, &[f32]) -> f32,
) {
    let width = columns.len();
    for (j, input) in columns.clone().enumerate() {
        let upper = &factor[j * width..(j + 1) * width];
        let fixed = rule(input, row);
        let error = (row[input] - fixed) / upper[j];
        if error != 0.0 {
            row[input + 1..columns.end].iter_mut().zip(&upper[j + 1..]).for_each(|(w, u)| *w -= error * u);
        }
        row[input] = fixed;
        errors[j] = error;
    }
}
