//! The header of a GGUF file: every count in it is checked against the file's length before memory is taken for it.

use super::metadata::Value;
use super::tensor_type::TensorType;
use crate::checkpoint::file_length;
use crate::error::ModelError;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Tensors have at most this many dimensions.
const MAX_DIMENSIONS: u32 = 4;
/// Lists within lists, at most.
const MAX_NESTING: usize = 4;
/// More metadata values than this belong to no model; each takes a few times its size in the file.
const MAX_VALUES: u64 = 1 << 24;
/// The alignment of tensors in a file that does not say it.
const DEFAULT_ALIGNMENT: u64 = 32;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Outermost dimension first (files have the innermost first).
    pub shape: Vec<usize>,
    /// The stored type.
    pub tensor_type: TensorType,
    /// Byte offset from the start of the file.
    pub offset: u64,
    /// Length in bytes.
    pub length: usize,
}

/// Metadata and tensors of a file.
pub(super) type Header = (BTreeMap<String, Value>, BTreeMap<String, TensorInfo>);

/// Reads and checks the header of a file.
pub(super) fn read(path: &Path) -> Result<Header, ModelError> {
    let file = File::open(path).map_err(ModelError::io(path))?;
    let mut reader = Reader {
        path,
        input: BufReader::with_capacity(1 << 16, file),
        length: file_length(path)?,
        position: 0,
        values: 0,
    };
    check_version(&mut reader)?;
    // The shortest tensor entry takes 24 bytes, the shortest metadata entry 13.
    let tensors = reader.count("tensor count", 24)?;
    let entries = reader.count("metadata count", 13)?;
    let metadata = read_metadata(&mut reader, entries)?;
    let tensors = read_tensors(&mut reader, tensors)?;
    let start = data_start(&reader, &metadata)?;
    let tensors = place(path, tensors, start, reader.length)?;
    Ok((metadata, tensors))
}

fn check_version(reader: &mut Reader<'_>) -> Result<(), ModelError> {
    let magic = reader.bytes::<4>("magic")?;
    if &magic != b"GGUF" {
        return Err(reader.error("magic", "is not `GGUF`: this is no GGUF file"));
    }
    match reader.u32("version")? {
        2 | 3 => Ok(()),
        version if matches!(version.swap_bytes(), 1..=3) => {
            Err(reader.error("version", "the file is big-endian, only little-endian is read"))
        }
        version => Err(reader.error("version", format!("is {version}, it must be 2 or 3"))),
    }
}

fn read_metadata(reader: &mut Reader<'_>, entries: u64) -> Result<BTreeMap<String, Value>, ModelError> {
    let mut metadata = BTreeMap::new();
    for _ in 0..entries {
        let key = reader.string("metadata key")?;
        let kind = reader.u32(&key)?;
        let value = reader.value(&key, kind, 0)?;
        if metadata.contains_key(&key) {
            return Err(reader.error(&key, "the key occurs twice"));
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

/// A tensor entry whose place in the file is not checked yet.
struct Entry {
    shape: Vec<usize>,
    tensor_type: TensorType,
    relative: u64,
}

fn read_tensors(reader: &mut Reader<'_>, count: u64) -> Result<BTreeMap<String, Entry>, ModelError> {
    let mut tensors = BTreeMap::new();
    for _ in 0..count {
        let name = reader.string("tensor name")?;
        let shape = read_shape(reader, &name)?;
        let number = reader.u32(&name)?;
        let tensor_type = TensorType::from_number(number).map_err(|dtype| ModelError::UnsupportedType {
            path: reader.path.to_owned(),
            tensor: name.clone(),
            dtype,
            supported: TensorType::supported(),
        })?;
        let relative = reader.u64(&name)?;
        let entry = Entry { shape, tensor_type, relative };
        if tensors.contains_key(&name) {
            return Err(reader.error(&name, "the tensor occurs twice"));
        }
        tensors.insert(name, entry);
    }
    Ok(tensors)
}

/// The dimensions of a tensor, turned outermost first.
fn read_shape(reader: &mut Reader<'_>, name: &str) -> Result<Vec<usize>, ModelError> {
    let dimensions = reader.u32(name)?;
    if dimensions > MAX_DIMENSIONS {
        let problem = format!("has {dimensions} dimensions, at most {MAX_DIMENSIONS} are possible");
        return Err(reader.error(name, problem));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        let size = reader.u64(name)?;
        let size = usize::try_from(size).map_err(|_| reader.error(name, format!("dimension {size} is too large")))?;
        shape.push(size);
    }
    shape.reverse();
    Ok(shape)
}

/// Where tensors begin: behind the header, rounded up to the alignment.
fn data_start(reader: &Reader<'_>, metadata: &BTreeMap<String, Value>) -> Result<u64, ModelError> {
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(value) => value
            .as_u64()
            .filter(|n| n.is_power_of_two())
            .ok_or_else(|| reader.error("general.alignment", "must be a power of two"))?,
    };
    reader
        .position
        .checked_next_multiple_of(alignment)
        .ok_or_else(|| reader.error("general.alignment", format!("{alignment} is too large")))
}

/// Turns offsets into places in the file, after checking that they lie in it and do not overlap.
fn place(
    path: &Path,
    entries: BTreeMap<String, Entry>,
    start: u64,
    end: u64,
) -> Result<BTreeMap<String, TensorInfo>, ModelError> {
    let mut tensors = BTreeMap::new();
    for (name, entry) in entries {
        let info = place_one(&entry, start, end)
            .map_err(|problem| ModelError::format(path, format!("tensor `{name}`"), problem))?;
        tensors.insert(name, info);
    }
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|(_, info)| info.offset);
    for pair in order.windows(2) {
        let ((first, a), (second, b)) = (pair[0], pair[1]);
        // Checked in `place_one`: the end is within the file.
        if a.offset + a.length as u64 > b.offset {
            let at = format!("tensor `{second}`");
            return Err(ModelError::format(path, at, format!("overlaps tensor `{first}`")));
        }
    }
    Ok(tensors)
}

fn place_one(entry: &Entry, start: u64, end: u64) -> Result<TensorInfo, String> {
    let length = byte_length(entry)?;
    let offset = start.checked_add(entry.relative);
    let fits = offset.and_then(|offset| offset.checked_add(length as u64)).is_some_and(|last| last <= end);
    match offset {
        Some(offset) if fits => {
            Ok(TensorInfo { shape: entry.shape.clone(), tensor_type: entry.tensor_type, offset, length })
        }
        _ => Err(format!(
            "{length} bytes at offset {} of the tensor data reach past the end of the file, {end} bytes long \
             (truncated?)",
            entry.relative
        )),
    }
}

/// The bytes that a tensor takes: whole blocks along the innermost dimension.
fn byte_length(entry: &Entry) -> Result<usize, String> {
    let (block, bytes) = (entry.tensor_type.block_len(), entry.tensor_type.block_bytes());
    let innermost = entry.shape.last().copied().unwrap_or(1);
    if !innermost.is_multiple_of(block) {
        return Err(format!(
            "its innermost dimension is {innermost}, {} needs a multiple of {block}",
            entry.tensor_type.name()
        ));
    }
    let elements = entry.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    elements
        .and_then(|n| (n / block).checked_mul(bytes))
        .ok_or_else(|| format!("its shape {:?} overflows", entry.shape))
}

/// Reads little-endian values and never past the end of the file.
struct Reader<'a> {
    path: &'a Path,
    input: BufReader<File>,
    length: u64,
    position: u64,
    /// Metadata values read so far.
    values: u64,
}

impl Reader<'_> {
    fn error(&self, field: &str, problem: impl Into<String>) -> ModelError {
        let at = format!("`{field}` before byte {}", self.position);
        ModelError::format(self.path, at, problem)
    }

    fn remaining(&self) -> u64 {
        self.length - self.position
    }

    fn fill(&mut self, field: &str, buffer: &mut [u8]) -> Result<(), ModelError> {
        let wanted = buffer.len() as u64;
        if wanted > self.remaining() {
            let problem = format!("{wanted} bytes wanted, {} are left (truncated?)", self.remaining());
            return Err(self.error(field, problem));
        }
        self.input.read_exact(buffer).map_err(ModelError::io(self.path))?;
        self.position += wanted;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self, field: &str) -> Result<[u8; N], ModelError> {
        let mut buffer = [0; N];
        self.fill(field, &mut buffer)?;
        Ok(buffer)
    }

    fn u32(&mut self, field: &str) -> Result<u32, ModelError> {
        self.bytes(field).map(u32::from_le_bytes)
    }

    fn u64(&mut self, field: &str) -> Result<u64, ModelError> {
        self.bytes(field).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `least` bytes each in the rest of the file.
    fn count(&mut self, field: &str, least: u64) -> Result<u64, ModelError> {
        let count = self.u64(field)?;
        if count > self.remaining() / least {
            let problem = format!("{count} entries cannot fit into the {} bytes left (truncated?)", self.remaining());
            return Err(self.error(field, problem));
        }
        Ok(count)
    }

    fn string(&mut self, field: &str) -> Result<String, ModelError> {
        let length = self.count(field, 1)?;
        let length =
            usize::try_from(length).map_err(|_| self.error(field, format!("a text of {length} bytes is too long")))?;
        let mut buffer = vec![0; length];
        self.fill(field, &mut buffer)?;
        String::from_utf8(buffer).map_err(|_| self.error(field, "the text is not UTF-8"))
    }

    /// A value of the type that a number stands for.
    fn value(&mut self, key: &str, kind: u32, nesting: usize) -> Result<Value, ModelError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.error(key, format!("more than {MAX_VALUES} metadata values")));
        }
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.bytes(key)?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.bytes(key)?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.bytes(key)?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.bytes(key)?).into()),
            4 => Value::Unsigned(self.u32(key)?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.bytes(key)?).into()),
            6 => Value::F32(f32::from_le_bytes(self.bytes(key)?)),
            7 => self.bool(key)?,
            8 => Value::Text(self.string(key)?),
            9 => self.array(key, nesting)?,
            10 => Value::Unsigned(self.u64(key)?),
            11 => Value::Signed(i64::from_le_bytes(self.bytes(key)?)),
            12 => Value::F64(f64::from_le_bytes(self.bytes(key)?)),
            other => {
                let problem = format!("value type {other} does not exist, types are 0 to 12");
                return Err(self.error(key, problem));
            }
        })
    }

    fn bool(&mut self, key: &str) -> Result<Value, ModelError> {
        match self.bytes::<1>(key)? {
            [0] => Ok(Value::Bool(false)),
            [1] => Ok(Value::Bool(true)),
            [other] => Err(self.error(key, format!("truth value is {other}, it must be 0 or 1"))),
        }
    }

    fn array(&mut self, key: &str, nesting: usize) -> Result<Value, ModelError> {
        if nesting == MAX_NESTING {
            return Err(self.error(key, format!("lists are nested more than {MAX_NESTING} deep")));
        }
        let kind = self.u32(key)?;
        let count = self.count(key, least_bytes(kind))?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(key, kind, nesting + 1)?);
        }
        Ok(Value::Array(values))
    }
}

/// The fewest bytes that a value of a type takes.
fn least_bytes(kind: u32) -> u64 {
    match kind {
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8,
        9 => 12,
        _ => 1,
    }
}
