//! The columns of one block within one output.

use crate::NofM;

/// One output's weights in a block of columns.
pub struct Row<'a> {
    pub values: &'a mut [f32],
    pub keep: &'a mut [bool],
    /// (w - what is stored) / U_jj of each column.
    pub errors: &'a mut [f32],
    /// U of the block's columns, row-major.
    pub factor: &'a [f32],
}

impl Row<'_> {
    /// Fixes column after column: zero or rounded, and the error taken out of the columns behind.
    #[inline(always)]
    pub fn fix(&mut self, pattern: Option<NofM>, round: impl Fn(usize, f32) -> f32) {
        let width = self.values.len();
        for j in 0..width {
            if let Some(pattern) = pattern.filter(|pattern| j.is_multiple_of(pattern.m())) {
                self.choose(j, pattern);
            }
            let upper = &self.factor[j * width..(j + 1) * width];
            let value = self.values[j];
            let stored = if self.keep[j] { round(j, value) } else { 0.0 };
            let error = (value - stored) / upper[j];
            if error != 0.0 {
                self.values[j + 1..].iter_mut().zip(&upper[j + 1..]).for_each(|(w, u)| *w -= error * u);
            }
            self.values[j] = stored;
            self.errors[j] = error;
        }
    }

    /// The n smallest w² / U_jj² of the m columns from `start` go, as the columns before have left them.
    fn choose(&mut self, start: usize, pattern: NofM) {
        let width = self.values.len();
        let score = |j: usize| (self.values[j] / self.factor[j * width + j]).powi(2);
        let mut order: Vec<usize> = (start..start + pattern.m()).collect();
        order.sort_by(|&a, &b| score(a).total_cmp(&score(b)));
        order[..pattern.n()].iter().for_each(|&j| self.keep[j] = false);
    }
}
