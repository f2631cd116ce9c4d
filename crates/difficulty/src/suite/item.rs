use serde::{Deserialize, Serialize};

use super::Family;

/// How an item is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The likeliest of the choices.
    #[default]
    Choice,
    /// What greedy decoding writes; right where it begins with one of the choices, which are all right.
    Free,
}

impl Form {
    fn is_choice(&self) -> bool {
        *self == Self::Choice
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Names the base item: equal across the levels of a family (levels are paired), unique within a variant.
    pub id: String,
    /// What the model reads first; empty only where whole sentences are compared.
    pub context: String,
    /// The continuations to compare, at least two, all different; of a free answer those that are right.
    pub choices: Vec<String>,
    /// Index of the right one in `choices`; 0 for a free answer.
    pub gold: usize,
    /// How it is answered.
    #[serde(default, skip_serializing_if = "Form::is_choice")]
    pub form: Form,
}

/// The items of one family at one level of difficulty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Name of the family, e.g. "facts".
    pub family: String,
    /// Name of the variant, unique in the suite, e.g. "facts/options=4".
    pub name: String,
    /// Rank of the difficulty within the family, 0 = easiest.
    pub level: usize,
    /// The knob's own number: options, digits, shots, tokens of the passage, attractors.
    pub difficulty: f64,
    /// What `difficulty` counts, e.g. "options".
    pub knob: String,
    /// The questions, in the same order of base items at every level.
    pub items: Vec<Item>,
}

impl Variant {
    pub(super) fn new(family: Family, level: usize, setting: usize, items: Vec<Item>) -> Self {
        let knob = family.knob();
        Self {
            family: family.name().to_owned(),
            name: format!("{family}/{knob}={setting}"),
            level,
            difficulty: setting as f64,
            knob: knob.to_owned(),
            items,
        }
    }
}
