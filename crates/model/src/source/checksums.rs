//! Checksums of unpacked files, kept beside them and compared whenever the files are used.

use crate::checkpoint::{atomic_write, file_length, read_text};
use crate::error::ModelError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const NAME: &str = "checksums.json";

/// SHA-256 digests in hexadecimal: of an archive, and of the files that came out of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksums {
    /// Of the archive.
    pub(super) archive: String,
    /// Of each file, by its path relative to the folder, with `/` between parts.
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    sha256: String,
}

impl Checksums {
    /// Digests of an archive and of files in a folder.
    pub(super) fn of(archive: &Path, folder: &Path, files: &[PathBuf]) -> Result<Self, ModelError> {
        let mut entries = BTreeMap::new();
        for file in files {
            let path = folder.join(file);
            let entry = Entry { bytes: file_length(&path)?, sha256: sha256(&path)? };
            entries.insert(file.to_string_lossy().into_owned(), entry);
        }
        Ok(Self { archive: sha256(archive)?, files: entries })
    }

    /// Writes the digests into the folder of the files.
    pub(super) fn write(&self, folder: &Path) -> Result<(), ModelError> {
        let path = folder.join(NAME);
        let text =
            serde_json::to_string_pretty(self).map_err(|error| ModelError::format(&path, "JSON", error.to_string()))?;
        atomic_write(&path, text.as_bytes())
    }
}

/// Compares the files of a folder with their digests.
pub(super) fn verify(folder: &Path) -> Result<Checksums, ModelError> {
    let path = folder.join(NAME);
    let changed = |path: &Path, problem: String| ModelError::Checksum {
        path: path.to_owned(),
        folder: folder.to_owned(),
        problem,
    };
    if !path.is_file() {
        return Err(changed(&path, "is missing".to_owned()));
    }
    let checksums: Checksums = serde_json::from_str(&read_text(&path)?)
        .map_err(|error| changed(&path, format!("is not readable: {error}")))?;
    checksums.files.par_iter().try_for_each(|(name, entry)| {
        let path = folder.join(name);
        compare(&path, entry)?.map_or(Ok(()), |problem| Err(changed(&path, problem)))
    })?;
    Ok(checksums)
}

/// What differs between a file and its entry. The size is looked at first, it costs nothing.
fn compare(path: &Path, entry: &Entry) -> Result<Option<String>, ModelError> {
    if !path.is_file() {
        return Ok(Some("is missing".to_owned()));
    }
    let bytes = file_length(path)?;
    if bytes != entry.bytes {
        let problem = format!("is {bytes} bytes long, it was {} when unpacked", entry.bytes);
        return Ok(Some(problem));
    }
    let found = sha256(path)?;
    Ok((found != entry.sha256).then(|| format!("has SHA-256 {found}, it had {} when unpacked", entry.sha256)))
}

/// The digest of a file, read in pieces.
fn sha256(path: &Path) -> Result<String, ModelError> {
    let mut file = File::open(path).map_err(ModelError::io(path))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).map_err(ModelError::io(path))?;
        if length == 0 {
            return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        digest.update(&buffer[..length]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_is_sha_256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(super::sha256(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
