//! Which weights stay.

mod apply;
mod file;
mod keep;
mod layer;
mod sets;
mod summary;

pub use keep::KeepMask;
pub use layer::LayerMask;
pub use summary::LayerSummary;

use crate::PruneError;
use std::collections::BTreeMap;

/// Which weights of a module stay, one bit each, by parameter path. Parameters it does not name are left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask {
    layers: BTreeMap<String, LayerMask>,
}

impl Mask {
    /// The masks of single parameters, by path.
    pub fn layers(&self) -> &BTreeMap<String, LayerMask> {
        &self.layers
    }

    /// The mask of one parameter.
    pub fn get(&self, path: &str) -> Option<&LayerMask> {
        self.layers.get(path)
    }

    /// Weights of all parameters it names.
    pub fn weights(&self) -> usize {
        self.layers.values().map(LayerMask::weights).sum()
    }

    /// Weights that stay.
    pub fn kept(&self) -> usize {
        self.layers.values().map(LayerMask::kept).sum()
    }

    /// Weights that go.
    pub fn removed(&self) -> usize {
        self.weights() - self.kept()
    }

    /// The share of weights that go; 0 of none.
    pub fn sparsity(&self) -> f64 {
        share(self.removed(), self.weights())
    }

    /// Whether every matrix keeps a weight: a layer without any passes nothing on, which is seldom what was meant.
    ///
    /// # Errors
    /// [`PruneError::Emptied`], naming the first that does not.
    pub fn check_none_empty(&self) -> Result<(), PruneError> {
        match self.layers.iter().find(|(_, layer)| layer.kept() == 0 && layer.weights() > 0) {
            None => Ok(()),
            Some((path, layer)) => Err(PruneError::Emptied { path: path.clone(), weights: layer.weights() }),
        }
    }
}

impl FromIterator<(String, LayerMask)> for Mask {
    fn from_iter<I: IntoIterator<Item = (String, LayerMask)>>(layers: I) -> Self {
        Self { layers: layers.into_iter().collect() }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
