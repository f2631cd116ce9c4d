//! Adapters on a base of codes: what must hold whatever the codes.

mod common;

use burn::module::{LoraAdapter, Module};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use common::{HEAD, HIDDEN, Net, TASK, checkpoints, recipe};
use junkdna_backend::{HostMatrix, Seed, replace_weights};
use junkdna_finetune::adapters::{
    AdapterConfig, DoraAdapter, FrozenMatrices, FrozenMatrix, Merge, OnCodes, attach, attach_on, merge, on_codes, peft,
};
use junkdna_finetune::{FinetuneError, Objective, Recipe, finish, train};
use proptest::prelude::*;
use std::sync::Arc;

/// Quarters.
#[derive(Debug, Clone, PartialEq)]
struct Codes {
    shape: [usize; 2],
    codes: Vec<i8>,
}

impl FrozenMatrix for Codes {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn bytes(&self) -> usize {
        self.codes.len()
    }

    fn values(&self) -> HostMatrix {
        let [d_out, d_in] = self.shape;
        HostMatrix::new(self.codes.iter().map(|&code| f32::from(code) / 4.0).collect(), d_out, d_in)
    }
}

/// Of both layers, one code a weight.
fn matrices(codes: &[i8]) -> [(&'static str, Arc<Codes>); 2] {
    let (hidden, head) = codes.split_at(HIDDEN[0] * HIDDEN[1]);
    let matrix =
        |codes: &[i8], [d_in, d_out]: [usize; 2]| Arc::new(Codes { shape: [d_out, d_in], codes: codes.to_vec() });
    [("hidden.weight", matrix(hidden, HIDDEN)), ("head.weight", matrix(head, HEAD))]
}

fn bases(codes: &[i8]) -> FrozenMatrices {
    let matrix = |(path, matrix): (&str, Arc<Codes>)| (path.to_owned(), matrix as Arc<dyn FrozenMatrix>);
    matrices(codes).into_iter().map(matrix).collect()
}

/// The module with the floats that the codes stand for.
fn floats(net: &Net, codes: &[i8]) -> Net {
    let weight = |(path, matrix): (&str, Arc<Codes>)| (path.to_owned(), matrix.values().into_weight(&Device::flex()));
    replace_weights(net.clone(), matrices(codes).into_iter().map(weight).collect()).0
}

fn config(dora: bool, both: bool) -> AdapterConfig {
    let targets = if both { vec![r"weight$".to_owned()] } else { vec![r"^hidden\.weight$".to_owned()] };
    AdapterConfig { rank: 2, alpha: 4.0, dora, targets, trained_whole: Vec::new(), ..AdapterConfig::default() }
}

/// The same adapters on the floats, and on the codes.
fn pair(net: &Net, codes: &[i8], config: &AdapterConfig) -> [Net; 2] {
    let on_floats = attach(floats(net, codes), config, Seed(1)).unwrap();
    [on_floats, attach_on(net.clone(), config, &bases(codes), Seed(1)).unwrap()]
}

fn outputs(net: &Net) -> Vec<f32> {
    let inputs = Tensor::<2>::from_data([[0.5, -1.0, 2.0, 0.1, -0.3, 1.5]], &Device::flex());
    net.head.forward(net.hidden.forward(inputs).tanh()).into_data().iter().collect()
}

/// A step's gradients of the adapter of the first layer: what comes to it through the second layer's weight.
fn gradients(net: Net) -> Vec<f32> {
    let net = net.train();
    let gradients = GradientsParams::from_grads(TASK.loss(&net, &[0, 1, 2, 3], Seed(5)).backward(), &net);
    assert!(gradients.get::<2>(net.hidden.weight.id).is_none() && gradients.get::<2>(net.head.weight.id).is_none());
    let weight = &net.hidden.weight;
    let on_codes = weight.reparameterization::<OnCodes<LoraAdapter>>().map(|state| state.adapter().unwrap());
    let lora = weight.reparameterization::<LoraAdapter>().or(on_codes).map(|lora| [&lora.a, &lora.b]);
    let on_codes = weight.reparameterization::<OnCodes<DoraAdapter>>().map(|state| state.adapter().unwrap());
    let dora = weight.reparameterization::<DoraAdapter>().or(on_codes).map(|dora| [&dora.a, &dora.b]);
    let factors = lora.or(dora).unwrap();
    factors
        .into_iter()
        .flat_map(|p| gradients.get::<2>(p.id).unwrap().into_data().iter::<f32>().collect::<Vec<_>>())
        .collect()
}

fn near(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + a.abs()))
}

/// No output of nothing but zeros: DoRA divides by its length.
fn codes() -> impl Strategy<Value = Vec<i8>> {
    let code = prop_oneof![3 => -8i8..8, 1 => Just(0)];
    prop::collection::vec(code, 45).prop_map(|mut codes| {
        (0..5).for_each(|output| codes[output * 6] = 3);
        (0..3).for_each(|output| codes[30 + output * 5] = -2);
        codes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn codes_compute_what_their_floats_do(codes in codes(), dora: bool, both: bool) {
        let [on_floats, quantized] = pair(&Net::new(), &codes, &config(dora, both));
        prop_assert_eq!(on_codes(&quantized).len(), 2);
        prop_assert!(near(&outputs(&on_floats), &outputs(&quantized)));
        prop_assert!(near(&gradients(on_floats), &gradients(quantized)));
    }

    #[test]
    fn training_on_codes_is_training_on_their_floats(codes in codes(), dora: bool, both: bool, recompute: bool, seed: u64) {
        let net = Net::new();
        let recipe = Recipe { seed, gradient_checkpointing: recompute, learning_rate: 0.01, ..recipe() };
        let [on_floats, quantized] = pair(&net, &codes, &config(dora, both));
        let trained = [on_floats, quantized].map(|net| train(net, &TASK, &recipe, None, &mut ()).unwrap());
        let [floats_after, codes_after] = trained.map(|trained| finish(trained.last));
        prop_assert!(near(&floats_after.weights(), &codes_after.weights()));
        // What has no adapter is what it was, to the bit.
        let head = |net: &Net| net.head.weight.val().into_data().iter::<f32>().map(f32::to_bits).collect::<Vec<_>>();
        let moved = head(&codes_after) != head(&floats(&net, &codes));
        prop_assert_eq!(moved, both);
    }

    #[test]
    fn a_merge_knows_the_zeros_of_codes(codes in codes(), dora: bool, keep: bool) {
        let recipe = Recipe { learning_rate: 0.01, ..recipe() };
        let how = if keep { Merge::KeepMask } else { Merge::Plain };
        let [on_floats, quantized] = pair(&Net::new(), &codes, &config(dora, true));
        let merged = [on_floats, quantized].map(|net| merge(train(net, &TASK, &recipe, None, &mut ()).unwrap().last, how));
        let zeros = codes.iter().filter(|&&code| code == 0).count();
        for (net, merged) in merged {
            prop_assert_eq!((merged.matrices, merged.zeros_before), (2, zeros));
            prop_assert_eq!(merged.keeps_mask(), keep || zeros == 0);
            let left = net.weights().iter().filter(|&&weight| weight == 0.0).count();
            prop_assert_eq!(left, merged.zeros_after);
        }
    }
}

/// Adam's first step moves every weight by the rate, whatever its gradient (LoRA+).
#[test]
fn b_factors_have_a_rate_of_their_own() {
    let codes: Vec<i8> = (0..45).map(|i| (i * 7 % 15) as i8 - 7).collect();
    for (lora_plus, dora) in [(1.0, false), (16.0, false), (16.0, true)] {
        let adamw = junkdna_finetune::AdamWConfig::default();
        let recipe = Recipe {
            epochs: 1,
            batch_size: 20,
            accumulation: 1,
            warmup: 0.0,
            learning_rate: 1e-3,
            adamw,
            lora_plus,
            ..recipe()
        };
        for net in pair(&Net::new(), &codes, &config(dora, true)) {
            let trained = train(net, &TASK, &recipe, None, &mut ()).unwrap().last;
            let folder = tempfile::tempdir().unwrap();
            let base = peft::Base { model: "net", task: "SEQ_CLS" };
            peft::save(&trained, &config(dora, true), base, folder.path(), str::to_owned).unwrap();
            let file = std::fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
            let stored = safetensors::SafeTensors::deserialize(&file).unwrap();
            let b = stored.tensor("base_model.model.head.lora_B.weight").unwrap();
            for value in b.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)) {
                assert!((f64::from(value.abs()) / (1e-3 * lora_plus) - 1.0).abs() < 1e-2, "{value} at {lora_plus}");
            }
        }
    }
}

#[test]
fn codes_stay_and_checkpoints_do_without_them() {
    let codes: Vec<i8> = (0..45).map(|i| (i * 7 % 15) as i8 - 7).collect();
    let matrices = matrices(&codes);
    let bases =
        matrices.iter().map(|(path, matrix)| ((*path).to_owned(), matrix.clone() as Arc<dyn FrozenMatrix>)).collect();
    let (net, folder) = (Net::new(), tempfile::tempdir().unwrap());
    let start = || attach_on(net.clone(), &config(false, false), &bases, Seed(1)).unwrap();
    let whole = train(start(), &TASK, &recipe(), None, &mut ()).unwrap();
    for after in [2, 5] {
        train(start(), &TASK, &recipe(), Some(&checkpoints(&folder)), &mut common::Killed { after }).unwrap_err();
    }
    let resumed = train(start(), &TASK, &recipe(), Some(&checkpoints(&folder)), &mut ()).unwrap();
    assert_eq!(finish(resumed.last).bits(), finish(whole.last).bits());
    assert_eq!(matrices.map(|(_, matrix)| matrix.codes.clone()).concat(), codes);
    // A and B of one adapter and two biases: the 45 weights of the base are not there.
    let file = std::fs::read(folder.path().join("best.safetensors")).unwrap();
    let stored = safetensors::SafeTensors::deserialize(&file).unwrap();
    let numbers: usize = stored.tensors().iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>()).sum();
    assert_eq!(numbers, 6 * 2 + 2 * 5 + 5 + 3);
}

#[test]
fn adapters_on_codes_come_back_from_their_folder() {
    let codes: Vec<i8> = (0..45).map(|i| (i * 7 % 15) as i8 - 7).collect();
    let net = Net::new();
    for dora in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(dora, true);
        let start = attach_on(net.clone(), &config, &bases(&codes), Seed(1)).unwrap();
        let trained = train(start, &TASK, &Recipe { learning_rate: 0.01, ..recipe() }, None, &mut ()).unwrap().last;
        let base = peft::Base { model: "net", task: "SEQ_CLS" };
        peft::save(&trained, &config, base, folder.path(), str::to_owned).unwrap();
        let (again, read) = peft::load_on(net.clone(), folder.path(), &bases(&codes), str::to_owned).unwrap();
        assert_eq!(finish(again).bits(), finish(trained.clone()).bits());
        assert_eq!((read.rank, read.dora, read.targets.len()), (2, dora, 2));
        // On the floats they are the same adapters.
        let (on_floats, _) = peft::load(floats(&net, &codes), folder.path(), str::to_owned).unwrap();
        assert!(near(&finish(on_floats).weights(), &finish(trained).weights()));
    }
}

#[test]
fn what_trains_as_a_whole_stays_floats_and_wrong_matrices_are_named() {
    let codes = [1; 45];
    let whole = AdapterConfig { trained_whole: vec!["^head".into()], ..config(false, false) };
    let net = attach_on(Net::new(), &whole, &bases(&codes), Seed(1)).unwrap();
    assert_eq!(on_codes(&net).into_iter().collect::<Vec<_>>(), ["hidden.weight"]);
    let error = |path: &str, shape: [usize; 2]| {
        let matrix: Arc<dyn FrozenMatrix> = Arc::new(Codes { shape, codes: vec![0; shape[0] * shape[1]] });
        attach_on(Net::new(), &whole, &FrozenMatrices::from([(path.into(), matrix)]), Seed(1)).unwrap_err().to_string()
    };
    assert_eq!(error("hidden.weight", [6, 5]), "hidden.weight: the quantized base is [5, 6], the module has [6, 5]");
    let message = error("tail.weight", [5, 6]);
    assert_eq!(message, "tail.weight: the quantized base is [6, 5], the module has no float parameter of this path");
    let none = AdapterConfig { targets: vec!["query".into()], ..config(false, false) };
    let error = attach_on(Net::new(), &none, &bases(&codes), Seed(1)).unwrap_err();
    assert!(matches!(error, FinetuneError::NoTargets { .. }));
}
