use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Outcomes, StatsError};

/// Which kind of compression a result belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Small magnitudes pruned; the claims are about this.
    Magnitude,
    /// As many weights pruned at random: the control.
    Random,
    /// Fewer bits: the contrast.
    Quantization,
    /// Any other, by name; judged like pruning by magnitude.
    Other(String),
}

/// One compressed model and all it answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compression {
    /// Unique name, e.g. "magnitude 0.5".
    pub name: String,
    /// Its kind.
    pub series: Series,
    /// Rises with compression within a series: sparsity for pruning, bits removed for quantization. Compressions of
    /// equal strength (seeds) are averaged.
    pub strength: f64,
    /// One entry per variant of the study; items in any order.
    pub outcomes: Vec<Outcomes>,
}

/// The variants of one family, easiest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyLevels {
    /// Name of the family.
    pub family: String,
    /// Names of its variants by rising difficulty; items are paired over levels by id.
    pub variants: Vec<String>,
}

/// A pruned and a quantized model of comparable size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeMatch {
    /// Name of the pruned compression.
    pub pruned: String,
    /// Name of the quantized compression.
    pub quantized: String,
}

/// The dense model that a compressed one is compared with: where models are trained, the dense one trained on the same
/// examples, as long and from the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Name of the compression.
    pub compression: String,
    /// One entry per variant of the study.
    pub dense: Vec<Outcomes>,
}

/// A pruned model before it is trained on the task, and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Name of the compression without training: what those weights are worth to the trained dense model.
    pub before: String,
    /// Name of the compression that was trained.
    pub after: String,
}

/// One model, dense and under several compressions, on graded tasks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Study {
    /// The graded families.
    pub families: Vec<FamilyLevels>,
    /// Answers of the dense model, one entry per variant of `families`.
    pub dense: Vec<Outcomes>,
    /// The compressed models.
    pub compressions: Vec<Compression>,
    /// Pairs of equal effective bits; empty where there is none.
    pub matches: Vec<SizeMatch>,
    /// Dense models that single compressed ones are compared with instead of `dense`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<Baseline>,
    /// Pruned models before and after training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
}

impl Study {
    /// Checks names, references, pairing and numbers, so that every message names its place.
    ///
    /// # Errors
    /// [`StatsError`] for the first thing that is empty, repeated, missing, unpaired or not finite.
    pub fn check(&self) -> Result<(), StatsError> {
        if self.families.is_empty() {
            return Err(StatsError::Empty { what: "list of families".to_owned() });
        }
        unique("study", self.families.iter().map(|f| f.family.as_str()))?;
        unique("study", self.variants())?;
        unique("study", self.compressions.iter().map(|c| c.name.as_str()))?;
        unique("dense model", self.dense.iter().map(|o| o.variant.as_str()))?;
        for compression in &self.compressions {
            self.check_compression(compression)?;
        }
        for variant in self.variants() {
            self.dense_outcomes(variant)?.check()?;
        }
        let mut matches = self.matches.iter();
        matches.try_for_each(|pair| self.check_match(pair))?;
        unique("list of baselines", self.baselines.iter().map(|baseline| baseline.compression.as_str()))?;
        self.baselines.iter().try_for_each(|baseline| self.check_baseline(baseline))?;
        self.repairs.iter().try_for_each(|repair| self.check_repair(repair))
    }

    fn check_baseline(&self, baseline: &Baseline) -> Result<(), StatsError> {
        self.compression(&baseline.compression)?;
        let what = format!("dense model of {}", baseline.compression);
        for variant in self.variants() {
            crate::measure::pair(self.dense_outcomes(variant)?, find(&what, &baseline.dense, variant)?)?;
        }
        Ok(())
    }

    fn check_repair(&self, repair: &Repair) -> Result<(), StatsError> {
        let (before, after) = (self.compression(&repair.before)?, self.compression(&repair.after)?);
        if before.strength == after.strength {
            return Ok(());
        }
        Err(StatsError::Missing {
            what: format!("repair of {}", repair.before),
            name: format!("trained model of strength {}: {} is of {}", before.strength, repair.after, after.strength),
        })
    }

    fn check_match(&self, pair: &SizeMatch) -> Result<(), StatsError> {
        for (name, quantized) in [(&pair.pruned, false), (&pair.quantized, true)] {
            let series = &self.compression(name)?.series;
            if (*series == Series::Quantization) != quantized {
                let kind = if quantized { "quantized" } else { "pruned" };
                return Err(StatsError::Missing {
                    what: format!("match of {} and {}", pair.pruned, pair.quantized),
                    name: format!("{kind} model: {name} is of series {series:?}"),
                });
            }
        }
        Ok(())
    }

    fn check_compression(&self, compression: &Compression) -> Result<(), StatsError> {
        let what = &compression.name;
        StatsError::finite(&format!("strength of {what}"), compression.strength)?;
        unique(what, compression.outcomes.iter().map(|o| o.variant.as_str()))?;
        for variant in self.variants() {
            let outcomes = find(what, &compression.outcomes, variant)?;
            crate::measure::pair(self.dense_outcomes(variant)?, outcomes).map_err(|error| match error {
                StatsError::NotPaired { left, right, id } => {
                    StatsError::NotPaired { left, right: format!("{right} under {what}"), id }
                }
                other => other,
            })?;
        }
        Ok(())
    }

    fn variants(&self) -> impl Iterator<Item = &str> {
        let variants = self.families.iter().flat_map(|family| &family.variants);
        variants.map(String::as_str)
    }

    pub(crate) fn dense_outcomes(&self, variant: &str) -> Result<&Outcomes, StatsError> {
        find("dense model", &self.dense, variant)
    }

    /// The dense outcomes that those of a compression are compared with, in whatever order.
    pub(crate) fn baseline(&self, compression: &str, variant: &str) -> Result<&Outcomes, StatsError> {
        match self.baselines.iter().find(|baseline| baseline.compression == compression) {
            Some(baseline) => find(&baseline.compression, &baseline.dense, variant),
            None => self.dense_outcomes(variant),
        }
    }

    pub(crate) fn compression(&self, name: &str) -> Result<&Compression, StatsError> {
        let mut compressions = self.compressions.iter();
        compressions
            .find(|compression| compression.name == name)
            .ok_or_else(|| StatsError::Missing { what: "study".to_owned(), name: format!("compression {name}") })
    }

    /// The compressions of a series, weakest first.
    pub(crate) fn series(&self, series: &Series) -> Vec<&Compression> {
        let mut found: Vec<_> = self.compressions.iter().filter(|compression| compression.series == *series).collect();
        found.sort_by(|a, b| a.strength.total_cmp(&b.strength));
        found
    }
}

pub(crate) fn find<'a>(what: &str, outcomes: &'a [Outcomes], variant: &str) -> Result<&'a Outcomes, StatsError> {
    let mut all = outcomes.iter();
    all.find(|outcomes| outcomes.variant == variant)
        .ok_or_else(|| StatsError::Missing { what: what.to_owned(), name: format!("variant {variant}") })
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), StatsError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(StatsError::Repeated { what: what.to_owned(), name: name.to_owned() });
        }
    }
    Ok(())
}
