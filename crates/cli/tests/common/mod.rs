//! What the end-to-end tests share.
#![allow(dead_code, reason = "each test file uses a part")]

use assert_cmd::Command;
use std::path::PathBuf;

/// The binary under test.
pub fn junkdna() -> Command {
    Command::cargo_bin("junkdna").unwrap()
}

/// A file of published numbers; where it is absent the test says so and passes.
pub fn reference(file: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference");
    let folder = std::env::var("JUNKDNA_REFERENCE_DIR").unwrap_or_else(|_| default.into());
    let path = PathBuf::from(folder).join(file);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}
