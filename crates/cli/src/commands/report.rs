use crate::arguments::Report;
use crate::error::CliError;
use crate::output;
use junkdna_experiment::report;
use std::path::Path;

pub fn run(arguments: &Report) -> Result<(), CliError> {
    let (found, page) = report::rewrite(&arguments.folder)?;
    if arguments.json { output::json(&found) } else { print_verdicts(&found, &page) }
}

/// The verdicts in a few lines, and where the page is.
pub fn print_verdicts(report: &report::Report, page: &Path) -> Result<(), CliError> {
    report.verdict_lines().iter().try_for_each(output::line)?;
    output::line(format!("report: {}", page.display()))
}
