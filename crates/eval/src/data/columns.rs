//! Documents as rows of one table.

use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of all documents of a table, each with the numbers it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns(BTreeMap<String, Numbers>);

impl Columns {
    /// Takes the fields of one more document.
    pub fn add(&mut self, document: &Value) {
        for (name, value) in document.as_object().into_iter().flatten() {
            self.insert(name, Numbers::of(value));
        }
    }

    /// Takes a field.
    pub fn insert(&mut self, name: &str, numbers: Numbers) {
        match self.0.get_mut(name) {
            Some(known) => *known = (*known).max(numbers),
            None => {
                self.0.insert(name.to_owned(), numbers);
            }
        }
    }

    /// Takes the fields of another table.
    pub fn join(&mut self, other: Self) {
        other.0.iter().for_each(|(name, &numbers)| self.insert(name, numbers));
    }
}

/// A document with the fields of its table, as the columns of Arrow have them: one that it lacks is null, and where one is
/// fractional in any document all numbers of the field are floats.
pub(crate) fn complete(mut document: Value, columns: &Columns) -> Value {
    let Some(fields) = document.as_object_mut() else { return document };
    for (name, numbers) in &columns.0 {
        match fields.get_mut(name) {
            None => {
                fields.insert(name.clone(), Value::Null);
            }
            Some(value) if *numbers == Numbers::Floats => {
                if let Some(number) = value.as_i64() {
                    *value = Value::from(number as f64);
                }
            }
            Some(_) => {}
        }
    }
    document
}

/// Gives all documents the same fields, as the columns of Arrow do: a field that only some of them have is null in the
/// others, and where one is fractional all numbers of the field are floats.
pub fn align(documents: &mut [Value]) {
    let mut columns = Columns::default();
    documents.iter().for_each(|document| columns.add(document));
    for document in documents {
        *document = complete(document.take(), &columns);
    }
}

/// What numbers a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Numbers {
    /// None, or no others than integers.
    Integers,
    /// Fractions too.
    Floats,
}

impl Numbers {
    fn of(value: &Value) -> Self {
        if value.is_f64() { Self::Floats } else { Self::Integers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_get_the_fields_and_numbers_of_their_table() {
        let mut documents = vec![json!({"a": 1, "b": "x"}), json!({"a": 2.5})];
        align(&mut documents);
        assert_eq!(documents, [json!({"a": 1.0, "b": "x"}), json!({"a": 2.5, "b": null})]);
    }
}
