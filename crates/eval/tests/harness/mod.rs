//! The Python package that the scripts of this folder call.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The Python with lm_eval; in CI it must be there.
pub fn python() -> Option<String> {
    let found = std::env::var("JUNKDNA_PYTHON").ok();
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs JUNKDNA_PYTHON");
        eprintln!("skipped: needs JUNKDNA_PYTHON, a Python with lm_eval");
    }
    found
}

/// What a script of this folder prints, a JSON value a line.
pub fn run(python: &str, script: &str, arguments: &[&Path]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness").join(script);
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
