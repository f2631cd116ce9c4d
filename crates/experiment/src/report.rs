//! What an experiment found, for people and for programs.

mod arrows;
mod chart;
mod index;
mod page;
mod plots;
mod rows;
mod summary;
mod table;
mod tables;
mod verdicts;
mod words;

pub(crate) use index::write_index;
pub use rows::{Row, VariantRow};
pub use summary::{Asked, Chosen, ModelCost, Provenance, Report};

use crate::{ExperimentError, write_whole};
use std::path::{Path, PathBuf};

/// Writes `report.html`, `report.json`, every question with every answer in `answers.json`, tables as CSV and Parquet, and
/// the figures in `plots/`; returns the page.
///
/// # Errors
/// A folder that cannot be written to; each file is whole or untouched.
pub fn write(report: &Report, folder: &Path) -> Result<PathBuf, ExperimentError> {
    let json =
        |value: Result<Vec<u8>, serde_json::Error>| value.map_err(|error| ExperimentError::Render(error.to_string()));
    write_whole(&folder.join("report.json"), &json(serde_json::to_vec_pretty(report))?)?;
    write_whole(&folder.join("answers.json"), &json(serde_json::to_vec(&report.asked))?)?;
    let tables = [
        ("scores", tables::scores(report)),
        ("verdicts", tables::verdicts(report)),
        ("answers", tables::answers(report)),
    ];
    for (name, table) in tables {
        write_whole(&folder.join(format!("{name}.csv")), &table.csv()?)?;
        write_whole(&folder.join(format!("{name}.parquet")), &table.parquet()?)?;
    }
    plots::write(report, &folder.join("plots"))?;
    let page = folder.join("report.html");
    write_whole(&page, page::render(report)?.as_bytes())?;
    Ok(page)
}

/// Reads the reports of a folder of results, one a model, and writes their files again, for example after an update changed
/// the page.
///
/// # Errors
/// A folder without a report, or with a broken one.
pub fn rewrite(folder: &Path) -> Result<(Vec<Report>, PathBuf), ExperimentError> {
    if folder.join("report.json").is_file() {
        let report = read(folder)?;
        let page = write(&report, folder)?;
        return Ok((vec![report], page));
    }
    let none = || ExperimentError::Results {
        path: folder.to_owned(),
        problem: "holds no report.json; name the folder of a finished `junkdna run`".into(),
    };
    let entries = std::fs::read_dir(folder).map_err(|_| none())?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|inner| inner.join("report.json").is_file());
    folders.sort();
    let one = |inner: PathBuf| {
        let report = read(&inner)?;
        let page = write(&report, &inner)?;
        Ok((report, page))
    };
    let found: Vec<(Report, PathBuf)> = folders.into_iter().map(one).collect::<Result<_, ExperimentError>>()?;
    let name = found.first().map(|(report, _)| report.plan.name.clone()).ok_or_else(none)?;
    let page = write_index(&name, &found, folder)?;
    Ok((found.into_iter().map(|(report, _)| report).collect(), page))
}

fn read(folder: &Path) -> Result<Report, ExperimentError> {
    let mut report: Report = parse(&folder.join("report.json"))?;
    report.asked = parse(&folder.join("answers.json"))?;
    Ok(report)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ExperimentError> {
    let text = std::fs::read_to_string(path).map_err(|source| ExperimentError::Io { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|error| ExperimentError::Results {
        path: path.to_owned(),
        problem: format!("is no report of this version: {error}; run the plan again, its cells are kept"),
    })
}
