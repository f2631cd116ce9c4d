//! What AWQ and SmoothQuant know of a linear's inputs.

use burn::tensor::Tensor;
use junkdna_backend::calibration::{Hessian, Statistic};

/// The Hessian of a linear's inputs, and how large each input is on average and at most.
#[derive(Debug, Clone)]
pub struct Inputs {
    hessian: Hessian,
    sums: Vec<f64>,
    largest: Vec<f32>,
}

impl Inputs {
    /// 2/n · Σ x xᵀ.
    pub fn hessian(&self) -> &Hessian {
        &self.hessian
    }

    /// The mean of |x| over all tokens, `[d_in]`.
    pub fn mean_magnitudes(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| (sum / self.hessian.tokens().max(1) as f64) as f32).collect()
    }

    /// The largest |x| of all tokens, `[d_in]`.
    pub fn largest_magnitudes(&self) -> &[f32] {
        &self.largest
    }
}

impl Statistic for Inputs {
    fn new(d_in: usize) -> Self {
        Self { hessian: Hessian::new(d_in), sums: vec![0.0; d_in], largest: vec![0.0; d_in] }
    }

    fn add(&mut self, input: &Tensor<2>) {
        self.hessian.add(input);
        let magnitudes = input.clone().abs();
        let of_inputs = |row: Tensor<2>| row.into_data().convert::<f32>().iter::<f32>().collect::<Vec<f32>>();
        for (sum, of_batch) in self.sums.iter_mut().zip(of_inputs(magnitudes.clone().sum_dim(0))) {
            *sum += f64::from(of_batch);
        }
        for (largest, of_batch) in self.largest.iter_mut().zip(of_inputs(magnitudes.max_dim(0))) {
            *largest = largest.max(of_batch);
        }
    }
}
