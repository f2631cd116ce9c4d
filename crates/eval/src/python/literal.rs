//! `ast.literal_eval`: the values that Python's literals spell.

use serde_json::{Map, Number, Value};

/// The value of a Python literal: a text, number, truth value, `None`, list, tuple or dictionary.
pub fn literal(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text };
    let value = parser.value(0)?;
    parser.space();
    parser.rest.is_empty().then_some(value)
}

const DEEPEST: usize = 64;

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        match self.rest.chars().next()? {
            '[' => self.items("[", "]", depth).map(|(items, _)| Value::Array(items)),
            '(' => self.items("(", ")", depth).map(|(mut items, comma)| match items.len() {
                1 if !comma => items.remove(0),
                _ => Value::Array(items),
            }),
            '{' => self.dictionary(depth),
            '\'' | '"' => self.texts().map(Value::from),
            _ => self.word(),
        }
    }

    /// The items between brackets, and whether a comma follows the last.
    fn items(&mut self, open: &str, close: &str, depth: usize) -> Option<(Vec<Value>, bool)> {
        self.eat(open);
        let (mut items, mut comma) = (Vec::new(), true);
        while !self.eat(close) {
            if !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            comma = self.eat(",");
        }
        Some((items, comma))
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        self.eat("{");
        let (mut entries, mut comma) = (Map::new(), true);
        while !self.eat("}") {
            if !comma {
                return None;
            }
            let Value::String(key) = self.value(depth + 1)? else { return None };
            if !self.eat(":") {
                return None;
            }
            entries.insert(key, self.value(depth + 1)?);
            comma = self.eat(",");
        }
        Some(Value::Object(entries))
    }

    /// Quoted texts side by side are one.
    fn texts(&mut self) -> Option<String> {
        let mut all = String::new();
        loop {
            self.space();
            match self.rest.chars().next() {
                Some(mark @ ('\'' | '"')) => {
                    self.rest = &self.rest[1..];
                    self.quoted(mark, &mut all)?;
                }
                _ => return Some(all),
            }
        }
    }

    fn quoted(&mut self, mark: char, out: &mut String) -> Option<()> {
        let mut chars = self.rest.char_indices();
        loop {
            match chars.next()? {
                (at, c) if c == mark => {
                    self.rest = &self.rest[at + 1..];
                    return Some(());
                }
                (_, '\n') => return None,
                (_, '\\') => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    'x' => out.push(code(&mut chars, 2)?),
                    'u' => out.push(code(&mut chars, 4)?),
                    'U' => out.push(code(&mut chars, 8)?),
                    c @ ('\\' | '\'' | '"') => out.push(c),
                    '\n' => {}
                    // Of the others Python keeps the backslash; the octal and control escapes nobody writes.
                    c if c.is_ascii_digit() || matches!(c, 'a' | 'b' | 'f' | 'v' | 'N') => return None,
                    c => out.extend(['\\', c]),
                },
                (_, c) => out.push(c),
            }
        }
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            _ if word.trim_start_matches('-').starts_with('0') && word.parse::<i64>().is_ok_and(|n| n != 0) => None,
            _ => match word.parse::<i64>() {
                Ok(integer) => Some(Value::from(integer)),
                Err(_) if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                    word.parse().ok().and_then(Number::from_f64).map(Value::Number)
                }
                Err(_) => None,
            },
        }
    }
}

fn code(chars: &mut std::str::CharIndices, digits: usize) -> Option<char> {
    let text: String = chars.take(digits).map(|(_, c)| c).collect();
    char::from_u32(u32::from_str_radix(&text, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::value::{Serde, Value as Template};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn literals_are_read_as_python_reads_them() {
        let text = r#" ["it's", 'a' "b\n\x41\u00e9", (1,), (2), -3.5, 1e3, True, None, {'k': [ ]}, '\d',] "#;
        let expected = json!(["it's", "ab\nA\u{e9}", [1], 2, -3.5, 1000.0, true, null, {"k": []}, "\\d"]);
        assert_eq!(literal(text), Some(expected));
        for wrong in ["", "[", "[1 2]", "a", "'a", "[1] 2", "007", "{1: 2}"] {
            assert_eq!(literal(wrong), None, "{wrong}");
        }
        assert_eq!(literal(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(texts: Vec<String>, number: i64, float in -1e20..1e20f64) {
            let value = json!([texts, number, float, null, {"k": true}]);
            prop_assert_eq!(literal(&crate::python::repr(&Template::from(Serde(&value)))), Some(value));
        }
    }
}
