//! The share of weights that goes.

use crate::PruneError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The share of weights to remove, in [0, 1).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Sparsity(f64);

impl Sparsity {
    /// A checked sparsity.
    ///
    /// # Errors
    /// [`PruneError::InvalidSparsity`] for NaN, negative values, 1 and more.
    pub fn new(value: f64) -> Result<Self, PruneError> {
        let refused = |reason| Err(PruneError::InvalidSparsity { value, reason });
        match value {
            v if v.is_nan() => refused("is not a number"),
            v if v < 0.0 => refused("is negative"),
            1.0 => refused("would remove everything"),
            v if v > 1.0 => refused("is more than everything (write 50 % as 0.5)"),
            v => Ok(Self(v + 0.0)), // -0 becomes 0
        }
    }

    /// The share.
    pub fn value(self) -> f64 {
        self.0
    }

    /// How many of `weights` weights go: ⌊weights · sparsity⌋ in `f64`, as Python's `int(n * s)`.
    pub fn count(self, weights: usize) -> usize {
        (weights as f64 * self.0) as usize
    }
}

impl TryFrom<f64> for Sparsity {
    type Error = PruneError;

    fn try_from(value: f64) -> Result<Self, PruneError> {
        Self::new(value)
    }
}

impl From<Sparsity> for f64 {
    fn from(sparsity: Sparsity) -> f64 {
        sparsity.0
    }
}

impl FromStr for Sparsity {
    type Err = PruneError;

    fn from_str(text: &str) -> Result<Self, PruneError> {
        let value = text.trim().parse();
        Self::new(value.map_err(|_| PruneError::InvalidTarget { text: text.into() })?)
    }
}

impl fmt::Display for Sparsity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_python_does() {
        let count = |s: f64, n| Sparsity::new(s).unwrap().count(n);
        assert_eq!(count(0.3, 10), 3);
        assert_eq!(count(0.7, 10), 7);
        assert_eq!(count(0.29, 100), 28, "int(100 * 0.29) is 28");
        assert_eq!(count(0.0, 10), 0);
        assert_eq!(count(1.0 - f64::EPSILON / 2.0, 10), 9, "something always stays");
    }

    #[test]
    fn refuses_what_is_no_share_and_says_so() {
        for (value, why) in [
            (f64::NAN, "not a number"),
            (-0.1, "negative"),
            (1.0, "everything"),
            (50.0, "0.5"),
            (f64::INFINITY, "more than"),
        ] {
            let message = Sparsity::new(value).unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
        }
        assert!("half".parse::<Sparsity>().unwrap_err().to_string().contains("half"));
        assert!(serde_json::from_str::<Sparsity>("1.5").is_err());
        assert_eq!(serde_json::to_string(&Sparsity::new(0.5).unwrap()).unwrap(), "0.5");
    }
}
