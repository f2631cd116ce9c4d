use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of task, with the one knob that makes it harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Common facts; more options are harder.
    Facts,
    /// Addition and subtraction; more digits are harder.
    Arithmetic,
    /// A relation between words to be inferred from examples; fewer examples are harder.
    Shots,
    /// A fact to be found in a passage; a longer passage is harder.
    Passage,
    /// Subject-verb agreement; more attractors of the other number in between are harder.
    Agreement,
}

impl Family {
    /// All families, in the order in which a report shows them.
    pub const ALL: [Self; 5] = [Self::Facts, Self::Arithmetic, Self::Shots, Self::Passage, Self::Agreement];

    /// The name used in variant names and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Arithmetic => "arithmetic",
            Self::Shots => "shots",
            Self::Passage => "passage",
            Self::Agreement => "agreement",
        }
    }

    /// What the difficulty of this family counts.
    #[must_use]
    pub const fn knob(self) -> &'static str {
        match self {
            Self::Facts => "options",
            Self::Arithmetic => "digits",
            Self::Shots => "shots",
            Self::Passage => "tokens",
            Self::Agreement => "attractors",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
