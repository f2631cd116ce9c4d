//! Checkpoints: one file that holds everything a run needs to go on.

mod capture;
mod file;
mod restore;

use crate::adamw::{AdamW, Moments};
use crate::{Evaluation, FinetuneError};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How far a run is. With the recipe's seed it gives the schedule, the order of examples and every random draw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Whole epochs done.
    pub epoch: usize,
    /// Steps of the current epoch done.
    pub step_in_epoch: usize,
    /// Steps done in all.
    pub step: usize,
    /// The best value of the metric.
    pub best: Option<f64>,
    /// Evaluations since.
    pub without_better: usize,
    /// All evaluations.
    pub evaluations: Vec<Evaluation>,
}

impl Progress {
    /// Epochs as a fraction.
    pub fn epochs(&self, steps_per_epoch: usize) -> f64 {
        self.epoch as f64 + self.step_in_epoch as f64 / steps_per_epoch.max(1) as f64
    }
}

/// A folder with the last and the best checkpoint of one run.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    identity: String,
}

/// Weights, masks and adapters, optimizer state and progress.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    tensors: BTreeMap<String, Stored>,
    times: BTreeMap<String, u32>,
    progress: Progress,
    path: PathBuf,
}

/// A tensor on the host.
#[derive(Debug, Clone)]
struct Stored {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Float(Vec<f32>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

impl Checkpoints {
    /// In a folder, which is made where it is not there. `identity` says what the run is: model, examples, recipe. A
    /// checkpoint of another run is refused.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn new(folder: impl Into<PathBuf>, identity: impl Into<String>) -> Result<Self, FinetuneError> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(FinetuneError::io(&folder))?;
        Ok(Self { folder, identity: identity.into() })
    }

    /// The last one, if there is one.
    ///
    /// # Errors
    /// [`FinetuneError::Io`], [`FinetuneError::Checkpoint`] or [`FinetuneError::OtherRun`].
    pub fn last(&self) -> Result<Option<Checkpoint>, FinetuneError> {
        self.load("last.safetensors")
    }

    /// That of the best evaluation, without optimizer state, if there is one.
    ///
    /// # Errors
    /// As of [`last`](Self::last).
    pub fn best(&self) -> Result<Option<Checkpoint>, FinetuneError> {
        self.load("best.safetensors")
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn save_last(&self, checkpoint: &Checkpoint) -> Result<(), FinetuneError> {
        checkpoint.save(&self.folder.join("last.safetensors"), &self.identity)
    }

    pub(crate) fn save_best(&self, checkpoint: &Checkpoint) -> Result<(), FinetuneError> {
        checkpoint.save(&self.folder.join("best.safetensors"), &self.identity)
    }

    fn load(&self, name: &str) -> Result<Option<Checkpoint>, FinetuneError> {
        let path = self.folder.join(name);
        if path.exists() { Checkpoint::load(&path, &self.identity).map(Some) } else { Ok(None) }
    }
}

impl Checkpoint {
    /// Of a module and its optimizer.
    ///
    /// # Errors
    /// A device that does not give its values.
    pub fn of<M: Module>(module: &M, optimizer: &AdamW, progress: Progress) -> Result<Self, FinetuneError> {
        let mut checkpoint = Self::of_module(module, progress)?;
        for (path, moments) in optimizer.state() {
            for (kind, values) in [("first", &moments.first), ("second", &moments.second)] {
                let name = format!("{kind}:{path}");
                checkpoint.tensors.insert(name, capture::float(path, values.clone())?);
            }
            checkpoint.times.insert(path.clone(), moments.time);
        }
        Ok(checkpoint)
    }

    /// Of a module alone.
    ///
    /// # Errors
    /// A device that does not give its values.
    pub fn of_module<M: Module>(module: &M, progress: Progress) -> Result<Self, FinetuneError> {
        Ok(Self { tensors: capture::parameters(module)?, times: BTreeMap::new(), progress, path: PathBuf::new() })
    }

    /// How far the run was.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The module with the checkpoint's values: weights, masks, adapters.
    ///
    /// # Errors
    /// [`FinetuneError::OtherModel`] where a parameter is missing, has another shape, or has no place in the module.
    pub fn restore_module<M: Module>(&self, module: M) -> Result<M, FinetuneError> {
        restore::parameters(self, module)
    }

    /// The optimizer's memory, by parameter path.
    ///
    /// # Errors
    /// [`FinetuneError::Checkpoint`] where a moment is missing.
    pub fn moments(&self, device: &Device) -> Result<BTreeMap<String, Moments>, FinetuneError> {
        let moment = |kind: &str, path: &str| match self.tensors.get(&format!("{kind}:{path}")) {
            Some(Stored { values: Values::Float(values), .. }) => {
                Ok(Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), device))
            }
            _ => Err(FinetuneError::Checkpoint {
                path: self.path.clone(),
                problem: format!("holds no {kind} moment of {path}"),
            }),
        };
        let of_path = |(path, &time): (&String, &u32)| {
            Ok((path.clone(), Moments { time, first: moment("first", path)?, second: moment("second", path)? }))
        };
        self.times.iter().map(of_path).collect()
    }

    /// Path, shape and values of every weight, in PyTorch's order.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.tensors.iter().filter_map(|(name, stored)| match &stored.values {
            Values::Float(values) => Some((name.strip_prefix("weight:")?, &stored.shape[..], &values[..])),
            _ => None,
        })
    }

    /// Gives the weights for which `new`, from path and shape, has some other values; `file` is where they come from.
    pub(crate) fn replace(
        &mut self,
        file: &Path,
        mut new: impl FnMut(&str, &[usize]) -> Result<Option<Vec<f32>>, String>,
    ) -> Result<(), FinetuneError> {
        for (name, stored) in &mut self.tensors {
            let Some(path) = name.strip_prefix("weight:") else { continue };
            let broken = |problem| FinetuneError::Checkpoint { path: file.into(), problem };
            if let Some(values) = new(path, &stored.shape).map_err(broken)? {
                stored.values = Values::Float(values);
            }
        }
        self.path = file.into();
        Ok(())
    }
}
