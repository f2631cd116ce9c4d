//! Allocations by name.

use burn::module::{ParamGroup, ParamGroupError};
use junkdna_prune::{Owl, PruneError, Sparsity};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How an overall sparsity is handed out to the weight matrices: [`junkdna_prune::Allocation`] as text.
///
/// `uniform`; `erdos-renyi`; `owl`, or `owl:M:LIMIT` with the bar of outliers and how far layers may lie from the overall
/// sparsity; or `REGEX=SPARSITY,…`, where the first expression that a parameter path matches counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Allocation {
    /// The same everywhere.
    #[default]
    Uniform,
    /// Large matrices lose more.
    ErdosRenyi,
    /// Blocks with outliers lose less.
    Owl(Owl),
    /// As given.
    ByPath(Vec<(String, Sparsity)>),
}

impl Allocation {
    /// Whether it hands out the same everywhere.
    pub fn is_uniform(&self) -> bool {
        *self == Self::Uniform
    }

    pub(super) fn to_prune(&self) -> Result<junkdna_prune::Allocation, PruneError> {
        Ok(match self {
            Self::Uniform => junkdna_prune::Allocation::Uniform,
            Self::ErdosRenyi => junkdna_prune::Allocation::ErdosRenyi,
            Self::Owl(owl) => junkdna_prune::Allocation::Owl(*owl),
            Self::ByPath(rules) => {
                let rule = |(regex, sparsity): &(String, Sparsity)| {
                    let wrong = |reason| PruneError::InvalidAllocation { allocation: "by path", reason };
                    Ok((group(regex).map_err(wrong)?, *sparsity))
                };
                junkdna_prune::Allocation::ByPath(rules.iter().map(rule).collect::<Result<_, PruneError>>()?)
            }
        })
    }
}

impl FromStr for Allocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "uniform" => Ok(Self::Uniform),
            "erdos-renyi" | "erk" => Ok(Self::ErdosRenyi),
            "owl" => Ok(Self::Owl(Owl::default())),
            _ if text.starts_with("owl:") => owl(text),
            _ if text.contains('=') => text.split(',').map(rule).collect::<Result<_, _>>().map(Self::ByPath),
            _ => Err(format!("unknown allocation `{text}`: use uniform, erdos-renyi, owl or REGEX=SPARSITY,...")),
        }
    }
}

fn owl(text: &str) -> Result<Allocation, String> {
    let wrong = || format!("`{text}` is not owl:M:LIMIT, such as owl:5:0.08");
    let [_, threshold, limit] = text.split(':').collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
    Owl::new(number(threshold)?, number(limit)?).map(Allocation::Owl).map_err(|error| error.to_string())
}

fn rule(text: &str) -> Result<(String, Sparsity), String> {
    let (regex, sparsity) = text.rsplit_once('=').ok_or_else(|| format!("`{text}` is not REGEX=SPARSITY"))?;
    let sparsity = sparsity.trim().parse::<Sparsity>().map_err(|error| format!("`{text}`: {error}"))?;
    group(regex.trim())?;
    Ok((regex.trim().to_owned(), sparsity))
}

fn group(regex: &str) -> Result<ParamGroup, String> {
    let wrong = |ParamGroupError::InvalidPatternError(problem)| problem.replace('\n', " ");
    ParamGroup::from_regex(regex).map_err(wrong)
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::ErdosRenyi => f.write_str("erdos-renyi"),
            Self::Owl(owl) if *owl == Owl::default() => f.write_str("owl"),
            Self::Owl(owl) => write!(f, "owl:{}:{}", owl.threshold(), owl.limit()),
            Self::ByPath(rules) => {
                let rules: Vec<String> = rules.iter().map(|(regex, sparsity)| format!("{regex}={sparsity}")).collect();
                f.write_str(&rules.join(","))
            }
        }
    }
}

impl TryFrom<String> for Allocation {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Allocation> for String {
    fn from(allocation: Allocation) -> Self {
        allocation.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_what_they_print() {
        for text in ["uniform", "erdos-renyi", "owl", "owl:7:0.1", "mlp=0.7,self_attn=0.3"] {
            assert_eq!(text.parse::<Allocation>().unwrap().to_string(), text);
        }
        for text in ["", "some", "owl:5", "owl:0:0.1", "mlp=1.5", "mlp=", "(=0.5"] {
            assert!(text.parse::<Allocation>().is_err(), "{text}");
        }
    }
}
