//! What a model is, wherever it lies.

use crate::ExperimentError;
use crate::cell::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// SHA-256 of a file, or of the names and contents of the files in a folder that make a model.
pub(crate) fn checksum(location: &Path) -> Result<String, ExperimentError> {
    let mut hash = Sha256::new();
    if location.is_dir() {
        for file in model_files(location)? {
            hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            add(&mut hash, &file)?;
        }
    } else {
        add(&mut hash, location)?;
    }
    Ok(hex(&hash.finalize()))
}

fn model_files(folder: &Path) -> Result<Vec<PathBuf>, ExperimentError> {
    let io = |source| ExperimentError::Io { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(io)?.collect::<Result<Vec<_>, _>>().map_err(io)?;
    let decides = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "json" || ending == "safetensors");
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(decides).collect();
    files.sort();
    Ok(files)
}

fn add(hash: &mut Sha256, path: &Path) -> Result<(), ExperimentError> {
    let io = |source| ExperimentError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok(()),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_model_files() {
        let of = |files: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
            checksum(folder.path()).unwrap()
        };
        let model = of(&[("config.json", "{}"), ("model.safetensors", "w")]);
        assert_eq!(model, of(&[("model.safetensors", "w"), ("config.json", "{}"), ("README.md", "text")]));
        assert_ne!(model, of(&[("model.safetensors", "v"), ("config.json", "{}")]));
    }
}
