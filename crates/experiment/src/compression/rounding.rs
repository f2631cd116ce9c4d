//! Survivors of pruning rounded on the way: SparseGPT with the grids of quantization.

use junkdna_backend::HostMatrix;
use junkdna_prune::{PruneError, Round, Rounding, WeightRef};
use junkdna_quant::{Grids, MinMax, Scheme};

/// Rounds what SparseGPT keeps to grids that are set by the weights before pruning, so that the inputs behind make up for
/// both (Frantar and Alistarh 2023, section 3.4).
#[derive(Debug, Clone, Copy)]
pub struct GridRounding {
    /// The codes.
    pub scheme: Scheme,
}

impl Rounding for GridRounding {
    fn prepare<'a>(&'a self, weight: &WeightRef<'_>) -> Result<Round<'a>, PruneError> {
        let matrix = HostMatrix::new(weight.values.to_vec(), weight.d_out, weight.d_in);
        let grids = Grids::of(&matrix, self.scheme, &MinMax)
            .map_err(|error| PruneError::Rounding { path: weight.path.into(), reason: error.to_string() })?;
        Ok(Box::new(move |output, input, value| grids.at(output, input).round(value)))
    }
}
