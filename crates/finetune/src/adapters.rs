//! Low-rank adapters: few weights that train beside a base that does not.

mod attach;
mod codes;
mod dora;
mod merge;
pub mod peft;

pub use attach::{attach, attach_on};
pub use codes::{FrozenMatrices, FrozenMatrix, OnCodes, on_codes};
pub use dora::DoraAdapter;
pub use merge::{Merge, Merged, merge};

use crate::FinetuneError;
use burn::module::{ParamGroup, ParamGroupError};
use serde::{Deserialize, Serialize};

/// Which adapters go where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AdapterConfig {
    /// Columns of A and rows of B.
    pub rank: usize,
    /// The update is A·B · alpha / rank.
    pub alpha: f64,
    /// Alpha over the root of the rank instead (rank-stabilized LoRA, Kalajdzievski 2023).
    pub rank_stabilized: bool,
    /// Magnitudes that train beside directions (DoRA, Liu et al. 2024).
    pub dora: bool,
    /// Regular expressions of the matrices that get one, by parameter path.
    pub targets: Vec<String>,
    /// Regular expressions of parameters that train as a whole, such as a new head.
    pub trained_whole: Vec<String>,
}

impl Default for AdapterConfig {
    /// Queries and values, as in LoRA's paper (Hu et al. 2021), and heads.
    fn default() -> Self {
        let words = |words: [&str; 2]| words.map(str::to_owned).to_vec();
        Self {
            rank: 8,
            alpha: 16.0,
            rank_stabilized: false,
            dora: false,
            targets: words([r"\b(query|q_proj)\.weight$", r"\b(value|v_proj)\.weight$"]),
            trained_whole: words([r"^classifier\.", r"^score\."]),
        }
    }
}

impl AdapterConfig {
    /// What the product of the factors is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.rank_stabilized { rank.sqrt() } else { rank }
    }

    fn groups(&self) -> Result<[ParamGroup; 2], FinetuneError> {
        if self.rank == 0 {
            return Err(FinetuneError::Recipe { field: "adapter rank", expected: "at least 1" });
        }
        let group = |patterns: &[String]| {
            let wrong = |ParamGroupError::InvalidPatternError(problem)| FinetuneError::Pattern {
                problem: problem.split_whitespace().collect::<Vec<_>>().join(" "),
            };
            // A group of no patterns would match everything.
            let patterns = if patterns.is_empty() { vec!["$^".to_owned()] } else { patterns.to_vec() };
            ParamGroup::from_any_regexes(patterns).map_err(wrong)
        };
        Ok([group(&self.targets)?, group(&self.trained_whole)?])
    }
}

/// A part of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Factor {
    A,
    B,
    Magnitude,
}

impl Factor {
    fn peft(self) -> &'static str {
        match self {
            Self::A => "lora_A.weight",
            Self::B => "lora_B.weight",
            Self::Magnitude => "lora_magnitude_vector",
        }
    }
}

/// The weight that a parameter is part of an adapter of.
pub(crate) fn factor(path: &str) -> Option<(&str, Factor)> {
    let (adapter, factor) = path.rsplit_once('.')?;
    let weight = [".lora", ".dora", ".quantized.adapter"].into_iter().find_map(|name| adapter.strip_suffix(name))?;
    let factor = match factor {
        "a" => Factor::A,
        "b" => Factor::B,
        "magnitude" => Factor::Magnitude,
        _ => return None,
    };
    Some((weight, factor))
}
