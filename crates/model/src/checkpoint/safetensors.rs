//! Checkpoints in safetensors files: one, or several with an index.

use super::{Checkpoint, ELEMENTS_PER_TASK, check_finite, file_length, precision, read_range, read_text};
use crate::error::ModelError;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The file name of a checkpoint in one file.
const SINGLE: &str = "model.safetensors";
/// The file name of the index of a checkpoint in several files.
const INDEX: &str = "model.safetensors.index.json";
/// The limit that the format itself sets to a header.
const MAX_HEADER: u64 = 100_000_000;
/// The types that can be read.
const SUPPORTED: &str = "F32, F16, BF16, F64, I64, I32, I16, I8, U8 and BOOL";

/// Tensors of a folder that holds `model.safetensors`, or `model.safetensors.index.json` and its shards.
#[derive(Debug)]
pub struct SafetensorsCheckpoint {
    folder: PathBuf,
    tensors: BTreeMap<String, Stored>,
}

/// Where a tensor lies.
#[derive(Debug, Clone)]
struct Stored {
    file: PathBuf,
    offset: u64,
    length: usize,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl SafetensorsCheckpoint {
    /// Reads the headers of a folder's checkpoint, and checks them against the files' lengths.
    ///
    /// # Errors
    /// No checkpoint in the folder, a broken header, a shard that is missing or lacks an indexed tensor.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, ModelError> {
        let folder = folder.into();
        let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
        let tensors = if single.is_file() {
            read_header(&single)?
        } else if index.is_file() {
            read_shards(&folder, &index)?
        } else {
            let problem = format!("holds neither {SINGLE} nor {INDEX}");
            return Err(ModelError::NoModel { path: folder, problem });
        };
        Ok(Self { folder, tensors })
    }

    fn get(&self, name: &str) -> Result<&Stored, ModelError> {
        self.tensors
            .get(name)
            .ok_or_else(|| ModelError::MissingTensor { path: self.folder.clone(), tensor: name.to_owned() })
    }

    /// The stored type and shape of a tensor.
    pub(super) fn info(&self, name: &str) -> Result<(Dtype, Vec<usize>), ModelError> {
        self.get(name).map(|stored| (stored.dtype, stored.shape.clone()))
    }

    /// The bytes of a tensor.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, ModelError> {
        let stored = self.get(name)?;
        read_range(&stored.file, stored.offset, stored.length)
    }

    /// The file that holds a tensor; the folder if none does.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.tensors.get(name).map_or(&self.folder, |stored| &stored.file).clone()
    }
}

impl Checkpoint for SafetensorsCheckpoint {
    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.tensors.get(name)?.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let (stored, bytes) = (self.get(name)?, self.bytes(name)?);
        let values = to_f32(stored.dtype, &bytes).ok_or_else(|| ModelError::UnsupportedType {
            path: stored.file.clone(),
            tensor: name.to_owned(),
            dtype: stored.dtype.to_string(),
            supported: SUPPORTED.to_owned(),
        })?;
        check_finite(&stored.file, name, &values)?;
        Ok(values)
    }

    fn dtype(&self, name: &str) -> Option<String> {
        Some(self.tensors.get(name)?.dtype.to_string())
    }

    fn describe_precision(&self) -> String {
        let tensors = self.tensors.values();
        precision::describe(tensors.map(|t| (t.dtype.to_string(), t.shape.iter().product())))
    }

    fn location(&self) -> &Path {
        &self.folder
    }
}

/// The tensors of one file, after checking that they fill exactly the bytes behind the header.
fn read_header(file: &Path) -> Result<BTreeMap<String, Stored>, ModelError> {
    let length = file_length(file)?;
    let broken = |problem: String| ModelError::format(file, "header", problem);
    if length < 8 {
        return Err(broken(format!("{length} bytes hold no header, 8 are the least")));
    }
    let prefix = read_range(file, 0, 8)?;
    let header = u64::from_le_bytes(array(&prefix));
    if header > MAX_HEADER || header > length - 8 {
        return Err(broken(format!(
            "says that it is {header} bytes long, the file has {length} (truncated?) and the limit is {MAX_HEADER}"
        )));
    }
    let start = header + 8;
    // At most MAX_HEADER, so it fits any usize.
    let bytes = read_range(file, 8, header as usize)?;
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    let data = length - start;
    if metadata.data_len() as u64 != data {
        return Err(broken(format!(
            "describes {} bytes of tensors, {data} follow it (truncated?)",
            metadata.data_len()
        )));
    }
    let tensors = metadata.tensors();
    Ok(tensors.into_iter().map(|(name, info)| (name, stored(file, start, info))).collect())
}

fn stored(file: &Path, start: u64, info: &TensorInfo) -> Stored {
    let (from, to) = info.data_offsets;
    Stored {
        file: file.to_owned(),
        offset: start + from as u64,
        length: to - from,
        dtype: info.dtype,
        shape: info.shape.clone(),
    }
}

/// The tensors of all shards that an index names.
fn read_shards(folder: &Path, index: &Path) -> Result<BTreeMap<String, Stored>, ModelError> {
    let weight_map = read_index(index)?;
    let mut shards: BTreeMap<&str, BTreeMap<String, Stored>> = BTreeMap::new();
    for shard in weight_map.values() {
        if !shards.contains_key(shard.as_str()) {
            shards.insert(shard, read_header(&folder.join(shard))?);
        }
    }
    let mut tensors = BTreeMap::new();
    for (name, shard) in &weight_map {
        let found = shards.get_mut(shard.as_str()).and_then(|s| s.remove(name));
        let found =
            found.ok_or_else(|| ModelError::MissingTensor { path: folder.join(shard), tensor: name.clone() })?;
        tensors.insert(name.clone(), found);
    }
    Ok(tensors)
}

/// The files that an index names.
pub(crate) fn shard_files(index: &Path) -> Result<BTreeSet<String>, ModelError> {
    Ok(read_index(index)?.into_values().collect())
}

/// Which file each tensor is in. Files must lie beside the index: it is data, and must not lead anywhere else.
fn read_index(index: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let broken = |problem| ModelError::format(index, "weight_map", problem);
    let Index { weight_map } =
        serde_json::from_str(&read_text(index)?).map_err(|error: serde_json::Error| broken(error.to_string()))?;
    let plain = |name: &str| Path::new(name).file_name() == Some(name.as_ref()) && !name.contains('\\');
    match weight_map.values().find(|shard| !plain(shard)) {
        Some(shard) => Err(broken(format!("`{shard}` is not the name of a file in the same folder"))),
        None => Ok(weight_map),
    }
}

/// The first `N` bytes; the caller passes at least as many.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

/// Converts every `N` bytes to one number, on all cores.
fn convert<const N: usize>(bytes: &[u8], to: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / N];
    values.par_chunks_mut(ELEMENTS_PER_TASK).zip(bytes.par_chunks(N * ELEMENTS_PER_TASK)).for_each(
        |(values, bytes)| {
            for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(N)) {
                *value = to(array(bytes));
            }
        },
    );
    values
}

/// Converts a tensor's bytes, or says that its type is not one to read.
fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => convert(bytes, f32::from_le_bytes),
        Dtype::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::I64 => convert(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => convert(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I16 => convert(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I8 => convert(bytes, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::U8 | Dtype::BOOL => convert(bytes, |[b]| f32::from(b)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_converts_to_the_same_number() {
        let cases: [(Dtype, Vec<u8>); 8] = [
            (Dtype::F32, (-3f32).to_le_bytes().to_vec()),
            (Dtype::F16, f16::from_f32(-3.0).to_le_bytes().to_vec()),
            (Dtype::BF16, bf16::from_f32(-3.0).to_le_bytes().to_vec()),
            (Dtype::F64, (-3f64).to_le_bytes().to_vec()),
            (Dtype::I64, (-3i64).to_le_bytes().to_vec()),
            (Dtype::I32, (-3i32).to_le_bytes().to_vec()),
            (Dtype::I16, (-3i16).to_le_bytes().to_vec()),
            (Dtype::I8, (-3i8).to_le_bytes().to_vec()),
        ];
        for (dtype, bytes) in cases {
            assert_eq!(to_f32(dtype, &bytes), Some(vec![-3.0]), "{dtype}");
        }
        assert_eq!(to_f32(Dtype::U8, &[7]), Some(vec![7.0]));
        assert_eq!(to_f32(Dtype::F8_E4M3, &[7]), None);
    }
}
