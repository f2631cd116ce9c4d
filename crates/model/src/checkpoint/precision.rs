//! Which precisions a checkpoint is stored in, in one line.

use std::collections::BTreeMap;

/// Counts tensors by stored type, the type that holds most elements first.
pub(super) fn describe(tensors: impl Iterator<Item = (String, usize)>) -> String {
    let mut totals: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (dtype, elements) in tensors {
        let total = totals.entry(dtype).or_default();
        total.0 += 1;
        total.1 = total.1.saturating_add(elements);
    }
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_by_key(|(_, (_, elements))| std::cmp::Reverse(*elements));
    let parts = totals.iter().enumerate().map(|(i, (dtype, (count, _)))| {
        let noun = match (i, count) {
            (0, 1) => " tensor",
            (0, _) => " tensors",
            _ => "",
        };
        format!("{dtype} ({count}{noun})")
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_type_with_most_elements_comes_first() {
        let tensors = [("F32", 10), ("Q4_1", 600), ("Q4_1", 600), ("Q8_0", 900)];
        let line = super::describe(tensors.into_iter().map(|(d, n)| (d.to_owned(), n)));
        assert_eq!(line, "Q4_1 (2 tensors), Q8_0 (1), F32 (1)");
    }
}
