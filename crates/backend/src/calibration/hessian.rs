//! The Hessian of a linear layer's reconstruction error, and the factor of its inverse.

use super::gram::Gram;
use super::{QuadraticForm, Statistic};
use burn::tensor::{Device, Tensor, TensorData};
use faer::{Mat, MatRef, Par, Side};
use rayon::prelude::*;

/// H = 2/n · Σ x xᵀ over the n tokens: second derivatives of the squared error of a linear's outputs with respect to the
/// weights of any one output (Frantar and Alistarh 2023, section 3.1).
#[derive(Debug, Clone)]
pub struct Hessian {
    d_in: usize,
    tokens: usize,
    sum: Gram,
}

impl Statistic for Hessian {
    fn new(d_in: usize) -> Self {
        Self { d_in, tokens: 0, sum: Gram::default() }
    }

    fn add(&mut self, input: &Tensor<2>) {
        self.tokens += input.dims()[0];
        self.sum.add(input);
    }
}

/// A Hessian that stays singular or indefinite after damping.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the Hessian is not positive definite at a damping of {damping}")]
pub struct NotPositiveDefinite {
    /// The share of the mean of the diagonal that was added to it.
    pub damping: f64,
}

/// Of a damped inverse Hessian, what pruning and quantizing one column after another needs.
#[derive(Debug, Clone)]
pub struct InverseFactor {
    d_in: usize,
    /// Upper triangular U with H⁻¹ = Uᵀ U, row-major.
    upper: Vec<f32>,
    /// Inputs that were zero in every token.
    dead: Vec<bool>,
    damping: f64,
}

impl Hessian {
    /// Of a symmetric matrix `[d_in, d_in]`, row-major, that is H itself, as from n = 2 tokens.
    ///
    /// # Panics
    /// If `values` does not hold `d_in * d_in`.
    pub fn from_values(values: &[f32], d_in: usize, device: &Device) -> Self {
        let whole = Tensor::from_data(TensorData::new(values.to_vec(), [d_in, d_in]), device);
        Self { d_in, tokens: 2, sum: Gram::of(whole) }
    }

    /// Inputs.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Tokens seen.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// What Σ x xᵀ is multiplied by.
    fn scale(&self) -> f64 {
        2.0 / self.tokens.max(1) as f64
    }

    /// The diagonal of H, `[d_in]`.
    pub fn diagonal(&self) -> Vec<f64> {
        let (sum, scale) = (self.sum.upper(self.d_in), self.scale());
        (0..self.d_in).map(|i| f64::from(sum[i * self.d_in + i]) * scale).collect()
    }

    /// H as a quadratic form.
    pub fn quadratic_form(&self) -> QuadraticForm {
        let (d_in, sum, scale) = (self.d_in, self.sum.upper(self.d_in), self.scale());
        let entry = |i: usize, j: usize| (f64::from(sum[i.min(j) * d_in + i.max(j)]) * scale) as f32;
        QuadraticForm::new(d_in, (0..d_in * d_in).map(|k| entry(k / d_in, k % d_in)).collect())
    }

    /// U of H⁻¹ = Uᵀ U, after `damping` times the mean of the diagonal is added to the diagonal. Inputs that are always zero
    /// get a diagonal of 1 after that, so that the unit of the inputs does not matter.
    ///
    /// The papers invert H and factor the inverse; here L Lᵀ = P H P with the order P of inputs reversed is factored and
    /// its factor inverted: U = P L⁻¹ P is the same matrix for a third of the work, and as L is inverted, never H, with
    /// less rounding.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`]; more damping helps.
    pub fn inverse_factor(&self, damping: f64) -> Result<InverseFactor, NotPositiveDefinite> {
        self.inverse_factor_of(&(0..self.d_in).collect::<Vec<_>>(), damping)
    }

    /// As [`inverse_factor`](Self::inverse_factor) of the inputs in another order, a permutation of `0..d_in`; where the
    /// damping is too little it is raised tenfold, up to 1.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`] even at a damping of 1.
    pub fn factor_in_order(&self, order: &[usize], damping: f64) -> Result<InverseFactor, NotPositiveDefinite> {
        match self.inverse_factor_of(order, damping) {
            Err(_) if damping < 1.0 => self.factor_in_order(order, (10.0 * damping).clamp(1e-4, 1.0)),
            result => result,
        }
    }

    fn inverse_factor_of(&self, order: &[usize], damping: f64) -> Result<InverseFactor, NotPositiveDefinite> {
        let (n, scale, diagonal) = (self.d_in, self.scale(), self.diagonal());
        let sum = self.sum.upper(n);
        let dead: Vec<bool> = order.iter().map(|&i| diagonal[i] == 0.0).collect();
        let damp = damping * diagonal.iter().sum::<f64>() / n.max(1) as f64;
        let entry = |i: usize, j: usize| match (order[i], order[j]) {
            (row, column) if row != column => f64::from(sum[row.min(column) * n + row.max(column)]) * scale,
            _ if dead[i] => 1.0,
            (row, _) => diagonal[row] + damp,
        };
        // Columns of P H P, as far as the diagonal.
        let mut reversed = vec![0.0; n * n];
        reversed.par_chunks_mut(n.max(1)).enumerate().for_each(|(j, column)| {
            column[..=j].iter_mut().enumerate().for_each(|(i, value)| *value = entry(n - 1 - j, n - 1 - i));
        });
        let reversed = MatRef::from_column_major_slice(&reversed, n, n);
        let factor = reversed.llt(Side::Upper).map_err(|_| NotPositiveDefinite { damping })?;
        let mut inverse = Mat::zeros(n, n);
        faer::linalg::triangular_inverse::invert_upper_triangular(
            inverse.as_mut(),
            factor.L().transpose(),
            Par::rayon(0),
        );
        // Row i of U is column n - 1 - i of L⁻ᵀ, from its end.
        let mut upper = vec![0.0; n * n];
        upper.par_chunks_mut(n.max(1)).enumerate().for_each(|(i, row)| {
            let column = inverse.col(n - 1 - i);
            row.iter_mut().enumerate().skip(i).for_each(|(j, value)| *value = column[n - 1 - j] as f32);
        });
        match (0..n).all(|i| upper[i * n + i].is_finite() && upper[i * n + i] > 0.0) {
            true => Ok(InverseFactor { d_in: n, upper, dead, damping }),
            false => Err(NotPositiveDefinite { damping }),
        }
    }
}

impl InverseFactor {
    /// Inputs.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Row `i` of U, `[d_in]`; zero left of the diagonal.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.upper[i * self.d_in..(i + 1) * self.d_in]
    }

    /// All of U, row-major `[d_in, d_in]`.
    pub fn as_slice(&self) -> &[f32] {
        &self.upper
    }

    /// The damping that was needed.
    pub fn damping(&self) -> f64 {
        self.damping
    }

    /// Whether an input was zero in every token: its weights do nothing on the calibration data.
    pub fn is_dead(&self, input: usize) -> bool {
        self.dead[input]
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inputs(tokens: usize, d_in: usize, seed: u64) -> Vec<f32> {
        let draw = |i: u64| crate::Seed(seed).draw(i) as f32 / u32::MAX as f32 - 0.5;
        (0..(tokens * d_in) as u64).map(draw).collect()
    }

    fn of(values: &[f32], d_in: usize, batches: usize) -> Hessian {
        let mut hessian = Hessian::new(d_in);
        for batch in values.chunks(values.len() / batches) {
            let data = TensorData::new(batch.to_vec(), [batch.len() / d_in, d_in]);
            hessian.add(&Tensor::from_data(data, &Device::flex()));
        }
        hessian
    }

    /// 2/n Σ x xᵀ by its definition.
    fn by_definition(values: &[f32], d_in: usize) -> Vec<f64> {
        let tokens = values.len() / d_in;
        let entry = |i: usize, j: usize| {
            (0..tokens).map(|t| f64::from(values[t * d_in + i]) * f64::from(values[t * d_in + j])).sum::<f64>()
        };
        (0..d_in * d_in).map(|k| 2.0 * entry(k / d_in, k % d_in) / tokens as f64).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_factor_is_that_of_the_damped_inverse(d_in in 1usize..20, seed in 0u64..1000) {
            let values = inputs(4 * d_in, d_in, seed);
            let factor = of(&values, d_in, 4).inverse_factor(0.01).unwrap();
            let mut damped = by_definition(&values, d_in);
            let damp = 0.01 * (0..d_in).map(|i| damped[i * d_in + i]).sum::<f64>() / d_in as f64;
            (0..d_in).for_each(|i| damped[i * d_in + i] += damp);
            // Uᵀ U H = 1.
            let u = |i: usize, j: usize| f64::from(factor.row(i)[j]);
            for i in 0..d_in {
                for j in 0..d_in {
                    let inverse = |k: usize| (0..d_in).map(|r| u(r, i) * u(r, k)).sum::<f64>();
                    let entry: f64 = (0..d_in).map(|k| inverse(k) * damped[k * d_in + j]).sum();
                    prop_assert!((entry - f64::from(u8::from(i == j))).abs() < 1e-3, "({i}, {j}): {entry}");
                }
                prop_assert!((0..i).all(|j| u(i, j) == 0.0));
            }
        }
    }

    #[test]
    fn dead_inputs_are_known_and_indefinite_matrices_refused() {
        let device = Device::flex();
        let dead = Hessian::from_values(&[4.0, 0.0, 0.0, 0.0], 2, &device).inverse_factor(0.0).unwrap();
        assert!(!dead.is_dead(0) && dead.is_dead(1));
        assert_eq!(dead.as_slice(), [0.5, 0.0, 0.0, 1.0]);
        let indefinite = Hessian::from_values(&[1.0, 2.0, 2.0, 1.0], 2, &device);
        assert_eq!(indefinite.inverse_factor(0.01).unwrap_err(), NotPositiveDefinite { damping: 0.01 });
        assert!(indefinite.inverse_factor(2.0).is_ok());
    }
}
