//! What an experiment found, for people and for programs.

mod chart;
mod csv_files;
mod page;
mod rows;
mod summary;
mod verdicts;
mod words;

pub use rows::{Row, VariantRow};
pub use summary::Report;

use crate::{ExperimentError, write_whole};
use std::path::{Path, PathBuf};

/// Writes `report.html`, `report.json`, `scores.csv` and `verdicts.csv`; returns the page.
///
/// # Errors
/// A folder that cannot be written to; each file is whole or untouched.
pub fn write(report: &Report, folder: &Path) -> Result<PathBuf, ExperimentError> {
    let json = serde_json::to_vec_pretty(report).map_err(|error| ExperimentError::Render(error.to_string()))?;
    write_whole(&folder.join("report.json"), &json)?;
    write_whole(&folder.join("scores.csv"), &csv_files::scores(report)?)?;
    write_whole(&folder.join("verdicts.csv"), &csv_files::verdicts(report)?)?;
    let page = folder.join("report.html");
    write_whole(&page, page::render(report)?.as_bytes())?;
    Ok(page)
}

/// Reads the report of a folder of results and writes its files again, for example after an update changed the page.
///
/// # Errors
/// A folder without a report, or with a broken one.
pub fn rewrite(folder: &Path) -> Result<(Report, PathBuf), ExperimentError> {
    let path = folder.join("report.json");
    let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ExperimentError::Results {
            path: folder.to_owned(),
            problem: "holds no report.json; name the folder of a finished `junkdna run`".into(),
        },
        _ => ExperimentError::Io { path: path.clone(), source },
    })?;
    let report = serde_json::from_str(&text)
        .map_err(|error| ExperimentError::Results { path, problem: format!("is no report: {error}") })?;
    let page = write(&report, folder)?;
    Ok((report, page))
}
