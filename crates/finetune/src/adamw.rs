//! AdamW over a module.

use crate::place::Place;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor};
use junkdna_backend::kernels::{AdamWStep, Moved, adamw, sum_of_squares};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Constants of AdamW (Loshchilov and Hutter 2019); PyTorch's defaults, without decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay of the first and of the second moment.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay of matrices; biases and norms, all that has one dimension, do not decay.
    pub weight_decay: f32,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// The optimizer of fine-tuning: one pass over memory for a parameter's weights and moments, state by parameter path.
///
/// Burn's own makes twelve passes, and keys its state by ids that a program started again does not know.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    state: BTreeMap<String, Moments>,
}

/// What AdamW remembers of one parameter.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Steps so far.
    pub time: u32,
    /// First moment, in PyTorch's order of elements.
    pub first: Tensor<1>,
    /// Second moment, in the same order.
    pub second: Tensor<1>,
}

impl AdamW {
    /// Without a past.
    pub fn new(config: AdamWConfig) -> Self {
        Self { config, state: BTreeMap::new() }
    }

    /// What it remembers, by parameter path.
    pub fn state(&self) -> &BTreeMap<String, Moments> {
        &self.state
    }

    /// The same optimizer with this memory.
    pub fn with_state(self, state: BTreeMap<String, Moments>) -> Self {
        Self { state, ..self }
    }

    /// Sets the moments of some elements of a parameter to zero, in PyTorch's order.
    pub(crate) fn zero_moments(&mut self, path: &str, which: Tensor<1, Bool>) {
        if let Some(moments) = self.state.get_mut(path) {
            for moment in [&mut moments.first, &mut moments.second] {
                *moment = moment.clone().mask_fill(which.clone(), 0.0);
            }
        }
    }

    /// The module after one step. `rate` gives the learning rate of a parameter path; gradients are multiplied by `scale`
    /// first.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: GradientsParams,
        scale: f32,
        rate: impl Fn(&str) -> f64,
    ) -> M {
        module.map(&mut Step { adamw: self, gradients, scale, rate, place: Place::default() })
    }
}

struct Step<'a, R> {
    adamw: &'a mut AdamW,
    gradients: GradientsParams,
    scale: f32,
    rate: R,
    place: Place,
}

impl<R: Fn(&str) -> f64> ModuleMapper for Step<'_, R> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let (path, order) = (self.place.path(), self.place.order());
        let (id, weight, mapper) = param.consume();
        let (shape, trains) = (weight.dims(), weight.is_require_grad());
        let strategy = weight.gradient_checkpointing_strategy();
        let weight = order.flat(weight.inner());
        let past = self.adamw.state.remove(&path);
        let (time, first, second) = match past {
            Some(Moments { time, first, second }) => (time + 1, first, second),
            None => (1, weight.zeros_like(), weight.zeros_like()),
        };
        let config = self.adamw.config;
        let step = AdamWStep {
            learning_rate: (self.rate)(&path) as f32,
            betas: config.betas,
            epsilon: config.epsilon,
            weight_decay: if D > 1 { config.weight_decay } else { 0.0 },
            time,
            gradient_scale: self.scale,
        };
        let moved = adamw(Moved { weight, first, second }, order.flat(gradient), step);
        self.adamw.state.insert(path, Moments { time, first: moved.first, second: moved.second });
        let mut weight = Tensor::from_inner(order.shaped(moved.weight, shape));
        if let Some(strategy) = strategy {
            weight = weight.with_gradient_checkpointing_strategy(strategy);
        }
        Param::from_mapped_value(id, weight.set_require_grad(trains), mapper)
    }
}

/// The norm of all gradients of a module as one vector.
pub fn gradient_norm<M: Module>(module: &M, gradients: &GradientsParams) -> f32 {
    struct Norm<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += sum_of_squares(gradient);
            }
        }
    }
    let mut norm = Norm(gradients, 0.0);
    module.visit(&mut norm);
    norm.1.sqrt() as f32
}
