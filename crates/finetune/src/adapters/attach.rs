//! New adapters on a module.

use super::AdapterConfig;
use super::codes::{FrozenMatrices, ToCodes};
use super::dora::DoraAdapter;
use crate::FinetuneError;
use crate::pruned::shapes;
use burn::module::{
    LoraAdapter, Module, ModuleDisplay, Param, ParamGroup, ParamId, Reparameterization, Reparameterizer,
};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::Seed;
use rand::RngExt;

/// The module with an adapter on every target, and nothing that trains but adapters and what the configuration says. B
/// starts at zero, so that the module computes what it did; A is uniform within ±1/√d_in, as in PEFT.
///
/// # Errors
/// A rank of zero, a pattern that is no regular expression, or patterns that no matrix matches.
pub fn attach<M: Module>(module: M, config: &AdapterConfig, seed: Seed) -> Result<M, FinetuneError> {
    attach_on(module, config, &FrozenMatrices::new(), seed)
}

/// As [`attach`], with the matrices of `bases` in the place of the module's own, whether they get an adapter or not (QLoRA). A
/// matrix that trains as a whole stays as it is.
///
/// Between steps the module holds the codes alone. During a step Burn keeps each weight that was used, as floats, until the
/// gradient has come by it: the peak of memory is that of the floats once, where that of [`attach`] is twice as much if every
/// matrix has an adapter.
///
/// # Errors
/// As [`attach`]; [`FinetuneError::Base`] for a matrix that the module has not, or has in another shape.
pub fn attach_on<M: Module>(
    module: M,
    config: &AdapterConfig,
    bases: &FrozenMatrices,
    seed: Seed,
) -> Result<M, FinetuneError> {
    let common = Common::new(&module, config, bases, seed)?;
    match config.dora {
        false => common.attach(module, lora),
        true => common.attach(module, DoraAdapter::new),
    }
}

struct Common<'a> {
    targets: ParamGroup,
    whole: ParamGroup,
    config: &'a AdapterConfig,
    bases: FrozenMatrices,
    seed: Seed,
}

impl<'a> Common<'a> {
    fn new<M: Module>(
        module: &M,
        config: &'a AdapterConfig,
        bases: &FrozenMatrices,
        seed: Seed,
    ) -> Result<Self, FinetuneError> {
        let [targets, whole] = config.groups()?;
        let shapes = shapes(module);
        for (path, matrix) in bases {
            let [d_out, d_in] = matrix.shape();
            if shapes.get(path).is_none_or(|shape| *shape != [d_in, d_out]) {
                return Err(FinetuneError::Base {
                    path: path.clone(),
                    base: [d_in, d_out],
                    weight: shapes.get(path).cloned(),
                });
            }
        }
        let bases = bases.iter().filter(|(path, _)| !whole.matches(&ParamId::from(0), Some(path)));
        let bases = bases.map(|(path, matrix)| (path.clone(), matrix.clone())).collect();
        Ok(Self { targets, whole, config, bases, seed })
    }

    fn attach<M: Module, R: Reparameterization + ModuleDisplay>(
        &self,
        module: M,
        make: impl Fn(Tensor<2>, [Tensor<2>; 2], f64) -> R,
    ) -> Result<M, FinetuneError> {
        let mut count = 0;
        let adapter = |path: &str, base: Tensor<2>| {
            count += 1;
            let factors = factors(base.dims(), self.config.rank, self.seed.derive(path), &base.device());
            make(base, factors, self.config.scale())
        };
        let mut plain = Attach { common: self, adapter };
        let module = module.apply_reparameterization(&mut plain);
        let mut adapter = plain.adapter;
        let is_target = |path: &str| self.targets.matches(&ParamId::from(0), Some(path));
        let make = |path: &str, base: &dyn Fn() -> Tensor<2>| is_target(path).then(|| adapter(path, base()));
        // Second: the parts of adapters, which are parameters too, are no targets by these exact paths.
        let module = module.apply_reparameterization(ToCodes { bases: &self.bases, make });
        match count {
            0 => Err(FinetuneError::NoTargets { patterns: self.config.targets.join(", ") }),
            _ => Ok(module),
        }
    }
}

struct Attach<'a, F> {
    common: &'a Common<'a>,
    adapter: F,
}

impl<R: Reparameterization, F: FnMut(&str, Tensor<2>) -> R> Reparameterizer for &mut Attach<'_, F> {
    type Reparam = R;

    fn reparameterize<const D: usize>(&mut self, path: &str, param: Param<Tensor<D>>) -> (Param<Tensor<D>>, Option<R>) {
        let common = self.common;
        if common.whole.matches(&param.id, Some(path)) {
            return (param, None);
        }
        let is_target = D == 2 && common.targets.matches(&param.id, Some(path)) && !common.bases.contains_key(path);
        let param = param.set_require_grad(false);
        if !is_target {
            return (param, None);
        }
        let base = Tensor::from_bridge(param.base().without_autodiff().into_bridge());
        let adapter = (self.adapter)(path, base);
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
