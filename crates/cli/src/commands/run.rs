use crate::arguments::Run;
use crate::error::CliError;
use crate::progress::Progress;
use crate::{commands::report::print_verdicts, output};
use junkdna_experiment::{Event, Options, Plan, run as run_plan};
use junkdna_model::Cache;

pub fn run(arguments: Run) -> Result<(), CliError> {
    let plan = Plan::read(&arguments.plan)?;
    let out = arguments.out.unwrap_or_else(|| std::path::Path::new("results").join(&plan.name));
    let options = Options { out, device: arguments.device, cache: Cache::from_env()? };
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
    if arguments.json { output::json(&finished.report) } else { print_verdicts(&finished.report, &finished.page) }
}
