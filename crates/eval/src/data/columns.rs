//! Documents as rows of one table.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, btree_map::Entry};

/// Gives all documents the same fields, as the columns of Arrow do: a field that only some of them have is null in the
/// others, and where one is fractional all numbers of the field are floats.
pub fn align(documents: &mut [Value]) {
    let mut columns: BTreeMap<String, Numbers> = BTreeMap::new();
    for (name, value) in documents.iter().filter_map(Value::as_object).flatten() {
        match columns.entry(name.clone()) {
            Entry::Vacant(new) => {
                new.insert(Numbers::of(value));
            }
            Entry::Occupied(mut known) => *known.get_mut() = known.get().join(Numbers::of(value)),
        }
    }
    for document in documents.iter_mut().filter_map(Value::as_object_mut) {
        complete(document, &columns);
    }
}

fn complete(document: &mut Map<String, Value>, columns: &BTreeMap<String, Numbers>) {
    for (name, numbers) in columns {
        match document.get_mut(name) {
            None => {
                document.insert(name.clone(), Value::Null);
            }
            Some(value) if *numbers == Numbers::Floats => {
                if let Some(number) = value.as_i64() {
                    *value = Value::from(number as f64);
                }
            }
            Some(_) => {}
        }
    }
}

/// What numbers a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Numbers {
    /// None, or no others than integers.
    Integers,
    Floats,
}

impl Numbers {
    fn of(value: &Value) -> Self {
        if value.is_f64() { Self::Floats } else { Self::Integers }
    }

    fn join(self, other: Self) -> Self {
        self.max(other)
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
