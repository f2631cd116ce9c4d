use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::StatsError;

/// What one model answered to one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemOutcome {
    /// The base item, equal across the levels of a family and across models.
    pub id: String,
    /// Whether the model chose the right answer.
    pub correct: bool,
    /// Number of choices, at least 2; chance is one over it. 0 for a free answer, which cannot be guessed.
    pub choices: usize,
}

impl ItemOutcome {
    /// How often a guess is right: 1 / choices, 0 for a free answer.
    #[must_use]
    pub fn chance(&self) -> f64 {
        if self.choices == 0 { 0.0 } else { 1.0 / self.choices as f64 }
    }
}

/// What one model answered to the items of one task variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Name of the variant.
    pub variant: String,
    /// One outcome per item, in any order; ids are unique.
    pub items: Vec<ItemOutcome>,
}

impl Outcomes {
    /// Checks that there are items, that no id repeats and that no item has a single choice.
    ///
    /// # Errors
    /// [`StatsError::Empty`], [`StatsError::Repeated`], [`StatsError::Choices`].
    pub fn check(&self) -> Result<(), StatsError> {
        let what = || format!("outcomes of {}", self.variant);
        if self.items.is_empty() {
            return Err(StatsError::Empty { what: what() });
        }
        let mut seen = HashSet::with_capacity(self.items.len());
        for item in &self.items {
            if !seen.insert(item.id.as_str()) {
                return Err(StatsError::Repeated { what: what(), name: format!("item {}", item.id) });
            }
            if item.choices == 1 {
                return Err(StatsError::Choices { what: what(), id: item.id.clone(), choices: item.choices });
            }
        }
        Ok(())
    }
}
