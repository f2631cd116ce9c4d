//! The training loop on a small module: what must hold whatever the examples, masks and seeds.

mod common;

use burn::nn::LinearConfig;
use burn::tensor::{Device, Tensor};
use common::{EXAMPLES, HEAD, HIDDEN, Killed, Net, Regression, START, TASK, checkpoints, masks, recipe};
use junkdna_backend::Seed;
use junkdna_finetune::{
    AdamWConfig, Checkpoints, FinetuneError, Metrics, Mode, Objective, Recipe, finish, prepare, train,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn sparse_leaves_pruned_weights_and_their_moments_at_zero(kept in prop::collection::vec(any::<bool>(), 45), seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe { seed, ..recipe() };
        let net = prepare(Net::new(), Mode::Sparse, &masks(&kept)).unwrap();
        let trained = train(net, &TASK, &recipe, Some(&checkpoints(&folder)), &mut ()).unwrap();
        for net in [finish(trained.best), finish(trained.last)] {
            for (weight, kept) in net.weights().iter().zip(&kept) {
                prop_assert!(*kept || weight.to_bits() == 0);
            }
        }
        let moments = checkpoints(&folder).last().unwrap().unwrap().moments(&Device::flex()).unwrap();
        let (hidden, head) = kept.split_at(HIDDEN[0] * HIDDEN[1]);
        for (path, kept, [d_in, d_out]) in [("hidden.weight", hidden, HIDDEN), ("head.weight", head, HEAD)] {
            for moment in [&moments[path].first, &moments[path].second] {
                // In PyTorch's order: one output after another.
                let moment: Vec<f32> = moment.clone().into_data().iter::<f32>().collect();
                for (index, value) in moment.iter().enumerate() {
                    prop_assert!(kept[index % d_in * d_out + index / d_in] || *value == 0.0);
                }
            }
        }
    }

    #[test]
    fn dense_frozen_keeps_every_frozen_bit(kept in prop::collection::vec(any::<bool>(), 45), seed: u64) {
        let original = Net::new();
        let before = original.weights();
        let net = prepare(original, Mode::DenseFrozen, &masks(&kept)).unwrap();
        let after = finish(train(net, &TASK, &Recipe { seed, ..recipe() }, None, &mut ()).unwrap().last).weights();
        for ((before, after), kept) in before.iter().zip(&after).zip(&kept) {
            prop_assert!((before.to_bits() == after.to_bits()) != *kept);
        }
    }

    #[test]
    fn every_mode_with_nothing_pruned_is_full_fine_tuning(seed: u64) {
        let original = Net::new();
        let recipe = Recipe { seed, ..recipe() };
        let full = train(original.clone(), &TASK, &recipe, None, &mut ()).unwrap().last.bits();
        for mode in Mode::ALL {
            let net = prepare(original.clone(), mode, &masks(&[true; 45])).unwrap();
            let trained = finish(train(net, &TASK, &recipe, None, &mut ()).unwrap().last);
            prop_assert_eq!(trained.bits(), full.clone());
        }
    }

    #[test]
    fn recomputing_changes_nothing(seed: u64, kept in prop::collection::vec(any::<bool>(), 45)) {
        let original = Net::new();
        for mode in Mode::ALL {
            let bits = [false, true].map(|gradient_checkpointing| {
                let recipe = Recipe { seed, gradient_checkpointing, ..recipe() };
                let net = prepare(original.clone(), mode, &masks(&kept)).unwrap();
                finish(train(net, &TASK, &recipe, None, &mut ()).unwrap().last).bits()
            });
            prop_assert_eq!(&bits[0], &bits[1]);
        }
    }

    #[test]
    fn a_run_killed_anywhere_ends_in_the_same_bits(kills in prop::collection::vec(1..9usize, 1..4), every in 0..4usize) {
        let kept: Vec<bool> = (0..45).map(|i| i % 3 != 0).collect();
        let net = || prepare(START.with(Clone::clone), Mode::Sparse, &masks(&kept)).unwrap();
        let recipe = Recipe { checkpoint_every: every, ..recipe() };
        let whole = train(net(), &TASK, &recipe, None, &mut ()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for after in kills {
            train(net(), &TASK, &recipe, Some(&checkpoints(&folder)), &mut Killed { after }).ok();
        }
        let resumed = train(net(), &TASK, &recipe, Some(&checkpoints(&folder)), &mut ()).unwrap();
        prop_assert_eq!(resumed.last.bits(), whole.last.bits());
        prop_assert_eq!(resumed.best.bits(), whole.best.bits());
        prop_assert_eq!(resumed.evaluations, whole.evaluations);
    }
}

#[test]
fn training_helps_and_the_best_is_the_best() {
    let net = Net::new();
    let before = TASK.evaluate(&net)["loss"];
    let recipe = Recipe { epochs: 8, ..recipe() };
    let trained = train(net, &TASK, &recipe, None, &mut ()).unwrap();
    let losses: Vec<f64> = trained.evaluations.iter().map(|evaluation| evaluation.metrics["loss"]).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least < before);
    assert_eq!(TASK.evaluate(&trained.best)["loss"], least);
    assert_eq!(TASK.evaluate(&trained.last)["loss"], losses[7]);
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let start = Net::new();
    let step = |batch_size, accumulation| {
        let recipe = Recipe { epochs: 1, batch_size, accumulation, clip: 0.0, ..recipe() };
        train(start.clone(), &NoNoise, &recipe, None, &mut ()).unwrap().last.weights()
    };
    // Of 20 examples in batches of 8, the last batch has 4: a mean of means would be another number.
    for (a, b) in step(20, 1).iter().zip(step(8, 3)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

struct NoNoise;

impl Objective<Net> for NoNoise {
    fn examples(&self) -> usize {
        EXAMPLES
    }

    fn length(&self, _example: usize) -> usize {
        1
    }

    fn loss(&self, net: &Net, batch: &[usize], _noise: Seed) -> Tensor<1> {
        TASK.mean(net, batch, None)
    }

    fn evaluate(&self, net: &Net) -> Metrics {
        TASK.evaluate(net)
    }
}

#[test]
fn training_stops_when_nothing_gets_better() {
    let recipe = Recipe { epochs: 50, patience: 2, learning_rate: 3.0, warmup: 0.0, ..recipe() };
    let trained = train(Net::new(), &TASK, &recipe, None, &mut ()).unwrap();
    let best = trained.evaluations.iter().rposition(|evaluation| evaluation.best).unwrap();
    assert_eq!(trained.evaluations.len(), best + 3);
    assert!(trained.evaluations.len() < 50);
}

#[test]
fn a_loss_that_is_no_number_says_where_and_keeps_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { checkpoint_every: 1, accumulation: 1, batch_size: 2, ..recipe() };
    let batches =
        junkdna_finetune::batches(&(0..EXAMPLES).map(|e| 1 + e % 3).collect::<Vec<_>>(), 2, 0, Seed(recipe.seed));
    let poison = batches[4][0];
    let task = Regression { poison: Some(poison) };
    let error = train(Net::new(), &task, &recipe, Some(&checkpoints(&folder)), &mut ()).unwrap_err();
    assert!(matches!(error, FinetuneError::NotFinite { step: 5, epoch: 1, batch: 5, .. }), "{error}");
    let last = checkpoints(&folder).last().unwrap().unwrap();
    assert_eq!(last.progress().step, 4);
    let net = last.restore_module(Net::new()).unwrap();
    assert!(net.weights().iter().all(|weight| weight.is_finite()));
}

/// A loss that is a number, of which the gradient is none: 0 · |x|^½ at 0 has no slope. And a validation loss that is none.
#[test]
fn gradients_and_validation_losses_that_are_no_numbers_keep_the_checkpoint() {
    struct Broken {
        batch: usize,
        validation: f64,
    }
    impl Objective<Net> for Broken {
        fn examples(&self) -> usize {
            EXAMPLES
        }

        fn length(&self, _example: usize) -> usize {
            1
        }

        fn loss(&self, net: &Net, batch: &[usize], noise: Seed) -> Tensor<1> {
            let loss = TASK.loss(net, batch, noise);
            let nothing = (net.head.weight.val().sum() * 0.0).sqrt();
            if batch.contains(&self.batch) { loss + nothing } else { loss }
        }

        fn evaluate(&self, _net: &Net) -> Metrics {
            Metrics::from([("loss".into(), self.validation)])
        }
    }
    let recipe = Recipe { checkpoint_every: 1, accumulation: 1, batch_size: 2, ..recipe() };
    let poison = junkdna_finetune::batches(&[1; EXAMPLES], 2, 0, Seed(recipe.seed))[4][0];
    let fails = |task: Broken| {
        let folder = tempfile::tempdir().unwrap();
        let error = train(Net::new(), &task, &recipe, Some(&checkpoints(&folder)), &mut ()).unwrap_err();
        let last = checkpoints(&folder).last().unwrap().unwrap();
        let net = last.restore_module(Net::new()).unwrap();
        assert!(net.weights().iter().all(|weight| weight.is_finite()));
        (error, last.progress().step)
    };
    let (error, kept) = fails(Broken { batch: poison, validation: 1.0 });
    assert!(matches!(error, FinetuneError::GradientNotFinite { step: 5, epoch: 1, .. }), "{error}");
    assert_eq!(kept, 4);
    let (error, kept) = fails(Broken { batch: EXAMPLES, validation: f64::NAN });
    assert!(matches!(error, FinetuneError::ValidationNotFinite { step: 10, .. }), "{error}");
    assert_eq!(kept, 9);
}

#[test]
fn checkpoints_of_other_runs_and_other_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    train(Net::new(), &TASK, &recipe(), Some(&checkpoints(&folder)), &mut ()).unwrap();
    let other = Checkpoints::new(folder.path(), "another run").unwrap();
    let error = train(Net::new(), &TASK, &recipe(), Some(&other), &mut ()).unwrap_err().to_string();
    assert!(error.contains("it says `a run`, this run `another run`"), "{error}");
    let wide = Net { head: LinearConfig::new(5, 4).init(&Device::flex()), ..Net::new() };
    let error = checkpoints(&folder).last().unwrap().unwrap().restore_module(wide).unwrap_err().to_string();
    assert!(error.contains("weight:head.weight is [3, 5], the model has [4, 5]"), "{error}");
}

#[test]
fn impossible_recipes_and_metrics_are_named() {
    let error = |recipe: Recipe| train(Net::new(), &TASK, &recipe, None, &mut ()).unwrap_err().to_string();
    assert_eq!(error(Recipe { epochs: 0, ..recipe() }), "recipe: epochs must be at least 1");
    assert_eq!(error(Recipe { warmup: 1.0, ..recipe() }), "recipe: warmup must be from 0 to below 1");
    let message = error(Recipe { metric: Some("accuracy".into()), ..recipe() });
    assert_eq!(message, "there is no metric `accuracy`; there are loss");
}

#[test]
fn weights_decay_and_biases_do_not() {
    let net = Net::new();
    let before = net.head.clone();
    let recipe = Recipe { epochs: 1, learning_rate: 1e-9, ..recipe() };
    let heavy = Recipe { adamw: AdamWConfig { weight_decay: 1e6, ..AdamWConfig::default() }, ..recipe };
    let trained = train(net, &TASK, &heavy, None, &mut ()).unwrap().last;
    let ratio = |a: Tensor<1>, b: Tensor<1>| (a / b).mean().into_scalar::<f32>();
    let bias = ratio(trained.head.bias.unwrap().val(), before.bias.unwrap().val());
    let weight = ratio(trained.head.weight.val().flatten(0, 1), before.weight.val().flatten(0, 1));
    assert!((bias - 1.0).abs() < 1e-5, "{bias}");
    assert!((weight - 1.0).abs() > 1e-4, "{weight}");
}
