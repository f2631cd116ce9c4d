//! The three modes through real optimizers.

use burn::module::{Lora, Module};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use junkdna_finetune::{FinetuneError, Mode, finish, prepare};
use proptest::prelude::*;
use std::collections::BTreeMap;

const HIDDEN: [usize; 2] = [6, 5];
const HEAD: [usize; 2] = [5, 3];

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    head: Linear,
}

type Masks = BTreeMap<String, Tensor<2>>;

fn device() -> Device {
    Device::flex().autodiff()
}

fn net(device: &Device) -> Net {
    let linear = |[d_in, d_out]: [usize; 2]| LinearConfig::new(d_in, d_out).init(device);
    Net { hidden: linear(HIDDEN), head: linear(HEAD) }
}

/// A mask from one number a weight.
fn mask(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn masks(kept: &[bool], device: &Device) -> Masks {
    let kept: Vec<f32> = kept.iter().map(|&kept| f32::from(u8::from(kept))).collect();
    let (hidden, head) = kept.split_at(HIDDEN[0] * HIDDEN[1]);
    let named = |path: &str, values, shape| (path.to_string(), mask(values, shape, device));
    BTreeMap::from([named("hidden.weight", hidden, HIDDEN), named("head.weight", head, HEAD)])
}

/// All effective weights of both layers, in the order of the masks.
fn values(net: &Net) -> Vec<f32> {
    let weights = [&net.hidden, &net.head].map(|layer| layer.weight.val().into_data().try_to_vec::<f32>().unwrap());
    weights.concat()
}

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// The values at the pruned, or at the kept weights.
fn only(values: &[f32], kept: &[bool], which: bool) -> Vec<f32> {
    values.iter().zip(kept).filter(|(_, kept)| **kept == which).map(|(value, _)| *value).collect()
}

/// SGD with momentum, and AdamW with a weight decay that moves every stored weight at every step.
fn optimizers() -> [ModuleOptimizer; 2] {
    let momentum = MomentumConfig::new().with_momentum(0.9);
    [SgdConfig::new().with_momentum(Some(momentum)).init(), AdamWConfig::new().with_weight_decay(0.1).init()]
}

fn train(mut net: Net, mut optimizer: ModuleOptimizer, device: &Device) -> Net {
    let inputs = Tensor::<2>::from_data(
        [[0.5, -1.0, 2.0, 0.1, -0.3, 1.5], [1.0, 0.7, -0.2, -1.1, 0.4, 0.9], [-0.6, 0.2, 0.8, 1.3, -2.0, 0.05]],
        device,
    );
    let targets = Tensor::<2>::from_data([[3.0, -1.0, 0.5], [-2.0, 1.0, 4.0], [0.3, 2.0, -3.0]], device);
    for _ in 0..5 {
        let outputs = net.head.forward(net.hidden.forward(inputs.clone()).tanh());
        let loss = (outputs - targets.clone()).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.05, net, gradients);
    }
    net
}

/// Which weights are kept: any pattern, also none and all.
fn kept() -> impl Strategy<Value = Vec<bool>> {
    let weights = HIDDEN[0] * HIDDEN[1] + HEAD[0] * HEAD[1];
    prop_oneof![
        8 => prop::collection::vec(any::<bool>(), weights),
        1 => Just(vec![true; weights]),
        1 => Just(vec![false; weights]),
    ]
}

/// A pattern with both kinds in both layers.
fn every_other() -> Vec<bool> {
    (0..HIDDEN[0] * HIDDEN[1] + HEAD[0] * HEAD[1]).map(|i| i % 2 == 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sparse_keeps_zeros(kept in kept()) {
        let device = device();
        for optimizer in optimizers() {
            let net = prepare(net(&device), Mode::Sparse, &masks(&kept, &device)).unwrap();
            let trained = train(net, optimizer, &device);
            for net in [trained.clone(), trained.valid(), finish(trained)] {
                prop_assert!(only(&values(&net), &kept, false).iter().all(|&value| value == 0.0));
            }
        }
    }

    #[test]
    fn dense_frozen_keeps_the_bits(kept in kept()) {
        let device = device();
        let original = net(&device);
        let frozen = bits(only(&values(&original), &kept, false));
        for optimizer in optimizers() {
            let net = prepare(original.clone(), Mode::DenseFrozen, &masks(&kept, &device)).unwrap();
            prop_assert_eq!(bits(values(&net)), bits(values(&original)));
            let trained = train(net, optimizer, &device);
            for net in [trained.clone(), trained.valid(), finish(trained)] {
                prop_assert_eq!(bits(only(&values(&net), &kept, false)), frozen.clone());
            }
        }
    }

    #[test]
    fn preparing_prunes_as_the_mask_says(kept in kept()) {
        let device = device();
        let original = net(&device);
        let pruned: Vec<f32> =
            values(&original).iter().zip(&kept).map(|(value, kept)| if *kept { *value } else { 0.0 }).collect();
        for mode in [Mode::Sparse, Mode::SparseToDense] {
            let net = prepare(original.clone(), mode, &masks(&kept, &device)).unwrap();
            prop_assert_eq!(values(&net), pruned.clone());
            prop_assert_eq!(values(&finish(net)), pruned.clone());
        }
    }
}

#[test]
fn kept_weights_train_in_every_mode() {
    let (device, kept) = (device(), every_other());
    for mode in Mode::ALL {
        for optimizer in optimizers() {
            let net = prepare(net(&device), mode, &masks(&kept, &device)).unwrap();
            let before = only(&values(&net), &kept, true);
            let after = only(&values(&train(net, optimizer, &device)), &kept, true);
            assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{mode}");
        }
    }
}

#[test]
fn nothing_pruned_is_full_fine_tuning() {
    let device = device();
    let original = net(&device);
    let all = vec![true; every_other().len()];
    for mode in Mode::ALL {
        for (optimizer, same) in optimizers().into_iter().zip(optimizers()) {
            let full = train(original.clone(), optimizer, &device);
            let prepared = prepare(original.clone(), mode, &masks(&all, &device)).unwrap();
            let trained = finish(train(prepared, same, &device));
            assert_eq!(bits(values(&trained)), bits(values(&full)), "{mode}");
        }
    }
}

#[test]
fn sparse_to_dense_regrows() {
    let (device, kept) = (device(), every_other());
    for optimizer in optimizers() {
        let net = prepare(net(&device), Mode::SparseToDense, &masks(&kept, &device)).unwrap();
        let trained = train(net, optimizer, &device);
        assert!(only(&values(&trained), &kept, false).iter().all(|&value| value != 0.0));
    }
}

#[test]
fn pruned_weights_survive_an_unfreeze_and_a_base_gone_to_infinity() {
    let (device, kept) = (device(), every_other());
    let original = net(&device);
    for mode in [Mode::Sparse, Mode::DenseFrozen] {
        let net = prepare(original.clone(), mode, &masks(&kept, &device)).unwrap().unfreeze();
        let before = bits(only(&values(&net), &kept, false));
        let [sgd, _] = optimizers();
        let mut trained = train(net, sgd, &device);
        assert_eq!(bits(only(&values(&trained), &kept, false)), before, "{mode}");

        let infinite = AdamWConfig::new().with_weight_decay(f32::MAX).init();
        trained = train(trained, infinite, &device);
        assert_eq!(bits(only(&values(&trained), &kept, false)), before, "{mode}");
    }
}

#[test]
fn weights_without_a_mask_train_freely() {
    let device = device();
    let original = net(&device);
    let none = BTreeMap::from([("hidden.weight".to_string(), Tensor::<2>::zeros(HIDDEN, &device))]);
    let net = prepare(original.clone(), Mode::DenseFrozen, &none).unwrap();
    let [_, adamw] = optimizers();
    let trained = finish(train(net, adamw, &device));
    let hidden = HIDDEN[0] * HIDDEN[1];
    assert_eq!(bits(values(&trained)[..hidden].to_vec()), bits(values(&original)[..hidden].to_vec()));
    assert!(values(&trained)[hidden..].iter().zip(&values(&original)[hidden..]).all(|(a, b)| a != b));
}

#[test]
fn a_module_off_the_autodiff_device_is_prepared_and_trained_later() {
    let plain = Device::flex();
    let kept = every_other();
    // Masks from an autodiff device, as a score of trained weights would give.
    let net = prepare(net(&plain), Mode::Sparse, &masks(&kept, &device())).unwrap();
    let [sgd, _] = optimizers();
    let trained = train(net.train(), sgd, &device());
    assert!(only(&values(&trained), &kept, false).iter().all(|&value| value == 0.0));
    assert!(only(&values(&trained), &kept, true).iter().all(|&value| value != 0.0));
}

#[test]
fn a_record_carries_masks_and_frozen_weights() {
    let (device, kept) = (device(), every_other());
    let others: Vec<bool> = kept.iter().map(|kept| !kept).collect();
    for mode in [Mode::Sparse, Mode::DenseFrozen] {
        let saved = prepare(net(&device), mode, &masks(&kept, &device)).unwrap();
        let target = prepare(net(&device), mode, &masks(&others, &device)).unwrap();
        let loaded = target.load_record(saved.clone().into_record());
        let frozen = bits(only(&values(&saved), &kept, false));
        let [_, adamw] = optimizers();
        assert_eq!(bits(values(&loaded)), bits(values(&saved)), "{mode}");
        assert_eq!(bits(only(&values(&train(loaded, adamw, &device)), &kept, false)), frozen, "{mode}");
    }
}

#[test]
fn wrong_masks_are_named() {
    let device = device();
    let error = |path: &str, mask: Tensor<2>| {
        prepare(net(&device), Mode::Sparse, &BTreeMap::from([(path.to_string(), mask)])).unwrap_err()
    };
    let random = Tensor::<2>::random(HIDDEN, Distribution::Uniform(0.2, 0.8), &device);
    assert!(matches!(prepare(net(&device), Mode::Sparse, &Masks::new()), Err(FinetuneError::NoMasks)));
    assert!(matches!(error("hidden.weight", random), FinetuneError::NotBinary { path } if path == "hidden.weight"));
    let message = error("tail.weight", Tensor::ones(HIDDEN, &device)).to_string();
    assert_eq!(message, "tail.weight: the module has no float parameter of this path");
    let message = error("hidden.weight", Tensor::ones([5, 6], &device)).to_string();
    assert_eq!(message, "hidden.weight: the mask is [5, 6], the weight [6, 5]");
    let message = error("hidden.bias", Tensor::ones([1, 5], &device)).to_string();
    assert_eq!(message, "hidden.bias: the mask is [1, 5], the weight [5]");
}

#[test]
fn a_weight_is_reparameterized_once() {
    let device = device();
    let masks = masks(&every_other(), &device);
    for taken in [prepare(net(&device), Mode::Sparse, &masks).unwrap(), net(&device).apply_lora(Lora::new(2, 4.0))] {
        let error = prepare(taken, Mode::DenseFrozen, &masks).unwrap_err();
        assert!(matches!(error, FinetuneError::Reparameterized { path } if path == "head.weight"));
    }
}

#[test]
fn modes_are_called_as_on_the_command_line() {
    assert_eq!(Mode::ALL.map(|mode| mode.to_string()), ["sparse", "dense-frozen", "sparse-to-dense"]);
}
