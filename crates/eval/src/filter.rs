//! What is done with generated answers before they are measured.

use crate::node::Node;
use crate::python::Pattern;
use serde_json::Value;
use std::collections::HashMap;

/// Steps, one after the other, under a name that the table of results shows.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// The match at a place among all matches, counted from the end if negative.
    Regex {
        pattern: Pattern,
        select: i64,
        fallback: String,
    },
    Map {
        table: HashMap<String, String>,
        default: String,
    },
    Lowercase,
    Uppercase,
    RemoveWhitespace,
    MajorityVote,
    TakeFirst,
    TakeFirstK(usize),
}

impl Pipeline {
    /// The first answer as it is.
    pub(crate) fn none() -> Self {
        Self { name: "none".into(), steps: vec![Step::TakeFirst] }
    }

    /// From an entry of `filter_list`.
    pub(crate) fn new(entries: &[(String, Node)]) -> Result<Self, String> {
        let entry = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, node)| node);
        let (Some(Node::Text(name)), Some(Node::List(steps))) = (entry("name"), entry("filter")) else {
            return Err("each needs a `name` and a list `filter`".into());
        };
        let steps: Vec<Step> = steps.iter().map(Step::new).collect::<Result<_, _>>()?;
        if !matches!(steps.last(), Some(Step::TakeFirst)) {
            return Err(format!("`{name}` must end with take_first: one answer is measured"));
        }
        Ok(Self { name: name.clone(), steps })
    }

    /// One answer from those to one document.
    ///
    /// # Errors
    /// A regular expression that does not end; fewer answers than a step takes.
    pub fn apply(&self, answers: &[String]) -> Result<String, String> {
        let mut answers = answers.to_vec();
        for step in &self.steps {
            answers = step.apply(answers)?;
        }
        answers.into_iter().next().ok_or_else(|| "there is no answer".into())
    }
}

impl Step {
    fn new(node: &Node) -> Result<Self, String> {
        let Node::Map(entries) = node else { return Err(format!("a step is {}, a map is expected", node.kind())) };
        let option = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, node)| node.to_json());
        let text = |key: &str, default: &str| match option(key) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(format!("{key} is {other}, a text is expected")),
        };
        let function = text("function", "")?;
        let (step, known): (_, &[&str]) = match function.as_str() {
            "regex" => {
                let pattern = Pattern::new(&text("regex_pattern", r"#### (\-?[0-9\.\,]+)")?)?;
                let select = option("group_select").and_then(|select| select.as_i64()).unwrap_or(0);
                let step = Self::Regex { pattern, select, fallback: text("fallback", "[invalid]")? };
                (step, &["regex_pattern", "group_select", "fallback"])
            }
            "map" => {
                let table = option("mapping_dict").unwrap_or_default();
                let table = table.as_object().into_iter().flatten();
                let table = table.map(|(key, value)| (key.clone(), crate::task::text(value))).collect();
                let default = option("default_value").map_or("None".into(), |value| crate::task::text(&value));
                (Self::Map { table, default }, &["mapping_dict", "default_value"])
            }
            "lowercase" => (Self::Lowercase, &[]),
            "uppercase" => (Self::Uppercase, &[]),
            "remove_whitespace" => (Self::RemoveWhitespace, &[]),
            "majority_vote" => (Self::MajorityVote, &[]),
            "take_first" => (Self::TakeFirst, &[]),
            "take_first_k" => {
                let k = option("k").and_then(|k| k.as_u64()).ok_or("take_first_k needs a count `k`")?;
                (Self::TakeFirstK(k as usize), &["k"])
            }
            other => return Err(format!("the filter `{other}` is not known")),
        };
        match entries.iter().find(|(key, _)| key != "function" && !known.contains(&key.as_str())) {
            Some((key, _)) => Err(format!("`{key}` is no option of the filter {function}")),
            None => Ok(step),
        }
    }

    fn apply(&self, mut answers: Vec<String>) -> Result<Vec<String>, String> {
        let each = |change: &dyn Fn(&str) -> String| answers.iter().map(|answer| change(answer)).collect();
        Ok(match self {
            Self::Regex { pattern, select, fallback } => {
                let answer = |answer: &String| Ok(matched(pattern.find_all(answer)?, *select, fallback));
                answers.iter().map(answer).collect::<Result<_, String>>()?
            }
            Self::Map { table, default } => each(&|answer| table.get(answer).unwrap_or(default).clone()),
            Self::Lowercase => each(&str::to_lowercase),
            Self::Uppercase => each(&str::to_uppercase),
            Self::RemoveWhitespace => each(&|answer| answer.trim().to_owned()),
            Self::MajorityVote => most_common(&answers).into_iter().collect(),
            Self::TakeFirst => {
                answers.truncate(1);
                answers
            }
            Self::TakeFirstK(k) if answers.len() < *k => {
                return Err(format!("take_first_k wants {k} answers, there are {}", answers.len()));
            }
            Self::TakeFirstK(k) => {
                answers.truncate(*k);
                answers
            }
        })
    }
}

/// Of the selected match the first group that is not empty.
fn matched(matches: Vec<Vec<String>>, select: i64, fallback: &str) -> String {
    let place = if select < 0 { matches.len() as i64 + select } else { select };
    let groups = usize::try_from(place).ok().and_then(|place| matches.get(place));
    match groups {
        Some(groups) if groups.len() == 1 => groups[0].trim().to_owned(),
        Some(groups) => groups.iter().find(|group| !group.is_empty()).map_or(fallback, |group| group.trim()).to_owned(),
        None => fallback.to_owned(),
    }
}

/// The most common answer; of several the one that came first.
fn most_common(answers: &[String]) -> Option<String> {
    let mut counts: HashMap<&str, (usize, std::cmp::Reverse<usize>)> = HashMap::new();
    for (place, answer) in answers.iter().enumerate() {
        counts.entry(answer).or_insert((0, std::cmp::Reverse(place))).0 += 1;
    }
    counts.into_iter().max_by_key(|&(_, rank)| rank).map(|(answer, _)| answer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(steps: &[&[(&str, Node)]]) -> Result<Pipeline, String> {
        let map = |step: &&[(&str, Node)]| Node::Map(step.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
        let steps = Node::List(steps.iter().map(map).collect());
        Pipeline::new(&[("name".into(), t("f")), ("filter".into(), steps)])
    }

    fn t(text: &str) -> Node {
        Node::Text(text.into())
    }

    // From lm-evaluation-harness 0.4.13.
    #[test]
    fn answers_are_extracted_as_in_the_harness() {
        let take_first: &[(&str, Node)] = &[("function", t("take_first"))];
        let regex = |pattern: &str, select| {
            let options =
                [("function", t("regex")), ("regex_pattern", t(pattern)), ("group_select", Node::Int(select))];
            let pipeline = pipeline(&[&options, take_first]).unwrap();
            move |text: &str| pipeline.apply(&[text.to_owned()]).unwrap()
        };
        let strict = regex(r"#### (\-?[0-9\.\,]+)", 0);
        assert_eq!([strict("so #### 1,200 #### 3"), strict("none")], ["1,200", "[invalid]"]);
        let flexible = regex(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", -1);
        assert_eq!([flexible("it is $12. or 7"), flexible("")], ["7", "[invalid]"]);
        assert_eq!(regex("[a-z]+", 5)("one two"), "[invalid]");
        let vote = pipeline(&[&[("function", t("majority_vote"))], take_first]).unwrap();
        assert_eq!(vote.apply(&["b", "a", "c", "a", "b"].map(str::to_owned)).unwrap(), "b");
    }

    #[test]
    fn what_is_no_pipeline_says_why() {
        let unended = [("function", t("regex"))];
        let unknown = [("function", t("what"))];
        let option = [("function", t("lowercase")), ("k", Node::Int(1))];
        let broken = [("function", t("regex")), ("regex_pattern", t("("))];
        let cases: [(&[(&str, Node)], &str); 4] =
            [(&unended, "take_first"), (&unknown, "`what`"), (&option, "`k`"), (&broken, "`(`")];
        for (step, part) in cases {
            assert!(pipeline(&[step]).unwrap_err().contains(part));
        }
    }
}
