use crate::arguments::PlanArguments;
use crate::commands::run::read;
use crate::error::CliError;
use crate::output;
use junkdna_experiment::{Estimate, ModelEstimate, estimate};

pub fn run(arguments: &PlanArguments) -> Result<(), CliError> {
    let (plan, options) = read(&arguments.experiment)?;
    let estimate = estimate(&plan, &options, !arguments.without_model)?;
    if arguments.json { output::json(&estimate) } else { print(&estimate) }
}

fn print(estimate: &Estimate) -> Result<(), CliError> {
    let row = |model: &ModelEstimate| {
        let speed = model.tokens_per_second.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.0}"));
        vec![
            model.model.clone(),
            model.variants.to_string(),
            model.compressions.to_string(),
            format!("{} of {}", model.cells - model.finished, model.cells),
            model.tokens.to_string(),
            speed,
            model.seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.1} min", seconds / 60.0)),
        ]
    };
    let header = ["model", "task variants", "models to score", "cells to go", "tokens", "tokens/s", "time"];
    output::table(&header, &estimate.models.iter().map(row).collect::<Vec<_>>())?;
    output::line(format!("disk: {:.1} MB", estimate.disk as f64 / 1e6))?;
    for found in &estimate.power {
        let needed = found.items_needed.map_or("more than 1000".to_owned(), |items| items.to_string());
        output::line(format!(
            "power {:.2} for {:?} (0.9 with {needed} questions a level), assuming {}",
            found.power, found.claim, found.assumed
        ))?;
    }
    estimate.warnings.iter().try_for_each(|warning| output::line(format!("warning: {warning}")))
}
