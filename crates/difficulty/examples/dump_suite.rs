//! Prints the built-in suite as JSON lines, one variant per line.
//!
//! `cargo run -p junkdna-difficulty --example dump_suite -- [CONFIG.json]`; without a file, the quickstart suite. The
//! file holds a `SuiteConfig`; what it leaves out has its default.

use std::error::Error;

use junkdna_difficulty::suite::{SuiteConfig, generate};

fn main() -> Result<(), Box<dyn Error>> {
    let config = match std::env::args().nth(1) {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)?,
        None => SuiteConfig::quickstart(0),
    };
    for variant in generate(&config)? {
        println!("{}", serde_json::to_string(&variant)?);
    }
    Ok(())
}
