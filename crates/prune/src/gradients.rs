//! What backward passes say about weights.

use crate::{PruneError, WeightRef};
use burn::module::Module;
use burn::tensor::Tensor;
use junkdna_backend::{HostMatrix, Selection, Weight, weights};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// ∂L/∂w by parameter path, `[d_out, d_in]` each, summed over batches.
///
/// ```
/// # use burn::nn::LinearConfig;
/// # use burn::tensor::{Device, Distribution, Tensor};
/// # use junkdna_prune::{Gradients, PruneError, Pruner, Sparsity, Taylor};
/// # fn main() -> Result<(), PruneError> {
/// let device = Device::flex().autodiff();
/// let net = LinearConfig::new(8, 4).init(&device);
/// let mut gradients = Gradients::default();
/// for _batch in 0..3 {
///     let x = Tensor::<2>::random([2, 8], Distribution::Default, &device);
///     let backward = net.forward(x).powf_scalar(2.0).mean().backward();
///     gradients.add(&net, |weight| weight.grad(&backward))?;
/// }
/// let mask = Pruner::new(Taylor { gradients }).mask(&net, Sparsity::new(0.5)?)?;
/// # assert_eq!(mask.removed(), 16);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    selection: Selection,
    sums: Sums,
}

impl Gradients {
    /// Of the weights of a selection, which must hold those that are pruned; by default what [`Pruner`](crate::Pruner)
    /// selects.
    pub fn of(selection: Selection) -> Self {
        Self { selection, sums: Sums::default() }
    }

    /// Adds the gradients of one backward pass: `|weight| weight.grad(&backward)`, where `backward` is `loss.backward()`. A
    /// weight without a gradient, because the loss does not depend on it or it is not trained, is left out.
    ///
    /// # Errors
    /// [`PruneError::NoGradients`] if no selected weight has one, [`PruneError::GradientShape`] for a module other than before.
    /// Either way nothing is added.
    pub fn add<M: Module>(
        &mut self,
        module: &M,
        gradient: impl Fn(&Tensor<2>) -> Option<Tensor<2>>,
    ) -> Result<(), PruneError> {
        let host = |(weight, gradient): (Weight, Tensor<2>)| (weight.path, HostMatrix::from_weight(gradient));
        self.sums.add(with_gradients(module, &self.selection, gradient).map(host).collect())
    }

    /// The sums so far, by path.
    pub fn matrices(&self) -> &BTreeMap<String, HostMatrix> {
        &self.sums.0
    }

    pub(crate) fn of_weight(&self, score: &'static str, weight: &WeightRef<'_>) -> Result<&[f32], PruneError> {
        self.sums.of_weight(score, weight)
    }
}

/// −Σ_t w_t · ∂L/∂w_t by parameter path, `[d_out, d_in]` each, over training steps t.
///
/// The product has to be taken at every step, for the weight moves: a sum of gradients would not tell the way it went. Add
/// before the optimizer's step, while the weights are those of the forward pass:
///
/// ```
/// # use burn::nn::LinearConfig;
/// # use burn::optim::{GradientsParams, SgdConfig};
/// # use burn::tensor::{Device, Tensor};
/// # use junkdna_prune::{Movement, MovementSum, PruneError, Pruner, Sparsity};
/// # fn main() -> Result<(), PruneError> {
/// # let device = Device::flex().autodiff();
/// # let mut net = LinearConfig::new(8, 4).init(&device);
/// # let mut optimizer = SgdConfig::new().init();
/// let mut sum = MovementSum::default();
/// for _step in 0..3 {
///     let backward = net.forward(Tensor::<2>::ones([2, 8], &device)).powf_scalar(2.0).mean().backward();
///     sum.add(&net, |weight| weight.grad(&backward))?;
///     let gradients = GradientsParams::from_grads(backward, &net);
///     net = optimizer.step(0.1, net, gradients);
/// }
/// let mask = Pruner::new(Movement { sum }).mask(&net, Sparsity::new(0.5)?)?;
/// # assert_eq!(mask.removed(), 16);
/// # Ok(())
/// # }
/// ```
///
/// Of a module that trains with a mask ([`Mask::attach`](crate::Mask::attach)) the stored weights count. The gradient of a
/// masked weight is zero, so its sum stays what it was.
#[derive(Debug, Clone, Default)]
pub struct MovementSum {
    selection: Selection,
    sums: Sums,
}

impl MovementSum {
    /// Of the weights of a selection; by default what [`Pruner`](crate::Pruner) selects.
    pub fn of(selection: Selection) -> Self {
        Self { selection, sums: Sums::default() }
    }

    /// Adds −w · ∂L/∂w of one training step: `|weight| weight.grad(&backward)`, before the optimizer moves the weights.
    ///
    /// # Errors
    /// As [`Gradients::add`].
    pub fn add<M: Module>(
        &mut self,
        module: &M,
        gradient: impl Fn(&Tensor<2>) -> Option<Tensor<2>>,
    ) -> Result<(), PruneError> {
        let movement = |(weight, gradient): (Weight, Tensor<2>)| {
            let (w, gradient) = (HostMatrix::from_weight(weight.value), HostMatrix::from_weight(gradient));
            (weight.path, zip(&w, &gradient, |w, gradient| -w * gradient))
        };
        self.sums.add(with_gradients(module, &self.selection, gradient).map(movement).collect())
    }

    /// The sums so far, by path.
    pub fn matrices(&self) -> &BTreeMap<String, HostMatrix> {
        &self.sums.0
    }

    pub(crate) fn of_weight(&self, score: &'static str, weight: &WeightRef<'_>) -> Result<&[f32], PruneError> {
        self.sums.of_weight(score, weight)
    }
}

/// The selected weights that have a gradient, both `[d_in, d_out]`.
fn with_gradients<M: Module>(
    module: &M,
    selection: &Selection,
    gradient: impl Fn(&Tensor<2>) -> Option<Tensor<2>>,
) -> impl Iterator<Item = (Weight, Tensor<2>)> {
    let found = weights(module, selection).into_iter();
    found.filter_map(move |weight| gradient(&weight.value).map(|gradient| (weight, gradient)))
}

/// Sums by parameter path, `[d_out, d_in]`.
#[derive(Debug, Clone, Default)]
struct Sums(BTreeMap<String, HostMatrix>);

impl Sums {
    /// Adds all or nothing.
    fn add(&mut self, terms: Vec<(String, HostMatrix)>) -> Result<(), PruneError> {
        if terms.is_empty() {
            return Err(PruneError::NoGradients);
        }
        for (path, term) in &terms {
            self.0.get(path).map_or(Ok(()), |sum| same_shape(path, sum, [term.d_out(), term.d_in()]))?;
        }
        for (path, term) in terms {
            let sum = match self.0.get(&path) {
                Some(sum) => zip(sum, &term, |a, b| a + b),
                None => term,
            };
            self.0.insert(path, sum);
        }
        Ok(())
    }

    /// The sums of one weight matrix.
    fn of_weight(&self, score: &'static str, weight: &WeightRef<'_>) -> Result<&[f32], PruneError> {
        let path = weight.path;
        let missing = || PruneError::NoScore { score, path: path.into(), reason: "no gradient of it was added".into() };
        let sum = self.0.get(path).ok_or_else(missing)?;
        same_shape(path, sum, [weight.d_out, weight.d_in])?;
        Ok(sum.as_slice())
    }
}

fn same_shape(path: &str, sum: &HostMatrix, found: [usize; 2]) -> Result<(), PruneError> {
    let expected = [sum.d_out(), sum.d_in()];
    if expected == found { Ok(()) } else { Err(PruneError::GradientShape { path: path.into(), expected, found }) }
}

/// Entry by entry, of two matrices of one shape.
fn zip(a: &HostMatrix, b: &HostMatrix, f: impl Fn(f32, f32) -> f32 + Sync) -> HostMatrix {
    let values = a.as_slice().par_iter().zip(b.as_slice()).map(|(&a, &b)| f(a, b)).collect();
    HostMatrix::new(values, a.d_out(), a.d_in())
}
