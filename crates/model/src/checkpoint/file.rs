//! Files read by ranges of bytes, and written whole or not at all.

use crate::error::ModelError;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Configuration and tokenizer files are read whole; nothing sensible is larger than this.
const MAX_TEXT: u64 = 1 << 30;

/// The length of a file in bytes.
pub(crate) fn file_length(path: &Path) -> Result<u64, ModelError> {
    Ok(std::fs::metadata(path).map_err(ModelError::io(path))?.len())
}

/// Reads `length` bytes from `offset`; the caller has checked both against the file's length.
pub(crate) fn read_range(path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, ModelError> {
    let mut file = File::open(path).map_err(ModelError::io(path))?;
    file.seek(SeekFrom::Start(offset)).map_err(ModelError::io(path))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).map_err(ModelError::io(path))?;
    Ok(bytes)
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, ModelError> {
    let length = file_length(path)?;
    if length > MAX_TEXT {
        let problem = format!("is {length} bytes long, at most {MAX_TEXT} are expected");
        return Err(ModelError::format(path, "file", problem));
    }
    std::fs::read_to_string(path).map_err(ModelError::io(path))
}

/// Writes a file beside its place and renames it, so that nobody sees half of it.
pub(crate) fn atomic_write(path: &Path, contents: &[u8]) -> Result<(), ModelError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".junkdna-")
        .permissions_like_a_new_file()
        .tempfile_in(folder)
        .map_err(ModelError::io(folder))?;
    file.write_all(contents).map_err(ModelError::io(path))?;
    file.persist(path).map_err(|error| ModelError::io(path)(error.error))?;
    Ok(())
}

/// Temporary files are private by default; what is renamed into place should be as readable as any new file.
trait NewFilePermissions {
    fn permissions_like_a_new_file(&mut self) -> &mut Self;
}

impl NewFilePermissions for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_like_a_new_file(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask still applies.
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_like_a_new_file(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        atomic_write(&path, b"old").unwrap();
        atomic_write(&path, b"new").unwrap();
        assert_eq!(read_text(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_range_past_the_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        std::fs::write(&path, [1, 2, 3]).unwrap();
        assert_eq!(read_range(&path, 1, 2).unwrap(), [2, 3]);
        assert!(read_range(&path, 2, 2).is_err());
    }
}
