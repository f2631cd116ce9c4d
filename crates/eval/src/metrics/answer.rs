//! Whether an answer is the right one.

use crate::python::Pattern;

/// `exact_match`: equal after what the options take away from both sides.
#[derive(Debug, Clone, Default)]
pub struct ExactMatch {
    /// Case does not count.
    pub ignore_case: bool,
    /// ASCII punctuation does not count.
    pub ignore_punctuation: bool,
    /// ASCII digits do not count.
    pub ignore_numbers: bool,
    pub(crate) regexes: Vec<Pattern>,
}

impl ExactMatch {
    /// Leaves out what these regular expressions, in the syntax of Python, match; one after the other.
    ///
    /// # Errors
    /// One that is no regular expression.
    pub fn ignoring(mut self, regexes: &[String]) -> Result<Self, String> {
        self.regexes = regexes.iter().map(|regex| Pattern::new(regex)).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Whether the two are equal.
    ///
    /// # Errors
    /// A regular expression that does not end on them.
    pub fn matches(&self, answer: &str, gold: &str) -> Result<bool, String> {
        Ok(self.reduced(answer)? == self.reduced(gold)?)
    }

    fn reduced(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_owned();
        for regex in &self.regexes {
            text = regex.remove(&text)?;
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        text.retain(|c| {
            !(self.ignore_punctuation && c.is_ascii_punctuation() || self.ignore_numbers && c.is_ascii_digit())
        });
        Ok(text)
    }
}
