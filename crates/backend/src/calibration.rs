//! Calibration block by block: what linear layers read on real text, and compression that goes by it.
//!
//! Methods such as Wanda, SparseGPT and GPTQ need statistics of each linear's inputs. A model is run one block at a time:
//! the block shows its linears' inputs, its weights are compressed, and it is run again, so that the next block sees what
//! the compressed ones give it. In memory are the model, the hidden states of the calibration samples, and one block's
//! statistics. Linears that read the same input share one statistic.

mod hessian;
mod samples;
mod squared_norms;
mod sweep;

pub use hessian::{Hessian, InverseFactor, NotPositiveDefinite};
pub use samples::batches;
pub use squared_norms::SquaredNorms;
pub use sweep::{Place, Sweep};

use crate::{Blocks, HostMatrix, LinearObserver, Selection, TokenTree, replace_weights, weights};
use burn::module::Module;
use burn::tensor::Tensor;
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
    let mut states: Vec<M::State> = samples.iter().map(|sample| model.embed(sample)).collect();
    let mut all = BTreeMap::new();
    for block in 0..model.num_blocks() {
        let mut collector = Collector::new(&selected);
        for state in &mut states {
            *state = model.forward_block(block, state.clone(), &mut collector);
        }
        all.extend(collector.by_path());
        progress(block + 1);
    }
    all
}

/// Compresses the selected weights of every block, in the order in which the model runs them.
///
/// `compress` gets a parameter path, the weight there, `[d_out, d_in]`, and the statistics of its inputs, which come from
/// blocks that are compressed already; it gives the new weight. `progress` hears how many blocks are done.
///
/// # Errors
/// The first of `compress`.
pub fn compress_by_block<M: Module + Blocks, S: Statistic, E>(
    mut model: M,
    samples: &[TokenTree],
    selection: &Selection,
    mut compress: impl FnMut(&str, HostMatrix, &S) -> Result<HostMatrix, E>,
    mut progress: impl FnMut(usize),
) -> Result<M, E> {
    let selected = paths(&model, selection);
    let mut states: Vec<M::State> = samples.iter().map(|sample| model.embed(sample)).collect();
    let blocks = model.num_blocks();
    for block in 0..blocks {
        let mut collector = Collector::new(&selected);
        states.iter().for_each(|state| model.observe_block(block, state.clone(), &mut collector));
        let mut new = BTreeMap::new();
        let statistics = collector.by_path();
        for weight in weights(&model, selection) {
            if let Some(statistic) = statistics.get(&weight.path) {
                let device = weight.value.device();
                let matrix = compress(&weight.path, HostMatrix::from_weight(weight.value), statistic)?;
                new.insert(weight.path, matrix.into_weight(&device));
            }
        }
        model = replace_weights(model, new).0;
        progress(block + 1);
        if block + 1 < blocks {
            states = states.into_iter().map(|state| model.forward_block(block, state, &mut Nobody)).collect();
        }
    }
    Ok(model)
}

fn paths<M: Module>(model: &M, selection: &Selection) -> BTreeSet<String> {
    weights(model, selection).into_iter().map(|weight| weight.path).collect()
}

/// Nobody looks.
struct Nobody;

impl LinearObserver for Nobody {
    fn observe(&mut self, _weights: &[String], _input: &Tensor<2>) {}
}

/// One statistic for each input that a selected linear reads.
struct Collector<'a, S> {
    selected: &'a BTreeSet<String>,
    inputs: Vec<(Vec<String>, S)>,
}

impl<'a, S: Statistic> Collector<'a, S> {
    fn new(selected: &'a BTreeSet<String>) -> Self {
        Self { selected, inputs: Vec::new() }
    }

    fn by_path(self) -> BTreeMap<String, Arc<S>> {
        let shared = self.inputs.into_iter().map(|(paths, statistic)| (paths, Arc::new(statistic)));
        shared.flat_map(|(paths, statistic)| paths.into_iter().map(move |path| (path, statistic.clone()))).collect()
    }
}

impl<S: Statistic> LinearObserver for Collector<'_, S> {
    fn observe(&mut self, weights: &[String], input: &Tensor<2>) {
        if !weights.iter().any(|path| self.selected.contains(path)) {
            return;
        }
        let index = self.inputs.iter().position(|(paths, _)| paths == weights).unwrap_or_else(|| {
            self.inputs.push((weights.to_vec(), S::new(input.dims()[1])));
            self.inputs.len() - 1
        });
        self.inputs[index].1.add(input);
    }
}
