//! A model and a score of one's own: pruned, verified, trained while what is gone stays gone.
//!
//!     cargo run -p own-model
//!     cargo test -p own-model       the score is held to what must hold for every score

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::Seed;
use junkdna_prune::{Mask, PruneError, Pruner, Score, Sparsity, WeightRef};
use std::ops::Range;

/// Any Burn module will do: there is nothing to implement for it.
#[derive(Module, Debug)]
struct Regression {
    hidden: Linear,
    output: Linear,
}

impl Regression {
    fn new(device: &Device) -> Self {
        Self { hidden: LinearConfig::new(2, 64).init(device), output: LinearConfig::new(64, 1).init(device) }
    }

    /// `[points, 2]` → `[points, 1]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(Relu::new().forward(self.hidden.forward(x)))
    }
}

/// The magnitude, times the square root of the number of inputs: layers of different width compete on equal terms, for
/// that is how Burn (as others) scales them at the start.
struct FanIn;

impl Score for FanIn {
    fn name(&self) -> &'static str {
        "fan-in magnitude"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let scale = (weight.d_in as f32).sqrt();
        for (score, w) in scores.iter_mut().zip(&weight.values[range]) {
            *score = w.abs() * scale;
        }
        Ok(())
    }
}

/// Points in a square and the product of their coordinates.
fn points(count: usize, device: &Device) -> (Tensor<2>, Tensor<2>) {
    let x: Vec<f32> = (0..2 * count as u64).map(|i| Seed(1).draw(i) as f32 / u32::MAX as f32 * 2.0 - 1.0).collect();
    let y = x.chunks(2).map(|point| point[0] * point[1]).collect();
    let tensor = |values: Vec<f32>, width| Tensor::from_data(TensorData::new(values, [count, width]), device);
    (tensor(x, 2), tensor(y, 1))
}

/// The module after `steps` of Adam on the mean squared error, and that error.
fn train(mut model: Regression, x: &Tensor<2>, y: &Tensor<2>, steps: usize) -> (Regression, f32) {
    let mut optimizer = AdamConfig::new().init();
    for _ in 0..steps {
        let loss = (model.forward(x.clone()) - y.clone()).powf_scalar(2.0).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.01, model, gradients);
    }
    let error = (model.forward(x.clone()) - y.clone()).powf_scalar(2.0).mean().into_scalar::<f32>();
    (model, error)
}

fn main() -> Result<(), PruneError> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let (x, y) = points(256, &device);
    let (dense, error) = train(Regression::new(&device), &x, &y, 300);
    println!("dense                        error {error:.4}");

    // Which weights go, and a model without them.
    let mask = Pruner::new(FanIn).mask(&dense, Sparsity::new(0.7)?)?;
    let pruned = mask.apply(dense)?;
    mask.verify(&pruned)?;
    for layer in mask.summary() {
        println!("{:14} {:3} of {:3} weights go", layer.path, layer.removed, layer.weights);
    }
    let (pruned, error) = train(pruned, &x, &y, 0);
    println!("{:.0} % pruned                   error {error:.4}", 100.0 * mask.sparsity());

    // Attached, the mask keeps them zero whatever the optimizer does; materialized, the model is a plain one again.
    let (trained, error) = train(mask.attach(pruned)?, &x, &y, 300);
    let trained = trained.materialize();
    mask.verify(&trained)?;
    println!("pruned, trained, still {:.0} % error {error:.4}", 100.0 * zeros(&trained)?);
    Ok(())
}

/// The share of weights that are zero.
fn zeros(model: &Regression) -> Result<f64, PruneError> {
    Ok(Mask::of_zeros(model, &Default::default())?.sparsity())
}

#[cfg(test)]
mod tests {
    use super::*;
    use junkdna_prune::testing::{Claims, check_score};

    #[test]
    fn the_score_keeps_to_what_holds_for_all() {
        check_score(|_module| FanIn, Claims::default());
    }

    #[test]
    fn what_is_gone_stays_gone_and_the_rest_learns() -> Result<(), PruneError> {
        let device = Device::flex().autodiff();
        device.seed(1);
        let (x, y) = points(64, &device);
        let (dense, _) = train(Regression::new(&device), &x, &y, 50);
        let mask = Pruner::new(FanIn).mask(&dense, Sparsity::new(0.7)?)?;
        let (pruned, before) = train(mask.apply(dense)?, &x, &y, 0);
        let (trained, after) = train(mask.attach(pruned)?, &x, &y, 100);
        mask.verify(&trained.materialize())?;
        assert!(after < before, "{after}, {before} before");
        Ok(())
    }
}
