//! The `junkdna` command line: arguments in, library calls, results out.

mod allocator;
mod arguments;
mod commands;
mod error;
mod output;
mod progress;

use arguments::{Arguments, Command};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_pages();
    let filter = tracing_subscriber::EnvFilter::try_from_env("JUNKDNA_LOG");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("junkdna: {error}");
            ExitCode::from(if error.is_request() { 2 } else { 1 })
        }
    }
}

/// Help and version as clap prints them; what is wrong with the arguments in one line, like every other error.
fn explain(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
        error.exit();
    }
    let text = error.to_string();
    let problem = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    eprintln!("junkdna: {}", problem.split_whitespace().collect::<Vec<_>>().join(" "));
    ExitCode::from(2)
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Run(arguments) => commands::run::run(arguments),
        Command::Plan(arguments) => commands::plan::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Prune(arguments) => commands::prune::run(arguments),
        Command::Quantize(arguments) => commands::quantize::run(arguments),
        Command::Finetune(arguments) => commands::finetune::run(arguments),
        Command::Eval(arguments) => commands::eval::run(&arguments),
        Command::Score(arguments) => commands::score::run(&arguments),
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::List(arguments) => commands::list::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(arguments),
    }
}
