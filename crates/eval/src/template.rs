//! Jinja2 templates as lm-evaluation-harness renders them.

use crate::python::{self, Pattern};
use minijinja::value::{Serde, Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, syntax::SyntaxConfig};
use minijinja_contrib::pycompat;

/// What a template of a task file may compute: more is taken for an endless loop.
const FUEL: u64 = 1_000_000;

/// The templates' surroundings: an undefined field is an error, the newline at the end stays, values are written as Python
/// writes them, and texts, lists and dictionaries have Python's methods. A tuple is a list and is written as one.
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    pub fn new() -> Self {
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(|out, _, value| match value.is_undefined() {
            true => Err(Error::from(ErrorKind::UndefinedError)),
            false => out.write_str(&python::str(value)).map_err(Error::from),
        });
        environment.set_unknown_method_callback(method);
        environment.add_filter("string", |value: &Value| python::str(value));
        environment.add_filter("join", join);
        environment.add_filter("regex_replace", regex_replace);
        Self(environment)
    }

    /// Fills in a template with the fields of a document.
    ///
    /// # Errors
    /// A sentence with the template and what is wrong.
    pub fn render(&self, template: &str, document: &serde_json::Value) -> Result<String, String> {
        self.0
            .render_str(template, Value::from(Serde(document)))
            .map_err(|error| format!("template `{}`: {}", one_line(template), one_line(&error.to_string())))
    }
}

pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The methods that minijinja's own list of Python's lacks.
fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.kind(), name) {
        (ValueKind::Seq | ValueKind::Iterable, "index") => {
            let (item,): (&Value,) = from_args(args)?;
            let place = value.try_iter()?.position(|other| other == *item);
            place.map(Value::from).ok_or_else(|| absent(item, "list"))
        }
        (ValueKind::String, "index") => {
            let (part,): (&str,) = from_args(args)?;
            let text = value.as_str().unwrap_or_default();
            let place = text.find(part).map(|at| Value::from(text[..at].chars().count()));
            place.ok_or_else(|| absent(&Value::from(part), "text"))
        }
        (ValueKind::String, "removeprefix") => {
            let (part,): (&str,) = from_args(args)?;
            let text = value.as_str().unwrap_or_default();
            Ok(Value::from(text.strip_prefix(part).unwrap_or(text)))
        }
        (ValueKind::String, "removesuffix") => {
            let (part,): (&str,) = from_args(args)?;
            let text = value.as_str().unwrap_or_default();
            Ok(Value::from(text.strip_suffix(part).unwrap_or(text)))
        }
        _ => pycompat::unknown_method_callback(state, value, name, args),
    }
}

fn absent(item: &Value, whole: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{} is not in the {whole}", python::repr(item)))
}

fn join(items: &Value, separator: Option<&str>) -> Result<String, Error> {
    let items: Vec<String> = items.try_iter()?.map(|item| python::str(&item)).collect();
    Ok(items.join(separator.unwrap_or_default()))
}

fn regex_replace(text: &str, pattern: &str, replacement: &str, count: Option<usize>) -> Result<String, Error> {
    let replaced = Pattern::new(pattern).and_then(|p| p.replace(text, replacement, count.unwrap_or(0)));
    replaced.map_err(|problem| Error::new(ErrorKind::InvalidOperation, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // From Jinja2 3.1 with the settings of lm-evaluation-harness 0.4.13.
    #[test]
    fn templates_render_as_in_jinja2() {
        let document = json!({
            "q": "  Why?  ", "n": 3, "f": 0.5, "no": null, "yes": true, "l": ["it's", "b"], "d": {"text": ["x", "y"], "label": ["A", "B"]},
            "answerKey": "B", "s": "a #### 12"
        });
        let templates = Templates::new();
        for (template, expected) in [
            ("{{q}}|{{ q.strip() }}|{{q|trim}}|{{q.lstrip()}}", "  Why?  |Why?|Why?|Why?  "),
            (
                "{{n}} {{f}} {{no}} {{yes}} {{l}} {{d}}\n",
                "3 0.5 None True [\"it's\", 'b'] {'label': ['A', 'B'], 'text': ['x', 'y']}\n",
            ),
            ("{{d.label.index(answerKey)}} {{d['text'][0]}} {{l[-1]}} {{q[2:5]}}", "1 x b Why"),
            ("{{s.split('####')[-1].strip() if s is defined else target}}", "12"),
            ("{{'yes' if yes else 'no'}} {{ ['A','B'][n % 2] }} {{n // 2}} {{n / 2}} {{2 ** n}}", "yes B 1 1.5 8"),
            ("{% for c in l %}{{loop.index}}. {{c}}\n{% endfor %}", "1. it's\n2. b\n"),
            ("{% set x = l|length %}{{x}}{# comment #} {{ l|join(', ') }} {{[1, no]|join('-')}}", "2 it's, b 1-None"),
            (
                "{{q|upper}}{{q.replace('Why', 'How').capitalize()}} {{ 'a-b'.split('-') }}",
                "  WHY?    how?   ['a', 'b']",
            ),
            ("{{ missing if missing is defined else 'none' }} {{ missing|default('d') }}", "none d"),
            ("{{ s|regex_replace('[0-9]+', 'N') }} {{ n|string + '!' }} {{ ' '.join(l) }}", "a #### N 3! it's b"),
            ("{{ {'a': 1}['a'] }} {{ l == ['it\\'s', 'b'] }} {{ 'x' in d.text }} {{ l|first }}", "1 True True it's"),
            (
                "{{q.split()}} {{'%s-%s'|format(n, f)}} {{ 'ab'[0] }} {{ l|last|title }} {{ n|int + 1 }}",
                "['Why?'] 3-0.5 a B 4",
            ),
            ("{%- if n > 2 -%} big {%- else -%} small {%- endif -%}", "big"),
        ] {
            assert_eq!(templates.render(template, &document).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_cannot_be_rendered_is_an_error() {
        let templates = Templates::new();
        for template in [
            "{{ missing }}",
            "{{ missing.field }}",
            "{% if %}",
            "{{ [1].index(2) }}",
            "{% for i in range(9999) %}{% for j in range(9999) %}{{j}}{% endfor %}{% endfor %}",
        ] {
            let error = templates.render(template, &json!({})).unwrap_err();
            assert!(error.contains(template), "{error}");
        }
    }
}
