/// Why a measure or a test cannot be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// Nothing to compute from.
    #[error("{what} is empty")]
    Empty {
        /// What is empty.
        what: String,
    },
    /// Two entries have the same name.
    #[error("{what} has {name} twice")]
    Repeated {
        /// Where.
        what: String,
        /// The name found twice.
        name: String,
    },
    /// An item with a single choice leaves nothing to choose.
    #[error("{what}, item {id}: {choices} choices; a question has at least 2, or 0 where the answer is free")]
    Choices {
        /// Where.
        what: String,
        /// The item.
        id: String,
        /// Its number of choices.
        choices: usize,
    },
    /// Paired outcomes are not of the same items.
    #[error("{left} and {right} are not paired: item {id} differs or is only in one of them")]
    NotPaired {
        /// One side.
        left: String,
        /// The other side.
        right: String,
        /// The first item that does not match.
        id: String,
    },
    /// Something that is referred to is not there.
    #[error("{what} has no {name}")]
    Missing {
        /// Where it should be.
        what: String,
        /// What should be there.
        name: String,
    },
    /// The dense model is not above chance: there is nothing to lose.
    #[error("{what}: the dense score is {score}, not above chance; a relative drop is undefined")]
    NothingToLose {
        /// Where.
        what: String,
        /// The chance-corrected dense score.
        score: f64,
    },
    /// A number is infinite or not a number.
    #[error("{what} is {value}, which is not finite")]
    NotFinite {
        /// Where.
        what: String,
        /// The number.
        value: f64,
    },
    /// A number is outside of its range.
    #[error("{what} is {value}; allowed is {range}")]
    OutOfRange {
        /// Which number.
        what: String,
        /// Its value.
        value: f64,
        /// The range, in words.
        range: &'static str,
    },
    /// All values are equal: there is no order to relate to another.
    #[error("{what}: all values are equal")]
    Constant {
        /// Which values.
        what: String,
    },
    /// An iteration did not reach its maximum.
    #[error("{what} did not converge in {steps} steps: {why}")]
    NotConverged {
        /// Which fit.
        what: &'static str,
        /// Steps taken.
        steps: usize,
        /// The likely reason, in words.
        why: &'static str,
    },
    /// Rows of a table have different lengths.
    #[error("{what}, row {row}: {found} values where the first row has {expected}")]
    Ragged {
        /// Which table.
        what: String,
        /// Index of the row.
        row: usize,
        /// Values in the first row.
        expected: usize,
        /// Values in this row.
        found: usize,
    },
    /// Too few values for a test.
    #[error("{what}: {found} given, at least {needed} needed")]
    TooFew {
        /// Of what.
        what: String,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
}

impl StatsError {
    pub(crate) fn finite(what: &str, value: f64) -> Result<f64, Self> {
        if value.is_finite() { Ok(value) } else { Err(Self::NotFinite { what: what.to_owned(), value }) }
    }

    /// A number above zero; not for not-a-number.
    pub(crate) fn positive(what: &str, value: f64) -> Result<f64, Self> {
        Self::finite(what, value)?;
        if value > 0.0 { Ok(value) } else { Err(Self::OutOfRange { what: what.to_owned(), value, range: "above 0" }) }
    }

    pub(crate) fn within(
        what: &str,
        value: f64,
        range: std::ops::RangeInclusive<f64>,
        words: &'static str,
    ) -> Result<f64, Self> {
        if range.contains(&value) {
            Ok(value)
        } else {
            Err(Self::OutOfRange { what: what.to_owned(), value, range: words })
        }
    }

    pub(crate) fn at_least(what: &str, found: usize, needed: usize) -> Result<(), Self> {
        if found >= needed { Ok(()) } else { Err(Self::TooFew { what: what.to_owned(), found, needed }) }
    }
}
