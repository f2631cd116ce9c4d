use super::Family;

/// Why a suite cannot be generated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuiteError {
    /// The configuration lists no family.
    #[error("the suite has no families; name at least one")]
    NoFamilies,
    /// A family is listed twice.
    #[error("family {0} is listed twice")]
    RepeatedFamily(Family),
    /// A family is asked for zero items.
    #[error("family {0} is asked for 0 items per variant; ask for at least 1")]
    NoItems(Family),
    /// A family has fewer distinct base items than asked for.
    #[error("family {family} has {available} base items, {asked} are asked for")]
    TooManyItems {
        /// The family.
        family: Family,
        /// Items per variant in the configuration.
        asked: usize,
        /// Distinct base items that there are.
        available: usize,
    },
    /// No level is left for a family.
    #[error("family {family} has no level of {knob} left{why}")]
    NoLevels {
        /// The family.
        family: Family,
        /// What its levels count.
        knob: &'static str,
        /// What removed them; empty, or starting with a colon.
        why: String,
    },
    /// A level is outside of what a family can make.
    #[error("family {family} cannot make {knob}={setting}: allowed are {min} to {max}")]
    Setting {
        /// The family.
        family: Family,
        /// What its levels count.
        knob: &'static str,
        /// The number asked for.
        setting: usize,
        /// Smallest number allowed.
        min: usize,
        /// Greatest number allowed.
        max: usize,
    },
    /// A level is listed twice.
    #[error("family {family} lists {knob}={setting} twice")]
    RepeatedSetting {
        /// The family.
        family: Family,
        /// What its levels count.
        knob: &'static str,
        /// The number listed twice.
        setting: usize,
    },
    /// A token budget does not hold even the sentence that has the answer.
    #[error(
        "passage item {id}: the sentence with the answer has {tokens} tokens and does not fit a passage of {budget}"
    )]
    PassageTooShort {
        /// The item.
        id: String,
        /// Tokens of the sentence with the answer.
        tokens: usize,
        /// Tokens that the passage may have.
        budget: usize,
    },
    /// The token counter reports no growth, so that a passage would never be full.
    #[error("passage item {id}: {sentences} sentences still count as {tokens} tokens; check the token counter")]
    CounterStuck {
        /// The item.
        id: String,
        /// Sentences written so far.
        sentences: usize,
        /// Tokens counted for them.
        tokens: usize,
    },
}
