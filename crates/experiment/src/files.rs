//! Files that are whole or absent.

use crate::ExperimentError;
use std::fmt::Display;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that is written bit by bit beside its place and renamed at the end: whoever reads finds the old contents, the new,
/// or none, never a part. Without [`WholeFile::finish`] nothing is left of it.
pub struct WholeFile {
    path: PathBuf,
    beside: BufWriter<NamedTempFile>,
}

impl WholeFile {
    /// Begins a file, whose folder is made if it is not there.
    ///
    /// # Errors
    /// [`ExperimentError::Io`], for example in a folder that may not be written.
    pub fn create(path: &Path) -> Result<Self, ExperimentError> {
        let io = |source| ExperimentError::Io { path: path.to_owned(), source };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(io)?;
        let beside = tempfile::Builder::new().prefix(".junkdna-").tempfile_in(folder).map_err(io)?;
        Ok(Self { path: path.to_owned(), beside: BufWriter::new(beside) })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`ExperimentError::Io`], for example on a full disk.
    pub fn line(&mut self, line: impl Display) -> Result<(), ExperimentError> {
        writeln!(self.beside, "{line}").map_err(|source| self.io(source))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// Those of [`WholeFile::line`].
    pub fn write(&mut self, contents: &[u8]) -> Result<(), ExperimentError> {
        self.beside.write_all(contents).map_err(|source| self.io(source))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`ExperimentError::Io`]; the old contents then stay.
    pub fn finish(self) -> Result<(), ExperimentError> {
        let Self { path, beside } = self;
        let io = |source| ExperimentError::Io { path: path.clone(), source };
        let beside = beside.into_inner().map_err(|error| io(error.into_error()))?;
        beside.as_file().sync_all().map_err(io)?;
        make_readable(beside.as_file()).map_err(io)?;
        beside.persist(&path).map_err(|error| io(error.error))?;
        Ok(())
    }

    fn io(&self, source: std::io::Error) -> ExperimentError {
        ExperimentError::Io { path: self.path.clone(), source }
    }
}

/// Writes a [`WholeFile`] in one piece.
///
/// # Errors
/// [`ExperimentError::Io`], for example on a full disk; the old contents then stay.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), ExperimentError> {
    let mut file = WholeFile::create(path)?;
    file.write(contents)?;
    file.finish()
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
