use crate::arguments::Report;
use crate::error::CliError;
use crate::table;
use junkdna_experiment::report;
use std::path::Path;

pub fn run(arguments: &Report) -> Result<(), CliError> {
    let (found, page) = report::rewrite(&arguments.folder)?;
    if arguments.json {
        table::print_json(&found);
    } else {
        print_verdicts(&found, &page);
    }
    Ok(())
}

/// The verdicts in a few lines, and where the page is.
pub fn print_verdicts(report: &report::Report, page: &Path) {
    for line in report.verdict_lines() {
        println!("{line}");
    }
    println!("report: {}", page.display());
}
