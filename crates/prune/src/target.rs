//! How much goes, and in what structure.

use crate::{BlockShape, NofM, PruneError, Sparsity};
use std::{fmt, str::FromStr};

/// What goes together, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Single weights anywhere within the [`Scope`](crate::Scope).
    Unstructured(Sparsity),
    /// Whole blocks anywhere within the scope: of `n` blocks ⌊n · sparsity⌋ go.
    ///
    /// A block's score is the mean of its weights' scores, not their sum: in the global scope blocks of different layers,
    /// which differ in size where a shape says "all", then compete fairly.
    Blocks {
        /// Outputs × inputs of a block.
        shape: BlockShape,
        /// The share of blocks that goes.
        sparsity: Sparsity,
    },
    /// A fixed number of every few consecutive inputs; the scope plays no part.
    NofM(NofM),
}

impl From<Sparsity> for Target {
    fn from(sparsity: Sparsity) -> Self {
        Self::Unstructured(sparsity)
    }
}

impl From<NofM> for Target {
    fn from(pattern: NofM) -> Self {
        Self::NofM(pattern)
    }
}

impl FromStr for Target {
    type Err = PruneError;

    /// A sparsity, `0.5`, a pattern, `2:4`, or blocks with their sparsity, `4x4@0.5`.
    fn from_str(text: &str) -> Result<Self, PruneError> {
        match text.split_once('@') {
            Some((shape, sparsity)) => Ok(Self::Blocks { shape: shape.trim().parse()?, sparsity: sparsity.parse()? }),
            None if text.contains(':') => text.parse().map(Self::NofM),
            None => text.parse().map(Self::Unstructured),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unstructured(sparsity) => sparsity.fmt(f),
            Self::Blocks { shape, sparsity } => write!(f, "{shape}@{sparsity}"),
            Self::NofM(pattern) => pattern.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sparsities_patterns_and_blocks() {
        for text in ["0.5", "2:4", "4x4@0.5", "1x*@0.25"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["1.0", "4:2", "", "much", "4x4", "4x4@1", "@0.5", "0x4@0.5", "4x4@2:4"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
