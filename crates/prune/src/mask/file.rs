//! Masks in files.
//!
//! A mask is a safetensors file: one `U8` tensor per parameter path with the bits of `[d_out, d_in]` in row-major order, lowest
//! bit first, 1 for a weight that stays; the shape is in the metadata under `shape:PATH` as `d_outxd_in`. With NumPy:
//! `np.unpackbits(t, bitorder="little")[:d_out * d_in].reshape(d_out, d_in)`.

use super::{LayerMask, Mask};
use crate::PruneError;
use crate::select::tail;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FORMAT: &str = "junkdna-mask";
const VERSION: &str = "1";

impl Mask {
    /// Writes a mask file, beside its place first and then renamed: a file there is always whole.
    ///
    /// # Errors
    /// [`PruneError::Io`], or [`PruneError::Format`] for what safetensors cannot hold.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PruneError> {
        let path = path.as_ref();
        let bytes = self.to_bytes().map_err(|reason| format_error(path, reason))?;
        write_whole(path, &bytes).map_err(|source| PruneError::Io { path: path.into(), source })
    }

    /// Reads a mask file.
    ///
    /// # Errors
    /// [`PruneError::Io`], or [`PruneError::Format`] for a file that is not a mask, is damaged, or is of a later version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PruneError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| PruneError::Io { path: path.into(), source })?;
        Self::from_bytes(&bytes).map_err(|reason| format_error(path, reason))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let bytes: Vec<(&String, Vec<u8>)> = self.layers.iter().map(|(path, layer)| (path, packed(layer))).collect();
        let tensor = |(path, bytes)| -> Result<_, String> {
            let bytes: &Vec<u8> = bytes;
            Ok((path, TensorView::new(Dtype::U8, vec![bytes.len()], bytes).map_err(|e| e.to_string())?))
        };
        let tensors = bytes.iter().map(|(path, bytes)| tensor((path.as_str(), bytes)));
        let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        safetensors::serialize(tensors, Some(self.metadata())).map_err(|e| e.to_string())
    }

    fn metadata(&self) -> HashMap<String, String> {
        let shape = |(path, layer): (&String, &LayerMask)| {
            (format!("shape:{path}"), format!("{}x{}", layer.d_out(), layer.d_in()))
        };
        let header = [("format".into(), FORMAT.into()), ("version".into(), VERSION.into())];
        header.into_iter().chain(self.layers.iter().map(shape)).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let metadata = header.metadata().clone().unwrap_or_default();
        check_header(&metadata)?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let layer = |(path, tensor): (String, TensorView<'_>)| {
            let layer = unpacked(&tensor, metadata.get(&format!("shape:{path}")));
            layer.map_err(|reason| format!("{path}: {reason}")).map(|layer| (path, layer))
        };
        file.tensors().into_iter().map(layer).collect()
    }
}

fn check_header(metadata: &HashMap<String, String>) -> Result<(), String> {
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(format!("its metadata does not say `{FORMAT}`"));
    }
    match metadata.get("version").map(String::as_str) {
        Some(VERSION) => Ok(()),
        other => Err(format!("version {}, this build reads version {VERSION}", other.unwrap_or("unknown"))),
    }
}

fn packed(layer: &LayerMask) -> Vec<u8> {
    let mut bytes: Vec<u8> = layer.words().iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(layer.weights().div_ceil(8));
    bytes
}

fn unpacked(tensor: &TensorView<'_>, shape: Option<&String>) -> Result<LayerMask, String> {
    let shape = shape.ok_or("no shape in the metadata")?;
    let (d_out, d_in) = shape.split_once('x').ok_or_else(|| format!("shape `{shape}`"))?;
    let size = |text: &str| text.parse::<usize>().map_err(|_| format!("shape `{shape}`"));
    let (d_out, d_in) = (size(d_out)?, size(d_in)?);
    let weights = d_out.checked_mul(d_in).ok_or_else(|| format!("shape `{shape}`"))?;
    if tensor.dtype() != Dtype::U8 || tensor.data().len() != weights.div_ceil(8) {
        return Err(format!("{:?} of {} bytes do not hold {shape} bits", tensor.dtype(), tensor.data().len()));
    }
    let bits: Vec<u64> = tensor.data().chunks(8).map(word).collect();
    if bits.last().is_some_and(|last| last & !tail(weights) != 0) {
        return Err("bits beyond the last weight".into());
    }
    Ok(LayerMask::from_bits(d_out, d_in, bits))
}

/// Up to eight bytes, the first lowest.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn format_error(path: &Path, reason: String) -> PruneError {
    PruneError::Format { path: path.into(), reason }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path)?;
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        let _ = fs::remove_file(&beside); // the first error is the one to report
    }
    placed
}

/// A name in the same folder that no other process uses.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.part", std::process::id()));
    Ok(path.with_file_name(hidden))
}
