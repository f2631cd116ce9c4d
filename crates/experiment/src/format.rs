//! How a compressed model is stored.

use crate::{Compressed, Compression, ExperimentError};
use junkdna_model::gguf::{GgufTensor, TensorType, save_gguf};
use junkdna_model::{Loaded, Model, SparseLayout, Storage};
use junkdna_quant::Quantized;
use junkdna_quant::compressed_tensors::{in_bytes, quantization_config};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What a compressed model is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A Hugging Face folder of single floats: zeros, or the values that codes stand for.
    #[default]
    Float,
    /// A Hugging Face folder with codes packed as compressed-tensors does (`pack-quantized`; `int-quantized` for 8 bits where
    /// inputs are rounded too), the other matrices in half precision.
    PackQuantized,
    /// A GGUF file with codes in its blocks (`Q8_0`, `Q4_0`, `Q4_1`, whichever the codes are), the other matrices in half
    /// precision.
    Gguf,
    /// A Hugging Face folder with a bit for each pruned weight, the kept ones and the other matrices in half precision.
    Sparse(SparseLayout),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "float" => Ok(Self::Float),
            "gguf" => Ok(Self::Gguf),
            "compressed-tensors" | "pack-quantized" => Ok(Self::PackQuantized),
            _ => SparseLayout::by_name(text).map(Self::Sparse).ok_or_else(|| {
                format!(
                    "unknown format `{text}`: use float, compressed-tensors or gguf (codes), sparse-bitmask or sparse-24-bitmask \
                     (pruned weights)"
                )
            }),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float => write!(f, "float"),
            Self::PackQuantized => write!(f, "compressed-tensors"),
            Self::Gguf => write!(f, "gguf"),
            Self::Sparse(layout) => write!(f, "{layout}"),
        }
    }
}

impl Format {
    /// Refuses a format for another kind of compression, before any work is done.
    ///
    /// # Errors
    /// [`ExperimentError::Format`].
    pub fn check(self, compression: &Compression) -> Result<(), ExperimentError> {
        match (self, compression) {
            (Self::Float | Self::Gguf, Compression::Quantize { options, .. }) if options.activations.is_some() => {
                Err(self.cannot_hold("that inputs are rounded; use --format compressed-tensors".into()))
            }
            (Self::Float, _) | (Self::PackQuantized | Self::Gguf, Compression::Quantize { .. }) => Ok(()),
            (Self::Sparse(_), Compression::Prune { .. }) => Ok(()),
            (Self::PackQuantized | Self::Gguf, _) => {
                Err(self.cannot_hold("weights without codes; quantize them".into()))
            }
            (Self::Sparse(_), _) => Err(self.cannot_hold("weights that are not pruned; prune them".into())),
        }
    }

    /// Writes a model that was compressed.
    ///
    /// # Errors
    /// A format that cannot hold what the compression made; a folder that exists already, or that cannot be written.
    pub fn save(self, loaded: &Loaded, compressed: &Compressed, out: &Path) -> Result<(), ExperimentError> {
        let storage = match (self, compressed) {
            (Self::Float, _) => return Ok(loaded.save(out)?),
            (Self::PackQuantized, Compressed::Quantized { weights, input_bits, .. }) => {
                let linears = loaded.model.linears();
                let mut packed = BTreeMap::new();
                let mut by_module = Vec::with_capacity(weights.len());
                for (path, quantized) in weights {
                    let Some(linear) = linears.iter().find(|linear| linear.path == *path) else {
                        return Err(self.cannot_hold(format!("{path}, which is no linear: leave embeddings out")));
                    };
                    let tensors = match in_bytes(&quantized.scheme(), *input_bits) {
                        true => quantized.to_int_quantized(),
                        false => quantized.to_pack_quantized(),
                    };
                    packed.insert(path.clone(), tensors.map_err(|error| error.of_weight(path))?);
                    by_module.push((linear.module.as_str(), quantized));
                }
                let names = linears.iter().map(|linear| linear.module.as_str());
                Storage { weights: packed, quantization_config: quantization_config(by_module, names, *input_bits)? }
            }
            (Self::Gguf, Compressed::Quantized { weights, .. }) => return save_gguf_file(loaded, weights, out),
            (Self::Sparse(layout), Compressed::Pruned { mask, .. }) => {
                let paths: BTreeSet<String> = mask.layers().keys().cloned().collect();
                loaded.model.sparse(layout, &paths)?
            }
            (Self::PackQuantized | Self::Gguf, _) => {
                return Err(self.cannot_hold("weights without codes; quantize them".into()));
            }
            (Self::Sparse(_), _) => return Err(self.cannot_hold("weights that are not pruned; prune them".into())),
        };
        Ok(loaded.save_as(out, &storage)?)
    }

    fn cannot_hold(self, what: String) -> ExperimentError {
        ExperimentError::Format { format: self, problem: what }
    }
}

fn save_gguf_file(loaded: &Loaded, weights: &BTreeMap<String, Quantized>, out: &Path) -> Result<(), ExperimentError> {
    let Model::Llama(model) = &loaded.model else {
        return Err(Format::Gguf.cannot_hold("encoders; use compressed-tensors".into()));
    };
    let mut blocks = BTreeMap::new();
    for (path, quantized) in weights {
        let (name, bytes) = quantized.to_gguf().map_err(|error| error.of_weight(path))?;
        let tensor_type = TensorType::all().find(|tensor_type| tensor_type.name() == name);
        let Some(tensor_type) = tensor_type else {
            return Err(Format::Gguf.cannot_hold(format!("{path} as {name}")));
        };
        blocks.insert(path.clone(), GgufTensor { tensor_type, bytes });
    }
    Ok(save_gguf(model, &loaded.tokenizer, &blocks, out)?)
}
