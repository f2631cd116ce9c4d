use crate::arguments::{Experiment, Run};
use crate::commands::report::print_reports;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_experiment::{Event, Options, Plan, default_folder, run as run_plan};
use junkdna_model::Cache;

pub fn run(arguments: Run) -> Result<(), CliError> {
    let (plan, options) = read(&arguments.experiment)?;
    let mut progress = Progress::new("starting");
    let finished = run_plan(&plan, &options, |event| match event {
        Event::Loading(model) => progress.label(&format!("loading {model}")),
        Event::Planned { finished: 0, cells, models } => progress.label(&format!("{cells} cells of {models} models")),
        Event::Planned { finished, cells, models } => {
            progress.label(&format!("{finished} of {cells} cells are finished, {models} models to go"));
        }
        Event::Compressing(name) => progress.label(&name),
        Event::Scored(share) => progress.share(share),
    });
    progress.finish();
    let finished = finished?;
    match finished.page {
        None => output::line("this part is finished; run the plan without --only for its report"),
        Some(_) if arguments.json => print_json(&finished.reports),
        Some(page) => print_reports(&finished.reports, &page),
    }
}

/// The report of one model as it is, of several as a list.
pub fn print_json(reports: &[junkdna_experiment::Report]) -> Result<(), CliError> {
    match reports {
        [report] => output::json(report),
        reports => output::json(&reports),
    }
}

/// The plan, and where and on what it is run.
pub fn read(experiment: &Experiment) -> Result<(Plan, Options), CliError> {
    let plan = Plan::read_with(&experiment.plan, &experiment.set)?;
    let options = Options {
        out: experiment.out.clone().unwrap_or_else(|| default_folder(&plan)),
        cells: experiment.cells.clone(),
        only: experiment.only.clone(),
        device: experiment.device.clone(),
        cache: Cache::from_env()?,
    };
    Ok((plan, options))
}
