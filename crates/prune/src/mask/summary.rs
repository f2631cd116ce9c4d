//! Masks as tables.

use super::{LayerMask, Mask, share};
use serde::Serialize;

/// One line of a table of a mask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// The parameter.
    pub path: String,
    /// Outputs.
    pub d_out: usize,
    /// Inputs.
    pub d_in: usize,
    /// All weights.
    pub weights: usize,
    /// Those that go.
    pub removed: usize,
}

impl LayerSummary {
    /// The share of weights that go; 0 of none.
    pub fn sparsity(&self) -> f64 {
        share(self.removed, self.weights)
    }
}

impl Mask {
    /// One line per parameter, layer 2 before layer 10.
    pub fn summary(&self) -> Vec<LayerSummary> {
        let mut lines: Vec<_> = self.layers.iter().map(|(path, layer)| line(path, layer)).collect();
        lines.sort_by_cached_key(|line| numbered(&line.path));
        lines
    }
}

fn line(path: &str, layer: &LayerMask) -> LayerSummary {
    let ([d_out, d_in], weights, removed) = (layer.shape(), layer.weights(), layer.removed());
    LayerSummary { path: path.into(), d_out, d_in, weights, removed }
}

/// The parts of a path, numbers as such.
fn numbered(path: &str) -> Vec<Result<u64, String>> {
    path.split('.').map(|part| part.parse().map_err(|_| part.into())).collect()
}
