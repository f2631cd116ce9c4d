//! AWQ and SmoothQuant on a model whose inputs differ in size.
#![cfg(feature = "calibration")]

use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor, TensorData, activation};
use junkdna_backend::calibration::{Statistic, batches};
use junkdna_backend::{Blocks, Fold, FoldSource, HostMatrix, LinearObserver, Seed, Selection, TokenTree, weights};
use junkdna_quant::{
    Awq, Granularity, Inputs, Parts, QuantError, QuantizedModule, RoundToNearest, Scheme, SmoothQuant,
    quantize_activations,
};

const D: usize = 16;

/// A norm, two linears that read it, one behind both and one behind an activation that keeps no factors.
#[derive(Module, Debug)]
struct Net {
    norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    out: Linear,
    #[module(skip)]
    wrong_path: bool,
}

impl Net {
    fn new() -> Self {
        let device = Device::flex();
        let linear = |seed: u64, bias| {
            let draw = |n: u64| (f64::from(Seed(seed).draw(n)) / f64::from(u32::MAX) - 0.5) as f32;
            let values = (0..(D * D) as u64).map(draw).collect();
            let mut linear = LinearConfig::new(D, D).with_bias(bias).init(&device);
            linear.weight = linear.weight.map(|_| HostMatrix::new(values, D, D).into_weight(&device));
            linear.bias = linear.bias.map(|bias| bias.map(|_| Tensor::full([D], 0.3, &device)));
            linear
        };
        let mut norm = RmsNormConfig::new(D).init(&device);
        // One input is far larger than the others.
        let sizes: Vec<f32> = (0..D).map(|j| if j == 3 { 30.0 } else { 0.5 + j as f32 / 16.0 }).collect();
        norm.gamma = norm.gamma.map(|_| Tensor::from_data(TensorData::new(sizes, [D]), &device));
        let (gate, up, down, out) = (linear(1, false), linear(2, true), linear(3, false), linear(4, true));
        Self { norm, gate, up, down, out, wrong_path: false }
    }

    fn run(&self, x: Tensor<2>, observer: &mut dyn LinearObserver) -> Tensor<2> {
        let mut seen = |names: &[&str], x: &Tensor<2>| {
            observer.observe(&names.iter().map(|name| format!("{name}.weight")).collect::<Vec<_>>(), x);
        };
        let normed = self.norm.forward(x.clone());
        seen(&["gate", "up"], &normed);
        let inner = activation::silu(self.gate.forward(normed.clone())) * self.up.forward(normed);
        seen(&["down"], &inner);
        let x = activation::tanh(self.down.forward(inner));
        seen(&["out"], &x);
        self.out.forward(x)
    }
}

impl Blocks for Net {
    type State = Tensor<2>;

    fn num_blocks(&self) -> usize {
        1
    }

    fn embed(&self, tokens: &TokenTree) -> Tensor<2> {
        inputs(tokens.tokens())
    }

    fn forward_block(&self, _block: usize, state: Tensor<2>, observer: &mut dyn LinearObserver) -> Tensor<2> {
        self.run(state, observer)
    }

    fn folds(&self, _block: usize) -> Vec<Fold> {
        let norm = if self.wrong_path { "nrom.gamma" } else { "norm.gamma" };
        let readers = |names: &[&str]| names.iter().map(|name| format!("{name}.weight")).collect();
        let up = FoldSource::Linear { weight: "up.weight".into(), bias: Some("up.bias".into()) };
        vec![
            Fold { source: FoldSource::Norm(vec![norm.into()]), readers: readers(&["gate", "up"]) },
            Fold { source: up, readers: readers(&["down"]) },
        ]
    }
}

/// A row of hidden states for each token, `[tokens, D]`.
fn inputs(tokens: &[u32]) -> Tensor<2> {
    let draw = |n: u64| (f64::from(Seed(9).draw(n)) / f64::from(u32::MAX) - 0.5) as f32;
    let rows = tokens.iter().flat_map(|&token| (0..D as u64).map(move |j| draw(u64::from(token) * D as u64 + j)));
    Tensor::from_data(TensorData::new(rows.collect(), [tokens.len(), D]), &Device::flex())
}

fn samples() -> Vec<TokenTree> {
    batches(&(0..8).map(|s| (s * 40..s * 40 + 40).collect()).collect::<Vec<_>>(), 80)
}

struct Nobody;

impl LinearObserver for Nobody {
    fn observe(&mut self, _weights: &[String], _input: &Tensor<2>) {}
}

fn outputs(net: &Net) -> Vec<f32> {
    let tokens: Vec<u32> = (1000..1100).collect();
    net.run(inputs(&tokens), &mut Nobody).into_data().iter().collect()
}

/// ‖a − b‖ / ‖b‖.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    squares(&mut a.iter().zip(b).map(|(a, b)| a - b)) / squares(&mut b.iter().copied())
}

fn scheme(bits: u8) -> Scheme {
    Scheme::new(bits, false, Granularity::Group(8)).unwrap()
}

fn awq(method: Awq) -> QuantizedModule<Net> {
    method.quantize_blocks(Net::new(), &samples(), Selection::default(), |_| ()).unwrap()
}

#[test]
fn scaling_changes_nothing_but_what_codes_lose() {
    let dense = outputs(&Net::new());
    // At 8 bits what remains is a hundredth; a factor that is folded on one side only would be off by whole multiples.
    for quantized in [
        awq(Awq::new(scheme(8))),
        SmoothQuant::new(scheme(8)).quantize_blocks(Net::new(), &samples(), Selection::default(), |_| ()).unwrap(),
    ] {
        let (before, after) = (Net::new().norm.gamma.val(), quantized.module.norm.gamma.val());
        assert!(before.into_data().iter::<f32>().zip(after.into_data().iter::<f32>()).any(|(a, b)| a != b));
        assert!(distance(&outputs(&quantized.module), &dense) < 0.02);
    }
}

#[test]
fn parts_that_are_not_quantized_are_scaled_along() {
    let only = |path: &str| Selection::of(ParamGroup::from_path(path));
    let dense = outputs(&Net::new());
    for path in ["gate.weight", "down.weight", "out.weight"] {
        let quantized = Awq::new(scheme(8)).quantize_blocks(Net::new(), &samples(), only(path), |_| ()).unwrap();
        assert_eq!(quantized.weights.keys().collect::<Vec<_>>(), [path]);
        assert!(distance(&outputs(&quantized.module), &dense) < 0.02, "{path}");
    }
}

#[test]
fn awq_is_never_worse_than_rounding_to_nearest() {
    let mut total = [0.0, 0.0];
    for bits in [2, 3, 4] {
        let (ours, nearest) =
            (awq(Awq::new(scheme(bits))), awq(Awq::new(scheme(bits)).with_powers(0).with_clipping(0)));
        let dense = outputs(&Net::new());
        let error = |q: &QuantizedModule<Net>, of: &[&str]| -> f64 {
            let layers = q.summary.layers.iter().filter(|layer| of.contains(&layer.path.as_str()));
            layers.map(|layer| layer.output_error.unwrap().powi(2)).sum()
        };
        for of in [["gate.weight", "up.weight"].as_slice(), &["down.weight"], &["out.weight"]] {
            assert!(error(&ours, of) <= 1.0001 * error(&nearest, of), "{bits} bits, {of:?}");
        }
        let (ours, nearest) = (outputs(&ours.module), outputs(&nearest.module));
        total = [total[0] + distance(&ours, &dense), total[1] + distance(&nearest, &dense)];
        let plain = RoundToNearest::new(scheme(bits)).quantize_module(Net::new(), Selection::default()).unwrap();
        assert!(distance(&outputs(&plain.module), &nearest) < 1e-5);
    }
    // Outputs of tokens that were not calibrated on.
    assert!(total[0] < 0.9 * total[1], "{total:?}");
}

#[test]
fn factors_that_nothing_takes_stay_beside_the_codes_and_are_counted() {
    let quantized = awq(Awq::new(scheme(3)));
    for (path, kept) in [("gate.weight", false), ("up.weight", false), ("down.weight", false), ("out.weight", true)] {
        let codes = &quantized.weights[path];
        assert_eq!(codes.input_scales().is_some(), kept, "{path}");
        assert_eq!(codes.bytes(), scheme(3).bytes(D, D).unwrap() + if kept { 2 * D } else { 0 });
        let module = weights(&quantized.module, &Selection::default()).into_iter().find(|w| w.path == path).unwrap();
        assert_eq!(HostMatrix::from_weight(module.value).as_slice(), codes.dequantize().as_slice());
    }
    let without = awq(Awq::new(scheme(3)).with_factors_kept(false));
    assert_eq!(without.weights["out.weight"].input_scales(), None);

    let mut statistics = Inputs::new(D);
    statistics.add(&inputs(&(0..100).collect::<Vec<_>>()));
    let matrix = HostMatrix::from_weight(Net::new().out.weight.val());
    assert!(Awq::new(scheme(3)).quantize(&matrix, &statistics).unwrap().input_scales().is_some());
    let error = Awq::new(scheme(3)).quantize(&matrix, &Inputs::new(D + 1)).unwrap_err();
    assert_eq!(error, QuantError::OtherInputs { d_in: D, observed: D + 1 });
}

#[test]
fn smoothing_makes_room_for_activations_of_8_bits() {
    let smooth =
        SmoothQuant::new(scheme(8)).quantize_blocks(Net::new(), &samples(), Selection::default(), |_| ()).unwrap();
    let x = inputs(&(2000..2100).collect::<Vec<_>>());
    let up = |net: &Net, rounded: bool| -> Vec<f32> {
        let normed = net.norm.forward(x.clone());
        let read = if rounded { quantize_activations(normed, 8).unwrap() } else { normed };
        // Inputs of `down` are folded into `up`, so that outputs of `gate` alone are what they were.
        net.gate.forward(read).into_data().iter().collect()
    };
    let dense = up(&Net::new(), false);
    let (plain, smoothed) = (up(&Net::new(), true), up(&smooth.module, true));
    assert!(distance(&smoothed, &dense) < distance(&plain, &dense), "{smoothed:?}");
    assert_eq!(quantize_activations(x, 9).map(|_| ()).unwrap_err(), QuantError::Bits { bits: 9 });
}

#[test]
fn a_model_that_does_not_round_inputs_says_so() {
    let quantized = RoundToNearest::new(scheme(8)).quantize_module(Net::new(), Selection::default()).unwrap();
    let error = |bits| quantized.clone().with_rounded_inputs(bits).map(|_| ()).unwrap_err();
    assert_eq!(error(8), QuantError::RoundedInputs);
    assert_eq!(error(1), QuantError::Bits { bits: 1 });
}

#[test]
fn activations_move_by_half_a_step_of_their_token() {
    let x = inputs(&(0..50).collect::<Vec<_>>());
    let rounded: Vec<f32> = quantize_activations(x.clone(), 8).unwrap().into_data().iter().collect();
    let values: Vec<f32> = x.into_data().iter().collect();
    for (x, r) in values.chunks(D).zip(rounded.chunks(D)) {
        let step = x.iter().fold(0f32, |largest, v| largest.max(v.abs())) / 127.0;
        assert!(x.iter().zip(r).all(|(x, r)| (x - r).abs() <= step * 0.5001));
    }
    let zeros = quantize_activations(Tensor::zeros([2, D], &Device::flex()), 8).unwrap();
    assert!(zeros.into_data().iter::<f32>().all(|value| value == 0.0));
}

#[test]
fn what_cannot_be_is_an_error() {
    let error = |net: Net, samples: &[TokenTree], parts: Parts| {
        Awq::new(scheme(4)).quantize_blocks(net, samples, parts, |_| ()).map(|_| ()).unwrap_err()
    };
    assert_eq!(error(Net::new(), &[], Parts::default()), QuantError::NoSamples);
    let wrong = Net { wrong_path: true, ..Net::new() };
    let message = error(wrong, &samples(), Parts::default()).to_string();
    assert_eq!(
        message,
        "the model says that `nrom.gamma` scales inputs of linears; it has no such parameter of 16 values"
    );
}
