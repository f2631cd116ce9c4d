//! Regular expressions with the syntax of Python's `re`.

use fancy_regex::Regex;
use std::borrow::Cow;

/// A regular expression that was written for Python.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// # Errors
    /// A sentence on what is wrong with the expression.
    pub fn new(pattern: &str) -> Result<Self, String> {
        match Regex::new(&translated(pattern)) {
            Ok(regex) => Ok(Self(regex)),
            Err(error) => Err(format!("`{pattern}` is no regular expression: {error}")),
        }
    }

    /// `re.findall`: of each match its groups, or the whole of it where there are none.
    ///
    /// # Errors
    /// An expression that needs more steps on this text than the engine allows.
    pub fn find_all(&self, text: &str) -> Result<Vec<Vec<String>>, String> {
        let matches = self.0.captures_iter(text).map(|captures| {
            let captures = captures.map_err(|error| self.endless(&error))?;
            let first = usize::from(captures.len() > 1);
            let group = |i| captures.get(i).map_or_else(String::new, |group| group.as_str().to_owned());
            Ok((first..captures.len()).map(group).collect())
        });
        matches.collect()
    }

    /// `re.sub` with nothing.
    ///
    /// # Errors
    /// As [`Self::find_all`].
    pub fn remove(&self, text: &str) -> Result<String, String> {
        let found = self.0.try_replacen(text, 0, fancy_regex::NoExpand(""));
        found.map(Cow::into_owned).map_err(|error| self.endless(&error))
    }

    /// `re.sub`, at most `count` times if that is not 0; `\1` and `\g<name>` stand for groups.
    ///
    /// # Errors
    /// As [`Self::find_all`].
    pub fn replace(&self, text: &str, replacement: &str, count: usize) -> Result<String, String> {
        let found = self.0.try_replacen(text, count, Replacement(replacement));
        found.map(Cow::into_owned).map_err(|error| self.endless(&error))
    }

    fn endless(&self, error: &fancy_regex::Error) -> String {
        format!("`{}` on this text: {error}", self.0.as_str())
    }
}

struct Replacement<'a>(&'a str);

impl fancy_regex::Replacer for Replacement<'_> {
    fn replace_append(&mut self, captures: &fancy_regex::Captures<'_>, out: &mut String) {
        fancy_regex::Expander::python().append_expansion(out, self.0, captures);
    }
}

/// The same expression for Rust: there a bracket inside of a class opens another class, a brace must be a repetition, `\<`
/// is a border of words, and `$` does not match before a last line break.
fn translated(pattern: &str) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let lines = pattern.starts_with("(?") && pattern.split(')').next().is_some_and(|flags| flags.contains('m'));
    let mut out = String::new();
    // Where the content of the class that is open begins.
    let mut class: Option<usize> = None;
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        match (c, class) {
            ('\\', _) if i + 1 < chars.len() => {
                i += 1;
                escape(chars[i], &mut out);
            }
            ('[', None) => {
                out.push('[');
                if chars.get(i + 1) == Some(&'^') {
                    out.push('^');
                    i += 1;
                }
                class = Some(i + 1);
            }
            (']', Some(first)) if i > first => {
                out.push(']');
                class = None;
            }
            ('[' | ']' | '&' | '~', Some(_)) => out.extend(['\\', c]),
            ('-', Some(_)) if chars.get(i + 1) == Some(&'-') => out += "\\-",
            ('{', None) if !is_repetition(&chars[i..]) => out += "\\{",
            ('$', None) if !lines => out += "(?=\\n?\\z)",
            _ => out.push(c),
        }
        i += 1;
    }
    out
}

fn escape(c: char, out: &mut String) {
    match c {
        'Z' => *out += "\\z",
        c if c.is_ascii_alphanumeric() => out.extend(['\\', c]),
        c => *out += &fancy_regex::escape(&c.to_string()),
    }
}

/// Whether `{n}`, `{n,}`, `{,m}` or `{n,m}` begins here.
fn is_repetition(chars: &[char]) -> bool {
    let Some(end) = chars.iter().position(|&c| c == '}') else { return false };
    let bounds = &chars[1..end];
    bounds.iter().any(char::is_ascii_digit)
        && bounds.iter().all(|c| c.is_ascii_digit() || *c == ',')
        && bounds.iter().filter(|&&c| c == ',').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Vec<Vec<String>> {
        Pattern::new(pattern).unwrap().find_all(text).unwrap()
    }

    // From CPython 3.11.
    #[test]
    fn expressions_match_what_they_match_in_python() {
        assert_eq!(found(r"#### (\-?[0-9\.\,]+)", "a #### -1,234.5 b #### 7"), [["-1,234.5"], ["7"]]);
        assert_eq!(found(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", "$12 or 3"), [["$12", ""], ["", "3"]]);
        assert_eq!(found(r"\boxed{(.*)}", "oxed{5}"), [["5"]]);
        assert_eq!(found(r"\\boxed{(.*)}", r"\boxed{5}"), [["5"]]);
        assert_eq!(found(r"[^[\]&&a-]+", "x[]&a-y"), [["x"], ["y"]]);
        assert_eq!(found(r"[]\s\-]+\<", "a] -<"), [["] -<"]]);
        assert_eq!(found(r"(?<=: )[A-D](?=\.)", "Answer: C."), [["C"]]);
        assert_eq!(Pattern::new(r"\.$").unwrap().remove("a.b.\n").unwrap(), "a.b\n");
        assert_eq!(Pattern::new(r"(?s).*#### ").unwrap().remove("a\nb #### 4").unwrap(), "4");
        assert_eq!(Pattern::new(r"(\w)\1").unwrap().replace("aabb$1", r"<\1>", 0).unwrap(), "<a><b>$1");
        assert_eq!(Pattern::new(r"[.*?]").unwrap().replace("a.b*c", "", 1).unwrap(), "ab*c");
        assert!(Pattern::new("(").unwrap_err().contains("`(`"));
    }
}
