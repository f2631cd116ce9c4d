//! Weights of equal score at the border.

use crate::{PruneError, Sparsity};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What happens to weights whose score equals that of the last one to go. Quantized checkpoints have many.
///
/// Either way masks depend on the weights alone, and a mask at a higher sparsity contains that at a lower one. N:M has no
/// border to tie at: it always removes exactly N.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// The first in the module go, until the count is exact: ⌊weights · sparsity⌋.
    #[default]
    Exact,
    /// All go, as published implementations compare: whatever is at most the score at rank ⌊weights · sparsity⌋, counted
    /// from 0, so one weight more than [`Ties::Exact`] and further ones where scores repeat; everything where all are equal.
    All,
}

impl Ties {
    /// How many of `weights` weights go, ties with the last not counted.
    pub(crate) fn count(self, sparsity: Sparsity, weights: usize) -> usize {
        match (self, sparsity.count(weights)) {
            (Self::All, count) if count > 0 => count + 1,
            (_, count) => count,
        }
    }
}

impl FromStr for Ties {
    type Err = PruneError;

    fn from_str(text: &str) -> Result<Self, PruneError> {
        match text {
            "exact" => Ok(Self::Exact),
            "all" => Ok(Self::All),
            _ => Err(PruneError::InvalidTies { text: text.into() }),
        }
    }
}

impl fmt::Display for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::All => "all",
        })
    }
}
