use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Family, SuiteError, arithmetic, facts, shots};

/// What to generate. The default is the full suite; [`SuiteConfig::quickstart`] is one for minutes on a laptop.
///
/// With the same seed a larger suite contains the smaller one: items are drawn in an order that does not depend on how
/// many are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuiteConfig {
    /// The families to generate, in this order.
    pub families: Vec<Family>,
    /// Items per variant, where `items_per_family` says nothing else.
    pub items: usize,
    /// Items per variant of single families.
    pub items_per_family: BTreeMap<Family, usize>,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Passage levels above this many tokens are left out.
    pub max_passage_tokens: usize,
    /// Levels of [`Family::Facts`]: number of options, 2 to 8.
    pub options: Vec<usize>,
    /// Levels of [`Family::Arithmetic`]: digits of both operands, 1 to 6.
    pub digits: Vec<usize>,
    /// Levels of [`Family::Shots`]: number of examples, 0 to 8.
    pub shots: Vec<usize>,
    /// Levels of [`Family::Passage`]: tokens of the passage, 20 to 100,000.
    pub passage_tokens: Vec<usize>,
    /// Levels of [`Family::Agreement`]: attractors between subject and verb, 0 to 6.
    pub attractors: Vec<usize>,
}

impl Default for SuiteConfig {
    fn default() -> Self {
        Self {
            families: Family::ALL.to_vec(),
            items: 100,
            items_per_family: BTreeMap::new(),
            seed: 0,
            max_passage_tokens: 1500,
            options: vec![2, 4, 6, 8],
            digits: vec![1, 2, 3, 4],
            shots: vec![8, 4, 2, 1],
            passage_tokens: vec![30, 75, 150, 300, 750, 1500],
            attractors: vec![0, 1, 2, 4, 6],
        }
    }
}

impl SuiteConfig {
    /// About 12,000 distinct tokens with the tokenizer of SmolLM2: 40 items per variant (passages 16, of at most 300
    /// tokens).
    #[must_use]
    pub fn quickstart(seed: u64) -> Self {
        Self {
            items: 40,
            items_per_family: BTreeMap::from([(Family::Passage, 16)]),
            seed,
            max_passage_tokens: 300,
            ..Self::default()
        }
    }

    /// Items per variant of a family.
    #[must_use]
    pub fn items_of(&self, family: Family) -> usize {
        self.items_per_family.get(&family).copied().unwrap_or(self.items)
    }

    /// The settings of a family's knob, easiest first, with the passage cap applied.
    #[must_use]
    pub fn levels(&self, family: Family) -> Vec<usize> {
        let mut levels = self.settings(family).to_vec();
        levels.sort_unstable();
        match family {
            Family::Shots => levels.reverse(),
            Family::Passage => levels.retain(|&tokens| tokens <= self.max_passage_tokens),
            Family::Facts | Family::Arithmetic | Family::Agreement => {}
        }
        levels
    }

    pub(super) fn check(&self) -> Result<(), SuiteError> {
        if self.families.is_empty() {
            return Err(SuiteError::NoFamilies);
        }
        let mut seen = BTreeSet::new();
        for &family in &self.families {
            if !seen.insert(family) {
                return Err(SuiteError::RepeatedFamily(family));
            }
            if self.items_of(family) == 0 {
                return Err(SuiteError::NoItems(family));
            }
            self.check_settings(family)?;
        }
        Ok(())
    }

    fn settings(&self, family: Family) -> &[usize] {
        match family {
            Family::Facts => &self.options,
            Family::Arithmetic => &self.digits,
            Family::Shots => &self.shots,
            Family::Passage => &self.passage_tokens,
            Family::Agreement => &self.attractors,
        }
    }

    fn check_settings(&self, family: Family) -> Result<(), SuiteError> {
        let knob = family.knob();
        let (min, max) = match family {
            Family::Facts => (2, facts::MAX_OPTIONS),
            Family::Arithmetic => (1, arithmetic::MAX_DIGITS),
            Family::Shots => (0, shots::MAX_SHOTS),
            Family::Passage => (20, 100_000),
            Family::Agreement => (0, 6),
        };
        let mut seen = BTreeSet::new();
        for &setting in self.settings(family) {
            if !(min..=max).contains(&setting) {
                return Err(SuiteError::Setting { family, knob, setting, min, max });
            }
            if !seen.insert(setting) {
                return Err(SuiteError::RepeatedSetting { family, knob, setting });
            }
        }
        if self.levels(family).is_empty() {
            let capped = family == Family::Passage && !self.passage_tokens.is_empty();
            let why =
                if capped { format!(": max_passage_tokens is {}", self.max_passage_tokens) } else { String::new() };
            return Err(SuiteError::NoLevels { family, knob, why });
        }
        Ok(())
    }
}
