//! Checkpoints as safetensors files.

use super::{Checkpoint, Progress, Stored, Values};
use crate::FinetuneError;
use crate::files::write_whole;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const FORMAT: &str = "junkdna-training";
const VERSION: &str = "1";

impl Checkpoint {
    pub(super) fn save(&self, path: &Path, identity: &str) -> Result<(), FinetuneError> {
        let bytes = self.to_bytes(identity).map_err(|problem| broken(path, problem))?;
        write_whole(path, &bytes)
    }

    fn to_bytes(&self, identity: &str) -> Result<Vec<u8>, String> {
        let bytes: Vec<Vec<u8>> = self.tensors.values().map(|stored| stored.values.bytes()).collect();
        let view = |((name, stored), bytes)| -> Result<_, String> {
            let (name, stored, bytes): (&String, &Stored, &Vec<u8>) = (name, stored, bytes);
            let view = TensorView::new(stored.values.dtype(), stored.shape.clone(), bytes);
            Ok((name.clone(), view.map_err(|error| error.to_string())?))
        };
        let views = self.tensors.iter().zip(&bytes).map(view).collect::<Result<Vec<_>, _>>()?;
        let json = |value: Result<String, serde_json::Error>| value.map_err(|error| error.to_string());
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("version".to_owned(), VERSION.to_owned()),
            ("identity".to_owned(), identity.to_owned()),
            ("progress".to_owned(), json(serde_json::to_string(&self.progress))?),
            ("times".to_owned(), json(serde_json::to_string(&self.times))?),
        ]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
    }

    pub(super) fn load(path: &Path, identity: &str) -> Result<Self, FinetuneError> {
        let bytes = std::fs::read(path).map_err(FinetuneError::io(path))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| broken(path, error.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let field = |name: &str| metadata.get(name).map_or("", String::as_str);
        if (field("format"), field("version")) != (FORMAT, VERSION) {
            return Err(broken(path, format!("its metadata does not say `{FORMAT}` of version {VERSION}")));
        }
        if field("identity") != identity {
            let difference = first_difference(field("identity"), identity);
            return Err(FinetuneError::OtherRun { path: path.into(), difference });
        }
        let progress: Progress = serde_json::from_str(field("progress")).map_err(|e| broken(path, e.to_string()))?;
        let times = serde_json::from_str(field("times")).map_err(|error| broken(path, error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(path, error.to_string()))?;
        let stored = |(name, view): (String, TensorView<'_>)| match Values::of(&view) {
            Some(values) => Ok((name, Stored { shape: view.shape().to_vec(), values })),
            None => Err(broken(path, format!("{name} is {:?}", view.dtype()))),
        };
        let tensors = file.tensors().into_iter().map(stored).collect::<Result<BTreeMap<_, _>, _>>()?;
        Ok(Self { tensors, times, progress, path: path.into() })
    }
}

/// The first line in which two descriptions of runs differ.
fn first_difference(there: &str, here: &str) -> String {
    let mut lines = there.lines().zip(here.lines());
    match lines.find(|(there, here)| there != here) {
        Some((there, here)) => format!("it says `{there}`, this run `{here}`"),
        None => "one says more than the other".into(),
    }
}

fn broken(path: &Path, problem: String) -> FinetuneError {
    FinetuneError::Checkpoint { path: path.into(), problem }
}

impl Values {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Float(_) => Dtype::F32,
            Self::Int(_) => Dtype::I64,
            Self::Bool(_) => Dtype::BOOL,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Float(values) => bytemuck::cast_slice(values).to_vec(),
            Self::Int(values) => bytemuck::cast_slice(values).to_vec(),
            Self::Bool(values) => values.iter().map(|&value| u8::from(value)).collect(),
        }
    }

    fn of(view: &TensorView<'_>) -> Option<Self> {
        let bytes = view.data();
        Some(match view.dtype() {
            Dtype::F32 => Self::Float(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Dtype::I64 => Self::Int(bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()),
            Dtype::BOOL => Self::Bool(bytes.iter().map(|&b| b != 0).collect()),
            _ => return None,
        })
    }
}
