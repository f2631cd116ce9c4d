//! Masks that change while a module trains.

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{HEAD, HIDDEN, Killed, Net, START, TASK, checkpoints, masks, recipe};
use junkdna_finetune::{
    Checkpoint, FinetuneError, Matrices, Mode, Observer, Pruning, Recipe, StepReport, finish, prepare,
    train_with_pruning,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;

/// Steps of a run: of 20 examples in batches of 3, two of them a step, twice.
const STEPS: usize = 8;

const PATHS: [(&str, [usize; 2]); 2] = [("hidden.weight", HIDDEN), ("head.weight", HEAD)];

fn values(tensor: &Tensor<2>) -> Vec<f32> {
    tensor.clone().into_data().iter().collect()
}

fn matrices(of: impl Fn(&str) -> Vec<f32>) -> Matrices {
    let tensor = |(path, shape): (&str, [usize; 2])| {
        (path.to_owned(), Tensor::<2>::from_data(TensorData::new(of(path), shape), &Device::flex()))
    };
    PATHS.into_iter().map(tensor).collect()
}

fn weights_of(net: &Net) -> BTreeMap<&'static str, Vec<f32>> {
    BTreeMap::from([
        ("hidden.weight", values(&net.hidden.weight.val())),
        ("head.weight", values(&net.head.weight.val())),
    ])
}

/// The smallest weights of each matrix go, more at every other step.
struct Gradual {
    end: usize,
}

impl Gradual {
    fn count(&self, step: usize, weights: usize) -> usize {
        let left = 1.0 - step.min(self.end) as f64 / self.end as f64;
        (weights as f64 * 0.8 * (1.0 - left.powi(3))) as usize
    }
}

impl Pruning<Net> for Gradual {
    fn start(&mut self, _module: &Net) -> Result<Matrices, Box<dyn Error + Send + Sync>> {
        Ok(masks(&[true; 45]))
    }

    fn changes(&self, step: usize) -> bool {
        step <= self.end && step.is_multiple_of(2)
    }

    fn masks(
        &mut self,
        step: usize,
        net: &Net,
        now: &Matrices,
        gradients: &Matrices,
    ) -> Result<Matrices, Box<dyn Error + Send + Sync>> {
        assert!(gradients.is_empty());
        let weights = weights_of(net);
        Ok(matrices(|path| {
            let (weights, now) = (&weights[path], values(&now[path]));
            assert!(weights.iter().zip(&now).all(|(weight, kept)| *kept == 1.0 || *weight == 0.0));
            let mut order: Vec<usize> = (0..weights.len()).collect();
            order.sort_by(|&a, &b| (now[a], weights[a].abs()).partial_cmp(&(now[b], weights[b].abs())).unwrap());
            let mut mask = vec![1.0; weights.len()];
            order[..self.count(step, weights.len())].iter().for_each(|&gone| mask[gone] = 0.0);
            mask
        }))
    }

    fn is_final(&self, steps: usize) -> bool {
        steps > self.end
    }
}

/// Of each matrix the smallest weight that is left goes, and the one of those gone with the largest gradient comes.
struct Regrow;

impl Pruning<Net> for Regrow {
    fn start(&mut self, _module: &Net) -> Result<Matrices, Box<dyn Error + Send + Sync>> {
        Ok(masks(&[true, false].repeat(23)[..45]))
    }

    fn changes(&self, step: usize) -> bool {
        step > 0
    }

    fn needs_gradients(&self) -> bool {
        true
    }

    fn masks(
        &mut self,
        _step: usize,
        net: &Net,
        now: &Matrices,
        gradients: &Matrices,
    ) -> Result<Matrices, Box<dyn Error + Send + Sync>> {
        let weights = weights_of(net);
        Ok(matrices(|path| {
            let (weights, mut mask, gradients) = (&weights[path], values(&now[path]), values(&gradients[path]));
            let of = |kept: f32| (0..mask.len()).filter(|&i| mask[i] == kept).collect::<Vec<_>>();
            let smallest = of(1.0).into_iter().min_by(|&a, &b| weights[a].abs().total_cmp(&weights[b].abs())).unwrap();
            let steepest =
                of(0.0).into_iter().max_by(|&a, &b| gradients[a].abs().total_cmp(&gradients[b].abs())).unwrap();
            assert_ne!(gradients[steepest], 0.0, "gradients are those of all weights");
            (mask[smallest], mask[steepest]) = (0.0, 1.0);
            mask
        }))
    }

    fn is_final(&self, _steps: usize) -> bool {
        true
    }
}

/// Looks at the checkpoint of every step but the last, and keeps which weights were zero.
struct Zeros<'a> {
    folder: &'a tempfile::TempDir,
    zeros: Vec<Vec<bool>>,
}

impl Zeros<'_> {
    fn look(&mut self, checkpoint: &Checkpoint) {
        let empty = prepare(Net::new(), Mode::Sparse, &masks(&[true; 45])).unwrap();
        let weights = weights_of(&finish(checkpoint.restore_module(empty).unwrap()));
        let moments = checkpoint.moments(&Device::flex()).unwrap();
        let mut zeros = Vec::new();
        for (path, [d_in, d_out]) in PATHS {
            let moments = [&moments[path].first, &moments[path].second];
            let moments = moments.map(|moment| moment.clone().into_data().iter::<f32>().collect::<Vec<f32>>());
            for (index, weight) in weights[path].iter().enumerate() {
                // Moments lie one output after another.
                let place = index % d_out * d_in + index / d_out;
                assert!(*weight != 0.0 || moments.iter().all(|moment| moment[place] == 0.0), "{path} {index}");
                assert!(*weight == 0.0 || moments[1][place] != 0.0, "{path} {index} does not train");
                zeros.push(*weight == 0.0);
            }
        }
        self.zeros.push(zeros);
    }
}

impl Observer for Zeros<'_> {
    fn step(&mut self, _report: &StepReport) -> io::Result<()> {
        if let Some(checkpoint) = checkpoints(self.folder).last().unwrap() {
            self.look(&checkpoint);
        }
        Ok(())
    }
}

/// Which weights are zero after each step.
fn zeros(pruning: &mut dyn Pruning<Net>, seed: u64) -> Vec<Vec<bool>> {
    let folder = tempfile::tempdir().unwrap();
    let mut zeros = Zeros { folder: &folder, zeros: Vec::new() };
    let recipe = Recipe { seed, checkpoint_every: 1, ..recipe() };
    let trained =
        train_with_pruning(Net::new(), &TASK, &recipe, pruning, Some(&checkpoints(&folder)), &mut zeros).unwrap();
    zeros.look(&checkpoints(&folder).last().unwrap().unwrap());
    let last: Vec<bool> = finish(trained.last).weights().iter().map(|weight| *weight == 0.0).collect();
    assert_eq!(zeros.zeros.last(), Some(&last));
    assert_eq!(zeros.zeros.len(), STEPS);
    zeros.zeros
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn gradual_pruning_takes_more_and_more(seed: u64, end in 1..STEPS) {
        let mut pruning = Gradual { end };
        let zeros = zeros(&mut pruning, seed);
        for (step, now) in zeros.iter().enumerate() {
            let at = (0..=step).rev().find(|&step| pruning.changes(step)).unwrap();
            let expected = pruning.count(at, 30) + pruning.count(at, 15);
            prop_assert_eq!(now.iter().filter(|zero| **zero).count(), expected);
            prop_assert!(step == 0 || zeros[step - 1].iter().zip(now).all(|(before, now)| !before || *now));
        }
    }

    #[test]
    fn prune_and_regrow_keeps_the_count(seed: u64) {
        let zeros = zeros(&mut Regrow, seed);
        prop_assert!(zeros.iter().all(|now| now.iter().filter(|zero| **zero).count() == 22));
        prop_assert!(zeros.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn a_run_killed_anywhere_ends_in_the_same_bits(kills in prop::collection::vec(1..STEPS + 1, 1..4), regrows: bool) {
        let pruning = || -> Box<dyn Pruning<Net>> { if regrows { Box::new(Regrow) } else { Box::new(Gradual { end: 5 }) } };
        let net = || START.with(Clone::clone);
        let recipe = Recipe { checkpoint_every: 1, ..recipe() };
        let whole = train_with_pruning(net(), &TASK, &recipe, &mut *pruning(), None, &mut ()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for after in kills {
            let kept = checkpoints(&folder);
            train_with_pruning(net(), &TASK, &recipe, &mut *pruning(), Some(&kept), &mut Killed { after }).ok();
        }
        let kept = checkpoints(&folder);
        let resumed = train_with_pruning(net(), &TASK, &recipe, &mut *pruning(), Some(&kept), &mut ()).unwrap();
        prop_assert_eq!(finish(resumed.last).bits(), finish(whole.last).bits());
        prop_assert_eq!(finish(resumed.best).bits(), finish(whole.best).bits());
        prop_assert_eq!(resumed.evaluations, whole.evaluations);
    }
}

#[test]
fn what_is_less_sparse_than_the_end_is_not_the_best() {
    let recipe = Recipe { evaluate_every: 1, ..recipe() };
    let trained = train_with_pruning(Net::new(), &TASK, &recipe, &mut Gradual { end: 6 }, None, &mut ()).unwrap();
    let best: Vec<usize> = trained.evaluations.iter().filter(|e| e.best).map(|e| e.step).collect();
    assert!(best[0] == 7 && trained.evaluations.len() == STEPS, "{best:?}");
    let gone = finish(trained.best).weights().iter().filter(|weight| **weight == 0.0).count();
    assert_eq!(gone, 36);
}

#[test]
fn a_schedule_longer_than_the_run_is_refused() {
    let error =
        train_with_pruning(Net::new(), &TASK, &recipe(), &mut Gradual { end: STEPS }, None, &mut ()).unwrap_err();
    assert!(matches!(error, FinetuneError::NeverFinal { steps: STEPS }), "{error}");
}
