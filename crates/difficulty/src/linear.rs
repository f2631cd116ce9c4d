//! Small dense symmetric systems.

use crate::StatsError;

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Symmetric {
    size: usize,
    values: Vec<f64>,
}

impl Symmetric {
    pub(crate) fn zero(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    /// Adds `factor` · `v` `v`ᵀ.
    pub(crate) fn add_square(&mut self, factor: f64, v: &[f64]) {
        for (row, a) in self.values.chunks_exact_mut(self.size).zip(v) {
            row.iter_mut().zip(v).for_each(|(cell, b)| *cell += factor * a * b);
        }
    }

    /// Adds `factor` · `other`.
    pub(crate) fn add(&mut self, factor: f64, other: &Self) {
        self.values.iter_mut().zip(&other.values).for_each(|(cell, b)| *cell += factor * b);
    }

    /// Adds `value` to the diagonal element `at`.
    pub(crate) fn add_diagonal(&mut self, at: usize, value: f64) {
        self.values[at * self.size + at] += value;
    }

    /// The lower factor L with L Lᵀ = self; none where the matrix is not (numerically) positive definite.
    pub(crate) fn cholesky(&self) -> Option<Cholesky> {
        let n = self.size;
        let mut lower = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..=row {
                let known: f64 = (0..column).map(|k| lower[row * n + k] * lower[column * n + k]).sum();
                let rest = self.get(row, column) - known;
                lower[row * n + column] = if row != column {
                    rest / lower[column * n + column]
                } else if rest > 1e-12 * self.get(row, row).abs() {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        Some(Cholesky { size: n, lower })
    }

    /// Solves self + ridge · diagonal, the ridge as small as makes it positive definite, for `right`: a Newton step
    /// that leads uphill where the negative Hessian is not positive definite.
    pub(crate) fn solve_damped(&self, right: &[f64]) -> Result<Vec<f64>, StatsError> {
        let mut ridge = 0.0;
        for _ in 0..60 {
            let mut damped = self.clone();
            (0..self.size).for_each(|at| damped.add_diagonal(at, ridge * (1.0 + self.get(at, at).abs())));
            if let Some(factor) = damped.cholesky() {
                return Ok(factor.solve(right));
            }
            ridge = if ridge == 0.0 { 1e-8 } else { 4.0 * ridge };
        }
        Err(StatsError::NotConverged { what: "a Newton step", steps: 60, why: "the Hessian is not finite" })
    }
}

/// A Cholesky factor.
pub(crate) struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (n, at) = (self.size, |row: usize, column: usize| self.lower[row * self.size + column]);
        let mut x = right.to_vec();
        for row in 0..n {
            let known: f64 = (0..row).map(|k| at(row, k) * x[k]).sum();
            x[row] = (x[row] - known) / at(row, row);
        }
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n).map(|k| at(k, row) * x[k]).sum();
            x[row] = (x[row] - known) / at(row, row);
        }
        x
    }

    /// The diagonal of the inverse: variances, where the matrix is an information.
    pub(crate) fn inverse_diagonal(&self) -> Vec<f64> {
        let unit = |at: usize| -> Vec<f64> { (0..self.size).map(|i| f64::from(u8::from(i == at))).collect() };
        (0..self.size).map(|at| self.solve(&unit(at))[at]).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn solutions_solve(rows in proptest::collection::vec(proptest::collection::vec(-3.0..3.0, 4), 4..9)) {
            let mut matrix = Symmetric::zero(4);
            rows.iter().for_each(|row| matrix.add_square(1.0, row));
            (0..4).for_each(|at| matrix.add_diagonal(at, 0.1));
            let right = [1.0, -2.0, 0.5, 3.0];
            let x = matrix.solve_damped(&right)?;
            for (row, wanted) in right.iter().enumerate() {
                let product: f64 = (0..4).map(|column| matrix.get(row, column) * x[column]).sum();
                prop_assert!((product - wanted).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn indefinite_matrices_are_damped() {
        let mut matrix = Symmetric::zero(2);
        matrix.add_square(-1.0, &[1.0, 0.0]);
        matrix.add_square(2.0, &[0.0, 1.0]);
        assert!(matrix.cholesky().is_none());
        // A damped step goes uphill: its product with the gradient is positive.
        let step = matrix.solve_damped(&[1.0, 1.0]).unwrap();
        assert!(step[0] + step[1] > 0.0);
    }
}
