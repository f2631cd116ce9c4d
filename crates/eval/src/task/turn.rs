//! Questions and answers joined to text, with the delimiters where lm-evaluation-harness puts them.

use crate::python::is_space;

/// A question, and what begins its answer.
pub(crate) struct Turn<'a> {
    pub question: &'a str,
    pub prefix: Option<&'a str>,
    pub target_delimiter: &'a str,
}

impl Turn<'_> {
    /// The question that is to be answered.
    pub fn open(&self) -> String {
        let prefix = self.prefix.unwrap_or_default();
        format!("{}{}{prefix}", self.question, self.before_prefix())
    }

    /// The question with its answer, as an example. An empty answer leaves the question alone.
    pub fn answered(&self, answer: &str, fewshot_delimiter: &str) -> String {
        match (answer, self.prefix.filter(|prefix| !prefix.is_empty())) {
            ("", _) => self.open(),
            (answer, None) => format!("{}{}{answer}{fewshot_delimiter}", self.question, self.target_delimiter),
            (answer, Some(prefix)) => {
                let space = if meets(prefix, answer) { " " } else { "" };
                format!("{}{}{prefix}{space}{answer}{fewshot_delimiter}", self.question, self.before_prefix())
            }
        }
    }

    fn before_prefix(&self) -> &str {
        match self.prefix {
            Some(prefix) if !prefix.is_empty() && meets(self.question, prefix) => self.target_delimiter,
            _ => "",
        }
    }
}

/// Whether two texts meet without any space; an empty one meets nothing.
fn meets(left: &str, right: &str) -> bool {
    match (left.chars().next_back(), right.chars().next()) {
        (Some(left), Some(right)) => !is_space(left) && !is_space(right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From lm-evaluation-harness 0.4.13, `build_qa_turn`.
    #[test]
    fn delimiters_stand_where_two_words_would_touch() {
        let turn = |question, prefix| Turn { question, prefix, target_delimiter: " " };
        assert_eq!(turn("Q:", None).open(), "Q:");
        assert_eq!(turn("Q:", None).answered("a", "\n\n"), "Q: a\n\n");
        assert_eq!(turn("Q:", None).answered("", "\n\n"), "Q:");
        assert_eq!(turn("Q:", Some("So")).open(), "Q: So");
        assert_eq!(turn("Q:\n", Some("So")).open(), "Q:\nSo");
        assert_eq!(turn("Q:", Some("So")).answered("a", "\n"), "Q: So a\n");
        assert_eq!(turn("Q:", Some("So\n")).answered("a", "\n"), "Q: So\na\n");
        assert_eq!(turn("", Some("So")).answered("a", "\n"), "So a\n");
    }
}
