//! Files that are whole or absent.

use crate::ExperimentError;
use std::io::Write;
use std::path::Path;

/// Writes a file beside its place and renames it: whoever reads finds the old contents, the new, or none, never a part.
///
/// # Errors
/// [`ExperimentError::Io`], for example on a full disk; the old contents then stay.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), ExperimentError> {
    let io = |source| ExperimentError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut beside = tempfile::Builder::new().prefix(".junkdna-").tempfile_in(folder).map_err(io)?;
    beside.write_all(contents).and_then(|()| beside.as_file().sync_all()).map_err(io)?;
    make_readable(beside.as_file()).map_err(io)?;
    beside.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Temporary files are private; results are for everybody who may read the folder.
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}
