//! Files that are whole or not there.

use crate::FinetuneError;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes a file beside its place, then renames it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FinetuneError> {
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(path.file_name().unwrap_or_default());
    hidden.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(hidden);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&beside); // the first error is the one to report
    }
    placed.map_err(FinetuneError::io(path))
}
