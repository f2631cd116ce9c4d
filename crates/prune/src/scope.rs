//! What competes.

use crate::PruneError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Which weights are ranked against one another when single weights are removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All selected weights of the module, as in the Junk DNA Hypothesis: layers may end up at different sparsities.
    #[default]
    Global,
    /// The weights of one matrix.
    Layer,
    /// The weights of one output, as in Wanda.
    Row,
}

impl FromStr for Scope {
    type Err = PruneError;

    fn from_str(text: &str) -> Result<Self, PruneError> {
        match text {
            "global" => Ok(Self::Global),
            "layer" => Ok(Self::Layer),
            "row" => Ok(Self::Row),
            _ => Err(PruneError::InvalidScope { text: text.into() }),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "global",
            Self::Layer => "layer",
            Self::Row => "row",
        })
    }
}
