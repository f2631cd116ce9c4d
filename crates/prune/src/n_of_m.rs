//! N:M sparsity.

use crate::PruneError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Of every `m` consecutive inputs of an output, the `n` with the smallest scores are **set to zero**.
///
/// This is N:M as the authors of SparseGPT (Frantar and Alistarh 2023) and Wanda (Sun et al. 2023) count it. Of ties the
/// earlier input goes. Others call N what is kept; for 2:4, which NVIDIA GPUs speed up, both say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NofM {
    n: usize,
    m: usize,
}

impl NofM {
    /// `n` of every `m`.
    ///
    /// # Errors
    /// [`PruneError::InvalidPattern`] unless 0 < n < m.
    pub fn new(n: usize, m: usize) -> Result<Self, PruneError> {
        let refused = |reason| Err(PruneError::InvalidPattern { text: format!("{n}:{m}"), reason });
        match (n, m) {
            (_, 0) => refused("has groups of nothing"),
            (0, _) => refused("removes nothing"),
            (n, m) if n == m => refused("removes everything"),
            (n, m) if n > m => refused("removes more than there is"),
            _ => Ok(Self { n, m }),
        }
    }

    /// Removed per group.
    pub fn n(self) -> usize {
        self.n
    }

    /// Inputs per group.
    pub fn m(self) -> usize {
        self.m
    }

    /// The share of weights that goes, n/m.
    pub fn sparsity(self) -> f64 {
        self.n as f64 / self.m as f64
    }
}

impl FromStr for NofM {
    type Err = PruneError;

    fn from_str(text: &str) -> Result<Self, PruneError> {
        let refused = |reason| PruneError::InvalidPattern { text: text.into(), reason };
        let (n, m) = text.split_once(':').ok_or_else(|| refused("has no colon"))?;
        let number = |part: &str| part.trim().parse().map_err(|_| refused("is not two counts"));
        Self::new(number(n)?, number(m)?)
    }
}

impl fmt::Display for NofM {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.n, self.m)
    }
}

impl TryFrom<String> for NofM {
    type Error = PruneError;

    fn try_from(text: String) -> Result<Self, PruneError> {
        text.parse()
    }
}

impl From<NofM> for String {
    fn from(pattern: NofM) -> String {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let pattern: NofM = "2:4".parse().unwrap();
        assert_eq!((pattern.n(), pattern.m(), pattern.sparsity()), (2, 4, 0.5));
        assert_eq!(pattern.to_string(), "2:4");
        assert_eq!(serde_json::from_str::<NofM>("\"4:8\"").unwrap().to_string(), "4:8");
    }

    #[test]
    fn refuses_what_is_no_pattern_and_says_why() {
        for (text, why) in [
            ("4:2", "more than there is"),
            ("4:4", "removes everything"),
            ("0:4", "removes nothing"),
            ("0:0", "groups of nothing"),
            ("2", "no colon"),
            ("a:4", "two counts"),
            ("-1:4", "two counts"),
            ("2:4:8", "two counts"),
        ] {
            let message = text.parse::<NofM>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains(text), "{message}");
        }
    }
}
