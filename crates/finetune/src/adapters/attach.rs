//! New adapters on a module.

use super::AdapterConfig;
use super::dora::DoraAdapter;
use crate::FinetuneError;
use burn::module::{LoraAdapter, Module, Param, ParamGroup, Reparameterization, Reparameterizer};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::Seed;
use rand::RngExt;

/// The module with an adapter on every target, and nothing that trains but adapters and what the configuration says. B
/// starts at zero, so that the module computes what it did; A is uniform within ±1/√d_in, as in PEFT.
///
/// # Errors
/// A rank of zero, a pattern that is no regular expression, or patterns that no matrix matches.
pub fn attach<M: Module>(module: M, config: &AdapterConfig, seed: Seed) -> Result<M, FinetuneError> {
    let [targets, whole] = config.groups()?;
    let mut count = 0;
    let common = Common { targets, whole, config, seed, count: &mut count };
    let module = match config.dora {
        false => module.apply_reparameterization(Attach { common, make: lora }),
        true => module.apply_reparameterization(Attach { common, make: DoraAdapter::new }),
    };
    match count {
        0 => Err(FinetuneError::NoTargets { patterns: config.targets.join(", ") }),
        _ => Ok(module),
    }
}

struct Common<'a> {
    targets: ParamGroup,
    whole: ParamGroup,
    config: &'a AdapterConfig,
    seed: Seed,
    count: &'a mut usize,
}

struct Attach<'a, F> {
    common: Common<'a>,
    make: F,
}

impl<R: Reparameterization, F: Fn(Tensor<2>, [Tensor<2>; 2], f64) -> R> Reparameterizer for Attach<'_, F> {
    type Reparam = R;

    fn reparameterize<const D: usize>(&mut self, path: &str, param: Param<Tensor<D>>) -> (Param<Tensor<D>>, Option<R>) {
        let common = &mut self.common;
        if common.whole.matches(&param.id, Some(path)) {
            return (param, None);
        }
        let is_target = D == 2 && common.targets.matches(&param.id, Some(path));
        let param = param.set_require_grad(false);
        if !is_target {
            return (param, None);
        }
        *common.count += 1;
        let base: Tensor<2> = Tensor::from_bridge(param.base().without_autodiff().into_bridge());
        let factors = factors(base.dims(), common.config.rank, common.seed.derive(path), &base.device());
        let adapter = (self.make)(base, factors, common.config.scale());
        (param, Some(adapter))
    }
}

/// Burn's own.
fn lora(_base: Tensor<2>, [a, b]: [Tensor<2>; 2], scale: f64) -> LoraAdapter {
    LoraAdapter { a: Param::from_tensor(a), b: Param::from_tensor(b), scale }
}

/// A `[d_in, rank]` and B `[rank, d_out]`.
fn factors([d_in, d_out]: [usize; 2], rank: usize, seed: Seed, device: &Device) -> [Tensor<2>; 2] {
    let bound = (d_in as f32).powf(-0.5);
    let mut rng = seed.rng();
    let values: Vec<f32> = (0..d_in * rank).map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound).collect();
    [Tensor::from_data(TensorData::new(values, [d_in, rank]), device), Tensor::zeros([rank, d_out], device)]
}
