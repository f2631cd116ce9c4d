//! A small module with all that a selection must tell apart.
#![allow(dead_code, missing_docs)]

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::{HostMatrix, Selection, weights};
use junkdna_prune::{Mask, Sparsity};
use std::collections::BTreeMap;

#[derive(Module, Debug)]
pub struct Net {
    pub embedding: Embedding,
    pub norm: LayerNorm,
    pub layers: Vec<Linear>,
}

/// Rows of a weight, `[d_out, d_in]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    pub d_out: usize,
    pub d_in: usize,
    pub values: Vec<f32>,
}

impl Rows {
    pub fn new(d_out: usize, d_in: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), d_out * d_in);
        Self { d_out, d_in, values }
    }

    /// Like a trained weight: continuous, of both signs; hardly any ties.
    pub fn noise(d_out: usize, d_in: usize, seed: u64) -> Self {
        let draw = |i| f64::from(junkdna_backend::Seed(seed).draw(i)) / f64::from(u32::MAX) - 0.5;
        let value = |i| (draw(3 * i) + draw(3 * i + 1) + draw(3 * i + 2)) as f32;
        Self::new(d_out, d_in, (0..(d_out * d_in) as u64).map(value).collect())
    }
}

pub fn net_on(device: &Device, layers: &[Rows]) -> Net {
    let linear = |rows: &Rows| {
        let data = TensorData::new(rows.values.clone(), [rows.d_out, rows.d_in]);
        let weight = Tensor::<2>::from_data(data, device).transpose();
        Linear {
            weight: Param::from_tensor(weight),
            bias: Some(Param::from_tensor(Tensor::zeros([rows.d_out], device))),
        }
    };
    Net {
        embedding: EmbeddingConfig::new(5, 4).init(device),
        norm: LayerNormConfig::new(4).init(device),
        layers: layers.iter().map(linear).collect(),
    }
}

pub fn net(layers: &[Rows]) -> Net {
    net_on(&Device::flex(), layers)
}

/// The layers of a net as they are now.
pub fn rows(net: &Net) -> Vec<Rows> {
    let of = |linear: &Linear| {
        let matrix = HostMatrix::from_weight(linear.weight.val());
        Rows::new(matrix.d_out(), matrix.d_in(), matrix.as_slice().to_vec())
    };
    net.layers.iter().map(of).collect()
}

/// The bits of all matrices of a module, embeddings included.
pub fn bits<M: Module>(module: &M) -> BTreeMap<String, Vec<u32>> {
    let all = Selection { embeddings: true, ..Selection::default() };
    let bits = |w: junkdna_backend::Weight| {
        (w.path, HostMatrix::from_weight(w.value).as_slice().iter().map(|v| v.to_bits()).collect())
    };
    weights(module, &all).into_iter().map(bits).collect()
}

/// The path of a layer's weight.
pub fn path(layer: usize) -> String {
    format!("layers.{layer}.weight")
}

/// Who goes, in `[layer][flat]`.
pub fn gone(mask: &Mask, layers: &[Rows]) -> Vec<Vec<bool>> {
    let of = |(l, rows): (usize, &Rows)| {
        let mask = mask.get(&path(l)).unwrap();
        (0..rows.values.len()).map(|i| !mask.keeps(i / rows.d_in, i % rows.d_in)).collect()
    };
    layers.iter().enumerate().map(of).collect()
}

pub fn sparsity(value: f64) -> Sparsity {
    Sparsity::new(value).unwrap()
}
