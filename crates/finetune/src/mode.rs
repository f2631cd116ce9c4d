//! What may move.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The three ways to train after pruning of the Junk DNA Hypothesis (Yin et al. 2024, arXiv 2310.02277).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Sparse transfer: pruned weights are zero and stay zero.
    Sparse,
    /// Dense transfer with freezing: pruned weights keep their pre-trained value, the others train.
    DenseFrozen,
    /// Pruned weights start at zero and are free to regrow.
    SparseToDense,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sparse, Self::DenseFrozen, Self::SparseToDense];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sparse => "sparse",
            Self::DenseFrozen => "dense-frozen",
            Self::SparseToDense => "sparse-to-dense",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
