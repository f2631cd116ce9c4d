//! Standard output: lines, tables, JSON.

use crate::error::CliError;
use std::io::Write;

/// One line.
pub fn line(text: impl AsRef<str>) -> Result<(), CliError> {
    writeln!(std::io::stdout().lock(), "{}", text.as_ref()).map_err(CliError::Output)
}

/// Rows under a header, columns as wide as their widest cell, numbers to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
    let columns: Vec<(usize, bool)> = (0..header.len())
        .map(|column| {
            let cells = || rows.iter().map(|row| row[column].as_str());
            let width = cells().chain([header[column]]).map(|cell| cell.chars().count()).max();
            (width.unwrap_or(0), cells().all(is_number))
        })
        .collect();
    let render = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&columns).map(|(cell, &(width, number))| match number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        line(padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    render(header.to_vec())?;
    rows.iter().try_for_each(|row| render(row.iter().map(String::as_str).collect()))
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit() || "-±".contains(c))
}

/// A value as pretty JSON.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))?;
    line(text)
}
