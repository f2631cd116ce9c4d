use crate::arguments::Report;
use crate::commands::run::print_json;
use crate::error::CliError;
use crate::output;
use junkdna_experiment::report;
use std::path::Path;

pub fn run(arguments: &Report) -> Result<(), CliError> {
    let (found, page) = report::rewrite(&arguments.folder)?;
    if arguments.json { print_json(&found) } else { print_reports(&found, &page) }
}

/// The verdicts in a few lines, and where the page is.
pub fn print_reports(reports: &[report::Report], page: &Path) -> Result<(), CliError> {
    for report in reports {
        if reports.len() > 1 {
            output::line(&report.provenance.model)?;
        }
        report.verdict_lines().iter().try_for_each(output::line)?;
    }
    output::line(format!("report: {}", page.display()))
}
