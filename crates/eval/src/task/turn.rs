//! Questions and answers as messages, with the delimiters where lm-evaluation-harness puts them.

use crate::chat::Message;
use crate::python::is_space;

/// A message, and what follows it where messages are joined to one text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub message: Message,
    pub delimiter: String,
}

impl Part {
    pub fn new(role: &'static str, content: impl Into<String>, delimiter: &str) -> Self {
        Self { message: Message { role, content: content.into() }, delimiter: delimiter.to_owned() }
    }
}

/// Messages joined to one text.
pub(crate) fn text(parts: &[Part]) -> String {
    parts.iter().map(|part| format!("{}{}", part.message.content, part.delimiter)).collect()
}

/// All that is said before the answer in one message: an instruction stays before it, the beginning of an answer after it.
pub(crate) fn one_turn(parts: &[Part]) -> Vec<Message> {
    let (system, rest) = match parts.split_first() {
        Some((first, rest)) if first.message.role == "system" => (Some(first), rest),
        _ => (None, parts),
    };
    let (said, begun) = match rest.split_last() {
        Some((last, said)) if last.message.role == "assistant" => (said, Some(last)),
        _ => (rest, None),
    };
    let mut said = said.to_vec();
    if let Some(last) = said.last_mut() {
        last.delimiter.clear();
    }
    let user = Message { role: "user", content: text(&said) };
    let around = |part: Option<&Part>| part.map(|part| part.message.clone());
    around(system).into_iter().chain([user]).chain(around(begun)).collect()
}

/// Two texts with a delimiter between them where they would touch.
pub(crate) fn joined(left: &str, right: &str, delimiter: &str) -> String {
    let between = if meets(left, right) { delimiter } else { "" };
    format!("{left}{between}{right}")
}

/// A question, and what begins its answer.
pub(crate) struct Turn<'a> {
    pub question: &'a str,
    pub prefix: Option<&'a str>,
    pub target_delimiter: &'a str,
}

impl Turn<'_> {
    /// The question that is to be answered.
    pub fn open(&self) -> Vec<Part> {
        let Some(prefix) = self.prefix.filter(|prefix| !prefix.is_empty()) else {
            return vec![Part::new("user", self.question, "")];
        };
        let delimiter = if meets(self.question, prefix) { self.target_delimiter } else { "" };
        vec![Part::new("user", self.question, delimiter), Part::new("assistant", prefix, "")]
    }

    /// The question with its answer, as an example. An empty answer leaves the question alone.
    pub fn answered(&self, answer: &str, fewshot_delimiter: &str) -> Vec<Part> {
        let mut parts = self.open();
        match (answer, self.prefix.filter(|prefix| !prefix.is_empty())) {
            ("", _) => {}
            (answer, None) => {
                parts[0].delimiter = self.target_delimiter.to_owned();
                parts.push(Part::new("assistant", answer, fewshot_delimiter));
            }
            (answer, Some(prefix)) => {
                parts.truncate(1);
                parts.push(Part::new("assistant", joined(prefix, answer, " "), fewshot_delimiter));
            }
        }
        parts
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
        let open = |question, prefix| text(&turn(question, prefix).open());
        let answered = |question, prefix, answer, delimiter| text(&turn(question, prefix).answered(answer, delimiter));
        assert_eq!(open("Q:", None), "Q:");
        assert_eq!(answered("Q:", None, "a", "\n\n"), "Q: a\n\n");
        assert_eq!(answered("Q:", None, "", "\n\n"), "Q:");
        assert_eq!(open("Q:", Some("So")), "Q: So");
        assert_eq!(open("Q:\n", Some("So")), "Q:\nSo");
        assert_eq!(answered("Q:", Some("So"), "a", "\n"), "Q: So a\n");
        assert_eq!(answered("Q:", Some("So\n"), "a", "\n"), "Q: So\na\n");
        assert_eq!(answered("", Some("So"), "a", "\n"), "So a\n");
    }
}
