//! The figures as tables.

use super::Report;
use super::table::{Column, Table};

/// One line a compressed model and task variant: every point of every figure.
pub(super) fn scores(report: &Report) -> Table {
    let pairs: Vec<_> = report
        .variants
        .iter()
        .flat_map(|variant| report.rows_of(&variant.name).map(move |row| (variant, row)))
        .collect();
    macro_rules! column {
        ($kind:ident, |$variant:ident, $row:ident| $value:expr) => {
            Column::$kind(pairs.iter().map(|&($variant, $row)| $value).collect())
        };
    }
    let mut table = Table::default();
    table.add("compression", column!(Text, |_v, row| row.compression.clone()));
    table.add("series", column!(Text, |_v, row| row.series.as_ref().map_or_else(|| "dense".into(), name)));
    table.add("strength", column!(Number, |_v, row| Some(row.strength)));
    table.add("effective_bits", column!(Number, |_v, row| Some(row.effective_bits)));
    table.add("family", column!(Text, |variant, _r| variant.family.clone()));
    table.add("variant", column!(Text, |variant, _r| variant.name.clone()));
    table.add("level", column!(Count, |variant, _r| variant.level));
    table.add("difficulty", column!(Number, |variant, _r| Some(variant.difficulty)));
    table.add("knob", column!(Text, |variant, _r| variant.knob.clone()));
    table.add("items", column!(Count, |variant, _r| variant.items));
    table.add("chance", column!(Number, |variant, _r| Some(variant.chance)));
    table.add("standing", column!(Text, |variant, _r| name(&variant.standing)));
    table.add("accuracy", column!(Number, |_v, row| Some(row.accuracy)));
    table.add("accuracy_normalized", column!(Number, |_v, row| Some(row.accuracy_normalized)));
    table.add("score", column!(Number, |_v, row| Some(row.score)));
    table.add("drop", column!(Number, |_v, row| Some(row.drop)));
    table.add("drop_low", column!(Number, |_v, row| Some(row.drop_interval[0])));
    table.add("drop_high", column!(Number, |_v, row| Some(row.drop_interval[1])));
    table.add("relative_drop", column!(Number, |_v, row| row.relative_drop));
    table.add("relative_low", column!(Number, |_v, row| row.relative_interval.map(|i| i[0])));
    table.add("relative_high", column!(Number, |_v, row| row.relative_interval.map(|i| i[1])));
    table
}

/// One line a verdict.
pub(super) fn verdicts(report: &Report) -> Table {
    macro_rules! column {
        ($kind:ident, |$verdict:ident| $value:expr) => {
            Column::$kind(report.verdicts.iter().map(|$verdict| $value).collect())
        };
    }
    let mut table = Table::default();
    table.add("claim", column!(Text, |verdict| name(&verdict.claim)));
    table.add("series", column!(Text, |verdict| name(&verdict.series)));
    table.add("outcome", column!(Text, |verdict| name(&verdict.outcome)));
    table.add("reason", column!(Text, |verdict| verdict.reason.clone()));
    table.add("effect", column!(Number, |verdict| verdict.effect));
    table.add("low", column!(Number, |verdict| verdict.interval.map(|i| i[0])));
    table.add("high", column!(Number, |verdict| verdict.interval.map(|i| i[1])));
    table.add("p", column!(Number, |verdict| verdict.p));
    table.add("rule", column!(Text, |verdict| verdict.rule.clone()));
    table.add("models", column!(Text, |verdict| verdict.models.join("; ")));
    table.add("excluded", column!(Text, |verdict| verdict.excluded.join("; ")));
    table
}

/// One line an answer.
pub(super) fn answers(report: &Report) -> Table {
    let (mut compression, mut variant, mut item, mut choice, mut correct) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for asked in &report.asked {
        for chosen in &asked.answers {
            for ((question, picked), right) in asked.items.iter().zip(&chosen.choice).zip(&chosen.correct) {
                compression.push(chosen.compression.clone());
                variant.push(asked.variant.clone());
                item.push(question.id.clone());
                choice.push(picked.and_then(|at| question.choices.get(at)).cloned().unwrap_or_default());
                correct.push(usize::from(*right));
            }
        }
    }
    let mut table = Table::default();
    table.add("compression", Column::Text(compression));
    table.add("variant", Column::Text(variant));
    table.add("item", Column::Text(item));
    table.add("choice", Column::Text(choice));
    table.add("correct", Column::Count(correct));
    table
}

/// The name that a value has in `report.json`.
pub(super) fn name<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(map)) => {
            map.into_values().next().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        }
        _ => String::new(),
    }
}
