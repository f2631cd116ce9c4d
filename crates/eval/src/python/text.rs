//! Values as Python writes them.

use minijinja::value::{Value, ValueKind};
use std::fmt::Write;

/// `str(value)`.
pub fn str(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => repr(value),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    match value.kind() {
        ValueKind::None => *out += "None",
        ValueKind::Bool => *out += if value.is_true() { "True" } else { "False" },
        ValueKind::Number if value.is_integer() => *out += &value.to_string(),
        ValueKind::Number => *out += &f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float),
        ValueKind::String => quote(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<String> = value.try_iter().into_iter().flatten().map(|item| repr(&item)).collect();
            let _ = write!(out, "[{}]", items.join(", "));
        }
        ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let entry = |key: Value| {
                format!("{}: {}", repr(&key), value.get_item(&key).map_or_else(|_| "None".into(), |v| repr(&v)))
            };
            let entries: Vec<String> = keys.map(entry).collect();
            let _ = write!(out, "{{{}}}", entries.join(", "));
        }
        _ => *out += &value.to_string(),
    }
}

/// The shortest digits that give the number back, in scientific notation below 1e-4 and from 1e16 on.
fn float(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string().replace("NaN", "nan");
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if x != 0.0 && !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{x:?}"),
    }
}

/// A text in single quotes, or in double quotes where it holds single ones only.
fn quote(out: &mut String, text: &str) {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for c in text.chars() {
        match c {
            '\n' => *out += "\\n",
            '\r' => *out += "\\r",
            '\t' => *out += "\\t",
            '\\' => *out += "\\\\",
            c if c == mark => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => escape(out, c as u32),
        }
    }
    out.push(mark);
}

fn escape(out: &mut String, code: u32) {
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// `str.isprintable`. Rust escapes the same characters for debugging; those that combine with the one before only at the
/// beginning of a text.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'') || ['a', c].iter().collect::<String>().escape_debug().count() == 2
}

/// `str.isspace` of a character: what is white in Unicode, and the four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// `str.isdigit`, for the digits that a number can be read from.
pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    // From CPython 3.11.
    #[test]
    fn values_are_written_as_python_writes_them() {
        let json = serde_json::json!([
            null, true, 3, -0.0, 1.0, 0.1, 1e16, 1.5e-5, 123456789012345.0, "it's", "a\"b", "a'b\"", "é\n\u{ad}\u{301}",
            "\u{1}\u{2028}\u{e000}\u{10ffff}", {"k": [1, "x"]}, []
        ]);
        let expected =
            r#"[None, True, 3, -0.0, 1.0, 0.1, 1e+16, 1.5e-05, 123456789012345.0, "it's", 'a"b', 'a\'b"', 'é\n\xad"#
                .to_owned()
                + "\u{301}"
                + r"', '\x01\u2028\ue000\U0010ffff', {'k': [1, 'x']}, []]";
        assert_eq!(repr(&Value::from(minijinja::value::Serde(&json))), expected);
        assert_eq!(str(&Value::from("it's")), "it's");
    }
}
