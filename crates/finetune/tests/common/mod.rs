//! A small module and what it is trained for.
#![allow(dead_code, reason = "each test file uses a part")]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::Seed;
use junkdna_finetune::{AdamWConfig, Checkpoints, Metrics, Objective, Observer, Recipe, StepReport};
use std::collections::BTreeMap;
use std::io;

pub const HIDDEN: [usize; 2] = [6, 5];
pub const HEAD: [usize; 2] = [5, 3];
pub const EXAMPLES: usize = 20;

#[derive(Module, Debug)]
pub struct Net {
    pub hidden: Linear,
    pub head: Linear,
}

impl Net {
    pub fn new() -> Self {
        let linear = |[d_in, d_out]: [usize; 2]| LinearConfig::new(d_in, d_out).init(&Device::flex());
        Self { hidden: linear(HIDDEN), head: linear(HEAD) }
    }

    /// Every weight and bias that it computes with.
    pub fn bits(&self) -> Vec<u32> {
        [&self.hidden, &self.head]
            .into_iter()
            .flat_map(|layer| {
                let bias = layer.bias.as_ref().unwrap().val().into_data().iter::<f32>().collect::<Vec<_>>();
                layer.weight.val().into_data().iter::<f32>().chain(bias).map(f32::to_bits).collect::<Vec<_>>()
            })
            .collect()
    }

    pub fn weights(&self) -> Vec<f32> {
        [&self.hidden, &self.head]
            .into_iter()
            .flat_map(|l| l.weight.val().into_data().iter::<f32>().collect::<Vec<_>>())
            .collect()
    }
}

/// Numbers to predict from numbers; the loss of example `poison` is not a number.
pub struct Regression {
    pub poison: Option<usize>,
}

impl Regression {
    fn numbers(&self, examples: &[usize], width: usize, of: f32, device: &Device) -> Tensor<2> {
        let number = |i: usize| (examples[i / width] * width + i % width) as f32 * of;
        let values: Vec<f32> = (0..examples.len() * width).map(|i| number(i).sin()).collect();
        Tensor::from_data(TensorData::new(values, [examples.len(), width]), device)
    }

    pub fn mean(&self, net: &Net, examples: &[usize], noise: Option<Seed>) -> Tensor<1> {
        let device = net.head.weight.base().device();
        let hidden = net.hidden.forward(self.numbers(examples, HIDDEN[0], 0.7, &device)).tanh();
        let hidden = noise.map_or(hidden.clone(), |seed| junkdna_backend::kernels::dropout(hidden, 0.2, seed));
        let loss = (net.head.forward(hidden) - self.numbers(examples, HEAD[1], 1.3, &device)).square().mean();
        let poisoned = self.poison.is_some_and(|poison| examples.contains(&poison));
        if poisoned { loss * f32::NAN } else { loss }
    }
}

impl Objective<Net> for Regression {
    fn examples(&self) -> usize {
        EXAMPLES
    }

    fn length(&self, example: usize) -> usize {
        1 + example % 3
    }

    fn loss(&self, net: &Net, batch: &[usize], noise: Seed) -> Tensor<1> {
        self.mean(net, batch, Some(noise))
    }

    fn evaluate(&self, net: &Net) -> Metrics {
        let all: Vec<usize> = (0..EXAMPLES).collect();
        Metrics::from([("loss".into(), f64::from(self.mean(net, &all, None).into_scalar::<f32>()))])
    }
}

pub const TASK: Regression = Regression { poison: None };

pub fn recipe() -> Recipe {
    let adamw = AdamWConfig { weight_decay: 0.1, ..AdamWConfig::default() };
    Recipe { epochs: 2, batch_size: 3, accumulation: 2, learning_rate: 0.05, warmup: 0.2, adamw, ..Recipe::default() }
}

pub fn mask(kept: &[bool], shape: [usize; 2]) -> Tensor<2> {
    let values: Vec<f32> = kept.iter().map(|&kept| f32::from(u8::from(kept))).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

pub fn masks(kept: &[bool]) -> BTreeMap<String, Tensor<2>> {
    let (hidden, head) = kept.split_at(HIDDEN[0] * HIDDEN[1]);
    BTreeMap::from([("hidden.weight".into(), mask(hidden, HIDDEN)), ("head.weight".into(), mask(head, HEAD))])
}

/// Ends the run before a step, as a kill would.
pub struct Killed {
    pub after: usize,
}

impl Observer for Killed {
    fn step(&mut self, report: &StepReport) -> io::Result<()> {
        if report.step >= self.after { Err(io::Error::other("killed")) } else { Ok(()) }
    }
}

pub fn checkpoints(folder: &tempfile::TempDir) -> Checkpoints {
    Checkpoints::new(folder.path(), "a run").unwrap()
}

thread_local! {
    /// The same start for every run of a test.
    pub static START: Net = Net::new();
}
