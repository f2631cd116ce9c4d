//! The figures as tables.

use super::Report;
use crate::ExperimentError;

/// One line a compressed model and task variant: every point of every figure.
pub(super) fn scores(report: &Report) -> Result<Vec<u8>, ExperimentError> {
    let mut table = Table::new(&[
        "compression",
        "series",
        "strength",
        "effective_bits",
        "family",
        "variant",
        "level",
        "difficulty",
        "knob",
        "items",
        "chance",
        "standing",
        "accuracy",
        "accuracy_normalized",
        "score",
        "drop",
        "drop_low",
        "drop_high",
        "relative_drop",
        "relative_low",
        "relative_high",
    ])?;
    for variant in &report.variants {
        for row in report.rows_of(&variant.name) {
            let relative = row.relative_interval;
            table.line([
                row.compression.clone(),
                row.series.as_ref().map(name).unwrap_or_else(|| "dense".into()),
                row.strength.to_string(),
                row.effective_bits.to_string(),
                variant.family.clone(),
                variant.name.clone(),
                variant.level.to_string(),
                variant.difficulty.to_string(),
                variant.knob.clone(),
                variant.items.to_string(),
                variant.chance.to_string(),
                name(&variant.standing),
                row.accuracy.to_string(),
                row.accuracy_normalized.to_string(),
                row.score.to_string(),
                row.drop.to_string(),
                row.drop_interval[0].to_string(),
                row.drop_interval[1].to_string(),
                optional(row.relative_drop),
                optional(relative.map(|r| r[0])),
                optional(relative.map(|r| r[1])),
            ])?;
        }
    }
    table.finish()
}

/// One line a verdict.
pub(super) fn verdicts(report: &Report) -> Result<Vec<u8>, ExperimentError> {
    let mut table =
        Table::new(&["claim", "series", "outcome", "reason", "effect", "low", "high", "p", "rule", "excluded"])?;
    for verdict in &report.verdicts {
        table.line([
            name(&verdict.claim),
            name(&verdict.series),
            name(&verdict.outcome),
            verdict.reason.clone(),
            optional(verdict.effect),
            optional(verdict.interval.map(|i| i[0])),
            optional(verdict.interval.map(|i| i[1])),
            optional(verdict.p),
            verdict.rule.clone(),
            verdict.excluded.join("; "),
        ])?;
    }
    table.finish()
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

fn optional(value: Option<f64>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn new(header: &[&str]) -> Result<Self, ExperimentError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(header).map_err(failed)?;
        Ok(Self(writer))
    }

    fn line<const N: usize>(&mut self, fields: [String; N]) -> Result<(), ExperimentError> {
        self.0.write_record(fields).map_err(failed)
    }

    fn finish(self) -> Result<Vec<u8>, ExperimentError> {
        self.0.into_inner().map_err(|error| ExperimentError::Render(error.to_string()))
    }
}

fn failed(error: csv::Error) -> ExperimentError {
    ExperimentError::Render(error.to_string())
}
