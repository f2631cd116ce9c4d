//! How much goes, and in what structure.

use crate::{NofM, PruneError, Sparsity};
use std::{fmt, str::FromStr};

/// What goes together, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Single weights anywhere within the [`Scope`](crate::Scope).
    Unstructured(Sparsity),
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

    /// A sparsity, `0.5`, or a pattern, `2:4`.
    fn from_str(text: &str) -> Result<Self, PruneError> {
        if text.contains(':') { text.parse().map(Self::NofM) } else { text.parse().map(Self::Unstructured) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unstructured(sparsity) => sparsity.fmt(f),
            Self::NofM(pattern) => pattern.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sparsities_and_patterns() {
        for text in ["0.5", "2:4"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["1.0", "4:2", "", "much"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
