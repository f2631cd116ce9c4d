//! Calibration block by block: what linear layers read on real text, and compression that goes by it.
//!
//! Methods such as Wanda, SparseGPT and GPTQ need statistics of each linear's inputs. A model is run one block at a time:
//! the block shows its linears' inputs, its weights are compressed, and it is run again, so that the next block sees what
//! the compressed ones give it. In memory are the model, the hidden states of the calibration samples, and one block's
//! statistics. Linears that read the same input share one statistic.

mod gram;
mod hessian;
mod quadratic_form;
mod samples;
mod squared_norms;
mod sweep;

pub use hessian::{Hessian, InverseFactor, NotPositiveDefinite};
pub use quadratic_form::QuadraticForm;
pub use samples::batches;
pub use squared_norms::SquaredNorms;
pub use sweep::{Place, Sweep};

use crate::{
    Blocks, HostMatrix, LinearObserver, Selection, TokenTree, cores, device_of, each_on_a_core, replace_weights,
    weights,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a method keeps of a linear's inputs; it grows by a batch of tokens at a time.
pub trait Statistic: Send + Sync {
    /// Of no tokens yet.
    fn new(d_in: usize) -> Self;

    /// Adds the inputs of some tokens, `[tokens, d_in]`.
    fn add(&mut self, input: &Tensor<2>);
}

/// Statistics of the inputs of the selected linears of every block, by parameter path; the model stays as it is.
///
/// Memory is one statistic for each input of the model: right for [`SquaredNorms`], too much for [`Hessian`].
pub fn observe<M: Module + Blocks, S: Statistic>(
    model: &M,
    samples: &[TokenTree],
    selection: &Selection,
    mut progress: impl FnMut(usize),
) -> BTreeMap<String, Arc<S>> {
    let selected = paths(model, selection);
    let device = device_of(model);
    let mut states = embed(model, samples);
    let mut all = BTreeMap::new();
    for block in 0..model.num_blocks() {
        all.extend(by_path(collect(&device, &mut states, &selected, |state, observer| {
            *state = model.forward_block(block, state.clone(), observer);
        })));
        progress(block + 1);
    }
    all
}

/// What is compressed before more inputs are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// A block: its linears' inputs are those of the block as it was, as SparseGPT and Wanda were published. Each block runs
    /// twice.
    #[default]
    Block,
    /// The linears that share an input, so that those behind them in the block see it too; GPTQ's authors call that true
    /// sequential. Each block runs once; where a model does not tell stages apart it is as [`Order::Block`].
    TrueSequential,
}

/// Compresses the selected weights of every block in the order in which the model runs them, as many at once as `order` says.
///
/// `compress` gets a parameter path, the weight there, `[d_out, d_in]`, and the statistics of its inputs, which come from
/// blocks that are compressed already; it gives the new weight, and whatever is to be kept about it by parameter path.
/// `progress` hears how many blocks are done.
///
/// # Errors
/// The first of `compress`.
pub fn compress_by_block<M: Module + Blocks, S: Statistic, T: Send, E: Send>(
    model: M,
    samples: &[TokenTree],
    selection: &Selection,
    order: Order,
    compress: impl Fn(&str, HostMatrix, &S) -> Result<(HostMatrix, T), E> + Sync,
    mut progress: impl FnMut(usize),
) -> Result<(M, Vec<(String, T)>), E> {
    let mut kept = Vec::new();
    let step = |model: M, _block, statistics: Vec<(Vec<String>, S)>| {
        let statistics = by_path(statistics);
        let here = weights(&model, selection).into_iter().filter(|weight| statistics.contains_key(&weight.path));
        let compressed = here.collect::<Vec<_>>().into_par_iter().map(|weight| {
            let device = weight.value.device();
            let (matrix, about) =
                compress(&weight.path, HostMatrix::from_weight(weight.value), &statistics[&weight.path])?;
            Ok((weight.path, matrix.into_weight(&device), about))
        });
        let mut new = BTreeMap::new();
        for result in compressed.collect::<Vec<_>>() {
            let (path, weight, about) = result?;
            new.insert(path.clone(), weight);
            kept.push((path, about));
        }
        Ok(replace_weights(model, new).0)
    };
    let model = change_by_block(model, samples, selection, order, step, &mut progress)?;
    Ok((model, kept))
}

/// Changes a model one block after another, in the order in which it runs them: `change` gets the model, which block is due,
/// and for each input that selected linears of the block read the parameter paths of all linears that read it, with the
/// statistics of that input, which come from blocks that are changed already; with [`Order::TrueSequential`] it gets one such
/// input after another.
///
/// `progress` hears how many blocks are done.
///
/// # Errors
/// The first of `change`.
pub fn change_by_block<M: Module + Blocks, S: Statistic, E>(
    mut model: M,
    samples: &[TokenTree],
    selection: &Selection,
    order: Order,
    mut change: impl FnMut(M, usize, Vec<(Vec<String>, S)>) -> Result<M, E>,
    mut progress: impl FnMut(usize),
) -> Result<M, E> {
    let selected = paths(&model, selection);
    let device = device_of(&model);
    let mut states = embed(&model, samples);
    let blocks = model.num_blocks();
    for block in 0..blocks {
        let stages = match order {
            Order::Block => 1,
            Order::TrueSequential => model.num_stages(block),
        };
        for stage in 0..stages {
            let statistics = collect(&device, &mut states, &selected, |state, observer| match stages {
                1 => model.observe_block(block, state.clone(), observer),
                _ => model.observe_stage(block, stage, state.clone(), observer),
            });
            model = change(model, block, statistics)?;
            if block + 1 < blocks || stage + 1 < stages {
                let forward = |state| match stages {
                    1 => model.forward_block(block, state, &mut Nobody),
                    _ => model.forward_stage(block, stage, state, &mut Nobody),
                };
                states = each_on_a_core(&device, states, forward);
            }
        }
        progress(block + 1);
    }
    Ok(model)
}

fn paths<M: Module>(model: &M, selection: &Selection) -> BTreeSet<String> {
    weights(model, selection).into_iter().map(|weight| weight.path).collect()
}

fn embed<M: Blocks>(model: &M, samples: &[TokenTree]) -> Vec<M::State> {
    samples.par_iter().map(|sample| model.embed(sample)).collect()
}

/// Nobody looks.
struct Nobody;

impl LinearObserver for Nobody {
    fn observe(&mut self, _weights: &[String], _input: &Tensor<2>) {}
}

/// An input of one batch, and the paths of the weights that read it.
type Input = (Vec<String>, Tensor<2>);

/// The inputs of selected linears in one batch.
struct Recorder<'a> {
    selected: &'a BTreeSet<String>,
    inputs: Vec<Input>,
}

impl LinearObserver for Recorder<'_> {
    fn observe(&mut self, weights: &[String], input: &Tensor<2>) {
        if weights.iter().any(|path| self.selected.contains(path)) {
            self.inputs.push((weights.to_vec(), input.clone()));
        }
    }
}

/// One statistic for each input that selected linears read while `run` takes every state through a block.
///
/// As many batches as there are [`cores`] run at once. Their inputs are added in the order of the batches, so that sums do not
/// depend on the number of cores.
fn collect<T: Send + Sync, S: Statistic>(
    device: &Device,
    states: &mut [T],
    selected: &BTreeSet<String>,
    run: impl Fn(&mut T, &mut dyn LinearObserver) + Sync,
) -> Vec<(Vec<String>, S)> {
    let mut statistics = Statistics(Vec::new());
    for batches in states.chunks_mut(cores(device)) {
        let record = |state: &mut T| {
            let mut recorder = Recorder { selected, inputs: Vec::new() };
            run(state, &mut recorder);
            recorder.inputs
        };
        statistics.add(each_on_a_core(device, batches.iter_mut().collect(), record).concat());
    }
    statistics.0
}

/// One statistic for each input.
struct Statistics<S>(Vec<(Vec<String>, S)>);

impl<S: Statistic> Statistics<S> {
    fn add(&mut self, inputs: Vec<Input>) {
        for (paths, input) in &inputs {
            if !self.0.iter().any(|(known, _)| known == paths) {
                self.0.push((paths.clone(), S::new(input.dims()[1])));
            }
        }
        self.0.par_iter_mut().for_each(|(paths, statistic)| {
            inputs.iter().filter(|(of, _)| of == paths).for_each(|(_, input)| statistic.add(input));
        });
    }
}

fn by_path<S>(statistics: Vec<(Vec<String>, S)>) -> BTreeMap<String, Arc<S>> {
    let shared = statistics.into_iter().map(|(paths, statistic)| (paths, Arc::new(statistic)));
    shared.flat_map(|(paths, statistic)| paths.into_iter().map(move |path| (path, statistic.clone()))).collect()
}
