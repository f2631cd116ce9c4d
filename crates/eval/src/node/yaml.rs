//! Task files in YAML, with the values that PyYAML (YAML 1.1) finds in them.

use super::Node;
use crate::EvalError;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Reads a file and those it includes, whose keys it replaces by its own.
pub fn read(path: &Path, above: &mut Vec<PathBuf>) -> Result<Vec<(String, Node)>, EvalError> {
    if above.iter().any(|other| other == path) {
        return Err(EvalError::task(path, "include: the file includes itself"));
    }
    let text = std::fs::read_to_string(path).map_err(|source| EvalError::Io { path: path.to_owned(), source })?;
    let Node::Map(mut own) = parse(path, &text)? else {
        return Err(EvalError::task(path, "is no map of keys and values"));
    };
    let Some(place) = own.iter().position(|(key, _)| key == "include") else { return Ok(own) };
    let files = match own.remove(place).1 {
        Node::Text(file) => vec![file],
        Node::List(items) => items.into_iter().map(|item| file_name(path, item)).collect::<Result<_, _>>()?,
        other => vec![file_name(path, other)?],
    };
    above.push(path.to_owned());
    let mut merged = Vec::new();
    for file in files {
        let included = read(&path.parent().unwrap_or(Path::new("")).join(file), above)?;
        included
            .into_iter()
            .filter(|(key, _)| key != "task_list")
            .for_each(|(key, value)| set(&mut merged, key, value));
    }
    above.pop();
    own.into_iter().for_each(|(key, value)| set(&mut merged, key, value));
    Ok(merged)
}

fn file_name(path: &Path, node: Node) -> Result<String, EvalError> {
    match node {
        Node::Text(file) => Ok(file),
        other => Err(EvalError::task(path, format!("include: is {}, a file name is expected", other.kind()))),
    }
}

fn set(entries: &mut Vec<(String, Node)>, key: String, value: Node) {
    match entries.iter_mut().find(|(known, _)| *known == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key, value)),
    }
}

/// The first document of a text.
pub fn parse(path: &Path, text: &str) -> Result<Node, EvalError> {
    let mut text = Cow::Borrowed(text);
    loop {
        let mut reader = Reader { parser: Parser::new_from_str(&text), path, anchors: HashMap::new(), outdented: None };
        match (reader.document(), reader.outdented) {
            (Err(error), Some(place)) => text = indented(&text, place).ok_or(error)?.into(),
            (read, _) => return read,
        }
    }
}

/// What begins too far to the left.
#[derive(Debug, Clone, Copy)]
enum Outdented {
    /// A line of the quoted scalar that begins here.
    Quoted(Marker),
    /// What stands here, within brackets.
    Bracketed(Marker),
}

/// The text with these lines moved to the right, where YAML 1.2 wants them: white space at their beginning says nothing.
/// `None` if they are there already.
fn indented(text: &str, place: Outdented) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let moved = match place {
        Outdented::Bracketed(place) => place.line().checked_sub(1)?..place.line(),
        Outdented::Quoted(place) => {
            let line = place.line().checked_sub(1)?;
            let begins = lines.get(line)?.char_indices().nth(place.col())?.0;
            place.line()..line + quoted_lines(lines[line..].concat().get(begins..)?)
        }
    };
    let there = |line: &str| line.trim().is_empty() || line.starts_with(FAR_RIGHT);
    if lines.get(moved.clone())?.iter().all(|line| there(line)) {
        return None;
    }
    let place = |(number, line): (usize, &&str)| match moved.contains(&number) && !there(line) {
        true => format!("{FAR_RIGHT}{line}"),
        false => (*line).to_owned(),
    };
    Some(lines.iter().enumerate().map(place).collect())
}

/// Further to the right than files nest.
const FAR_RIGHT: &str = "                                                                                ";

/// On how many lines the quoted scalar stands with which a text begins.
fn quoted_lines(text: &str) -> usize {
    let Some(quote @ (b'"' | b'\'')) = text.bytes().next() else { return 1 };
    let (mut lines, mut bytes) = (1, text.bytes().skip(1).peekable());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => lines += 1,
            b'\\' if quote == b'"' => lines += usize::from(bytes.next() == Some(b'\n')),
            b'\'' if quote == b'\'' && bytes.peek() == Some(&b'\'') => drop(bytes.next()),
            end if end == quote => break,
            _ => {}
        }
    }
    lines
}

/// How deep a file may nest.
const DEEPEST: usize = 100;

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    path: &'a Path,
    anchors: HashMap<usize, Node>,
    /// Where the parser met what begins too far to the left for YAML 1.2, but not for PyYAML.
    outdented: Option<Outdented>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, EvalError> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(Node::Null),
                event => return self.node(event, 0),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), EvalError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                self.outdented = match error.info() {
                    "invalid indentation in quoted scalar" => Some(Outdented::Quoted(*error.marker())),
                    "invalid indentation" | "invalid indentation in flow construct" => {
                        Some(Outdented::Bracketed(*error.marker()))
                    }
                    _ => None,
                };
                Err(self.wrong(error.marker().line(), error.info()))
            }
            None => Err(EvalError::task(self.path, "ends too early")),
        }
    }

    fn wrong(&self, line: usize, problem: &str) -> EvalError {
        EvalError::Line { path: self.path.to_owned(), line, problem: problem.to_owned() }
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Node, EvalError> {
        let line = span.start.line();
        if depth > DEEPEST {
            return Err(self.wrong(line, "nests too deeply"));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                return known.ok_or_else(|| self.wrong(line, "stands for a value that is not complete"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                let node = scalar(&text, style, tag);
                (anchor, node.ok_or_else(|| self.wrong(line, &format!("the tag {} is not known", named(tag))))?)
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            _ => return Err(self.wrong(line, "a value is expected here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Node, EvalError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Node::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, EvalError> {
        let (mut entries, mut inherited) = (Vec::new(), Vec::new());
        loop {
            let (key, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(key, ..), span) => (key.into_owned(), span),
                (_, span) => return Err(self.wrong(span.start.line(), "a key must be a text")),
            };
            let event = self.next()?;
            match (key.as_str(), self.node(event, depth + 1)?) {
                ("<<", Node::Map(other)) => inherited.extend(other),
                ("<<", _) => return Err(self.wrong(span.start.line(), "`<<` takes a map")),
                (_, value) => set(&mut entries, key, value),
            }
        }
        inherited.retain(|(key, _)| entries.iter().all(|(own, _)| own != key));
        entries.extend(inherited);
        Ok(Node::Map(entries))
    }
}

fn named(tag: Option<&Tag>) -> String {
    tag.map_or_else(String::new, |tag| format!("{}{}", tag.handle, tag.suffix))
}

/// The value of a scalar; `None` if its tag is unknown.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Node> {
    match tag {
        None if style == ScalarStyle::Plain => Some(plain(text)),
        None => Some(Node::Text(text.to_owned())),
        Some(tag) if tag.handle == "!" && tag.suffix == "function" => Some(Node::Function(text.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Some(Node::Text(text.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() => Some(plain(text)),
        Some(_) => None,
    }
}

/// A plain scalar of YAML 1.1, as PyYAML resolves it: `yes` and `no` are truth values, `1e5` is a text. Dates and numbers
/// with base 60 stay texts.
fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Node::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Node::Bool(false),
        _ => {}
    }
    integer(text).map(Node::Int).or_else(|| float(text).map(Node::Float)).unwrap_or_else(|| Node::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        [b'0'..=b'9', ..] => (10, digits),
        _ => return None,
    };
    let digits = digits.replace('_', "");
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&digits, radix).ok().map(|number| sign * number)
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    // A point is needed, and the exponent its sign.
    let signed = exponent.is_none_or(|e| e.len() > 1 && e.starts_with(['+', '-']));
    let numeric = mantissa.contains('.') && mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_');
    let begins = mantissa.starts_with(|c: char| c.is_ascii_digit()) || mantissa.len() > 1;
    if signed && numeric && begins { text.replace('_', "").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Node {
        parse(Path::new("t.yaml"), text).unwrap()
    }

    // From PyYAML 6.0.
    #[test]
    fn plain_scalars_are_those_of_pyyaml() {
        let text = "[yes, No, on, y, ~, null, 1, -3, 0x1F, 0o7, 010, 1_000, 1e5, 1.5e3, 1.5e+3, .5, 1., -.inf, 'no', \"1\", 09, +1, a b, 1.2.3, 0.0]";
        let t = |text: &str| Node::Text(text.into());
        let expected = vec![
            Node::Bool(true),
            Node::Bool(false),
            Node::Bool(true),
            t("y"),
            Node::Null,
            Node::Null,
            Node::Int(1),
            Node::Int(-3),
            Node::Int(31),
            t("0o7"),
            Node::Int(8),
            Node::Int(1000),
            t("1e5"),
            t("1.5e3"),
            Node::Float(1500.0),
            Node::Float(0.5),
            Node::Float(1.0),
            Node::Float(f64::NEG_INFINITY),
            t("no"),
            t("1"),
            t("09"),
            Node::Int(1),
            t("a b"),
            t("1.2.3"),
            Node::Float(0.0),
        ];
        assert_eq!(parsed(text), Node::List(expected));
    }

    #[test]
    fn anchors_merges_and_functions_are_read() {
        let text =
            "base: &b {x: 1, y: [a]}\nown:\n  <<: *b\n  x: 2\nf: !function utils.process_docs\ns: |\n  one\n  two\n";
        let Node::Map(entries) = parsed(text) else { panic!() };
        let [_, own, f, s] = entries.try_into().unwrap();
        let y = ("y".to_owned(), Node::List(vec![Node::Text("a".into())]));
        assert_eq!(own.1, Node::Map(vec![("x".into(), Node::Int(2)), y]));
        assert_eq!(f.1, Node::Function("utils.process_docs".into()));
        assert_eq!(s.1, Node::Text("one\ntwo\n".into()));
    }

    // From PyYAML 6.0.
    #[test]
    fn lines_may_begin_further_left_than_in_newer_yaml() {
        let t = |text: &str| Node::Text(text.into());
        let entry = |key: &str, value| (key.to_owned(), value);
        let text = "a:\n  b: 'one,\ntwo ''x''\n\n three'\n  c: \"x\\\"\\n\n- y\\\nz\"\nd: e\n";
        let inner = Node::Map(vec![entry("b", t("one, two 'x'\nthree")), entry("c", t("x\"\n - yz"))]);
        assert_eq!(parsed(text), Node::Map(vec![entry("a", inner), entry("d", t("e"))]));
        let text = "a:\n  b: [\n  x,\n'y\nz',\n{ \"k\":\n1,\n}\n]\nd: e\n";
        let list = vec![t("x"), t("y z"), Node::Map(vec![entry("k", Node::Int(1))])];
        let inner = Node::Map(vec![entry("b", Node::List(list))]);
        assert_eq!(parsed(text), Node::Map(vec![entry("a", inner), entry("d", t("e"))]));
    }

    #[test]
    fn what_is_no_yaml_is_an_error_with_its_line() {
        for (text, part) in [("a: 1\nb: [", "line"), ("a: !what x", "!what"), ("? [a]\n: b", "key must be a text")] {
            let error = parse(Path::new("t.yaml"), text).unwrap_err().to_string();
            assert!(error.starts_with("t.yaml") && error.contains(part), "{error}");
        }
        assert!(parse(Path::new("t.yaml"), &"[".repeat(5000)).is_err());
    }
}
