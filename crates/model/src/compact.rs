//! Weights that stay as small in memory as in their file.

use burn::module::{Module, Param, Reparameterization, Reparameterizer};
use burn::nn::{Embedding, Linear};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a table that a product takes at a time: enough to keep all cores busy, few enough to be small beside the table.
const TILE: usize = 4096;

/// A matrix `[rows, columns]`, PyTorch's layout, in few bits.
pub trait CompactMatrix: Debug + Send + Sync {
    /// Rows and columns.
    fn shape(&self) -> [usize; 2];

    /// Bytes in memory.
    fn bytes(&self) -> usize;

    /// The weights of a row into as many places.
    fn read_row(&self, row: usize, values: &mut [f32]);

    /// The weights of some rows, one after another.
    fn read_rows(&self, rows: Range<usize>) -> Vec<f32> {
        let columns = self.shape()[1].max(1);
        let mut values = vec![0.0; rows.len() * columns];
        let each = values.par_chunks_mut(columns).with_min_len(16).zip(rows.into_par_iter());
        each.for_each(|(values, row)| self.read_row(row, values));
        values
    }
}

/// The weight of a [`CompactMatrix`], computed anew each time it is used and forgotten after that: a pass over many tokens
/// spends little of its time on it, and in memory is one layer's weight beside the compact ones.
#[derive(Module, Debug)]
pub struct CompactWeight {
    #[module(skip)]
    matrix: Arc<dyn CompactMatrix>,
    /// Whether the parameter is Burn's `[d_in, d_out]` of a linear.
    #[module(skip)]
    transposed: bool,
}

impl CompactWeight {
    pub(crate) fn new(matrix: Arc<dyn CompactMatrix>, transposed: bool) -> Self {
        Self { matrix, transposed }
    }
}

impl Reparameterization for CompactWeight {
    const NAME: &'static str = "compact";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let weight = tensor(self.matrix.as_ref(), 0..self.matrix.shape()[0], &base.device());
        let weight = if self.transposed { weight.transpose() } else { weight };
        // Attached to matrices alone.
        Tensor::from_bridge(weight.into_bridge())
    }
}

fn tensor(matrix: &dyn CompactMatrix, rows: Range<usize>, device: &Device) -> Tensor<2> {
    let shape = [rows.len(), matrix.shape()[1]];
    Tensor::from_data(TensorData::new(matrix.read_rows(rows), shape), (device, DType::F32))
}

/// Attaches compact weights, by parameter path, where placeholders are.
pub(crate) struct Attach {
    pub(crate) weights: BTreeMap<String, CompactWeight>,
}

impl Reparameterizer for Attach {
    type Reparam = CompactWeight;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<CompactWeight>) {
        (param, self.weights.remove(path))
    }
}

/// The rows of an embedding table, `[tokens, d]`.
pub(crate) fn embed(table: &Embedding, tokens: &[u32], device: &Device) -> Tensor<2> {
    let Some(compact) = table.weight.reparameterization::<CompactWeight>() else {
        let ids: Vec<i64> = tokens.iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::from_data(TensorData::new(ids, [1, tokens.len()]), device);
        return table.forward(ids).squeeze_dim(0);
    };
    let width = compact.matrix.shape()[1];
    let mut values = vec![0.0; tokens.len() * width];
    for (&token, values) in tokens.iter().zip(values.chunks_mut(width)) {
        compact.matrix.read_row(token as usize, values);
    }
    Tensor::from_data(TensorData::new(values, [tokens.len(), width]), (device, DType::F32))
}

/// The product with the transpose of an embedding table: `[n, d]` → `[n, rows]`.
pub(crate) fn unembed(hidden: Tensor<2>, table: &Embedding) -> Tensor<2> {
    match table.weight.reparameterization::<CompactWeight>() {
        Some(compact) => by_tiles(&hidden, compact.matrix.as_ref()),
        None => hidden.matmul(table.weight.val().transpose()),
    }
}

/// A linear whose weight is larger than any other.
pub(crate) fn wide_linear(hidden: Tensor<2>, linear: &Linear) -> Tensor<2> {
    match (linear.weight.reparameterization::<CompactWeight>(), &linear.bias) {
        (Some(compact), None) => by_tiles(&hidden, compact.matrix.as_ref()),
        _ => linear.forward(hidden),
    }
}

fn by_tiles(hidden: &Tensor<2>, matrix: &dyn CompactMatrix) -> Tensor<2> {
    let [rows, _] = matrix.shape();
    let device = hidden.device();
    let tiles = (0..rows).step_by(TILE).map(|start| {
        let tile = tensor(matrix, start..(start + TILE).min(rows), &device);
        hidden.clone().matmul(tile.transpose())
    });
    Tensor::cat(tiles.collect(), 1)
}
