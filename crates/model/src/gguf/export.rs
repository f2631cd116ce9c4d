//! A Llama model as a GGUF file.

use super::TensorType;
use super::write::Writer;
use crate::checkpoint::{gguf_name, gguf_row_order};
use crate::config::{LlamaConfig, RopeScaling, published_llama3_divisors};
use crate::error::ModelError;
use crate::llama::Llama;
use crate::tokenizer::Tokenizer;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use half::f16;
use std::collections::BTreeMap;
use std::path::Path;

/// A weight in blocks, rows in PyTorch's order.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensor {
    /// What the blocks are.
    pub tensor_type: TensorType,
    /// The blocks.
    pub bytes: Vec<u8>,
}

/// Writes a model to a file that llama.cpp, Transformers and [`Gguf`](super::Gguf) read. `weights` are the quantized ones, by
/// parameter path; other matrices become half precision where that can hold them, vectors single.
///
/// # Errors
/// A tokenizer or a scaling of frequencies that GGUF has no words for; a weight whose blocks are not as many as its shape
/// asks for; a file that cannot be written.
pub fn save_gguf(
    model: &Llama,
    tokenizer: &Tokenizer,
    weights: &BTreeMap<String, GgufTensor>,
    path: &Path,
) -> Result<(), ModelError> {
    let config = model.config();
    let mut writer = Writer::default();
    metadata(&mut writer, config, weights, path)?;
    tokenizer.to_gguf(&mut writer, config.vocab_size)?;
    if let RopeScaling::Llama3 { .. } = config.rope_scaling {
        let divisors = published_llama3_divisors(config).ok_or_else(|| {
            ModelError::config(path, "rope_scaling", "is not that of the published Llama 3.1; GGUF has no other")
        })?;
        let bytes = divisors.iter().flat_map(|&divisor| (divisor as f32).to_le_bytes()).collect();
        writer.tensor("rope_freqs.weight".into(), vec![divisors.len()], TensorType::F32, bytes);
    }
    let mut tensors = Tensors { config, weights, path, place: Vec::new(), writer, error: None };
    model.visit(&mut tensors);
    match tensors.error {
        Some(error) => Err(error),
        None => tensors.writer.save(path),
    }
}

fn metadata(
    writer: &mut Writer,
    config: &LlamaConfig,
    weights: &BTreeMap<String, GgufTensor>,
    path: &Path,
) -> Result<(), ModelError> {
    writer.text("general.architecture", "llama");
    writer.text("general.name", path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("model"));
    writer.number("general.quantization_version", 2);
    writer.number("general.file_type", file_type(weights));
    writer.number("llama.vocab_size", config.vocab_size);
    writer.number("llama.context_length", config.max_position_embeddings);
    writer.number("llama.embedding_length", config.hidden_size);
    writer.number("llama.block_count", config.num_hidden_layers);
    writer.number("llama.feed_forward_length", config.intermediate_size);
    writer.number("llama.attention.head_count", config.num_attention_heads);
    writer.number("llama.attention.head_count_kv", config.num_key_value_heads);
    writer.number("llama.attention.key_length", config.head_dim);
    writer.number("llama.attention.value_length", config.head_dim);
    writer.number("llama.rope.dimension_count", config.head_dim);
    writer.float("llama.attention.layer_norm_rms_epsilon", config.rms_norm_eps);
    writer.float("llama.rope.freq_base", config.rope_theta);
    if let RopeScaling::Linear { factor } = config.rope_scaling {
        writer.text("llama.rope.scaling.type", "linear");
        writer.float("llama.rope.scaling.factor", factor);
    }
    Ok(())
}

/// The number by which llama.cpp calls a mixture of types, after the one that most weights have.
fn file_type(weights: &BTreeMap<String, GgufTensor>) -> usize {
    let mut bytes = BTreeMap::new();
    for tensor in weights.values() {
        let number = match tensor.tensor_type {
            TensorType::Q4_0 => 2,
            TensorType::Q4_1 => 3,
            TensorType::Q8_0 => 7,
            _ => 1,
        };
        *bytes.entry(number).or_insert(0) += tensor.bytes.len();
    }
    bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map_or(1, |(number, _)| number)
}

struct Tensors<'a> {
    config: &'a LlamaConfig,
    weights: &'a BTreeMap<String, GgufTensor>,
    path: &'a Path,
    place: Vec<(String, String)>,
    writer: Writer,
    error: Option<ModelError>,
}

impl Tensors<'_> {
    fn add<const D: usize>(&mut self, path: &str, layer: &str, param: &Param<Tensor<D>>) -> Result<(), ModelError> {
        let name = crate::load::stored_name(path, layer);
        let stored = gguf_name(&name)
            .ok_or_else(|| ModelError::format(self.path, format!("tensor `{name}`"), "has no name in GGUF files"))?;
        let value = param.val();
        let value = if D == 2 && layer == "Struct:Linear" { value.swap_dims(0, D - 1) } else { value };
        let shape = value.dims().to_vec();
        let tensor = match self.weights.get(path) {
            Some(tensor) => tensor.clone(),
            None => float(value),
        };
        let blocks = shape.iter().product::<usize>() / tensor.tensor_type.block_len();
        if tensor.bytes.len() != blocks * tensor.tensor_type.block_bytes() {
            let problem =
                format!("{} bytes of {}, which {shape:?} does not have", tensor.bytes.len(), tensor.tensor_type.name());
            return Err(ModelError::format(self.path, format!("tensor `{stored}`"), problem));
        }
        let heads = match (D, name.contains(".q_proj."), name.contains(".k_proj.")) {
            (_, true, _) => Some(self.config.num_attention_heads),
            (_, _, true) => Some(self.config.num_key_value_heads),
            _ => None,
        };
        let bytes = match heads {
            None => tensor.bytes,
            Some(heads) => {
                let width = tensor.bytes.len() / shape[0];
                let order = gguf_row_order(shape[0], heads);
                order.into_iter().flat_map(|row| tensor.bytes[row * width..(row + 1) * width].to_vec()).collect()
            }
        };
        self.writer.tensor(stored, shape, tensor.tensor_type, bytes);
        Ok(())
    }
}

fn float<const D: usize>(value: Tensor<D>) -> GgufTensor {
    let values: Vec<f32> = value.into_data().convert::<f32>().iter::<f32>().collect();
    if D == 2 && values.iter().all(|&x| f16::from_f32(x).is_finite()) {
        let bytes = values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect();
        return GgufTensor { tensor_type: TensorType::F16, bytes };
    }
    GgufTensor { tensor_type: TensorType::F32, bytes: bytemuck::cast_slice(&values).to_vec() }
}

impl ModuleVisitor for Tensors<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.place.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.error.is_some() {
            return;
        }
        let path = self.place.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".");
        let layer = self.place.last().map_or(String::new(), |(_, layer)| layer.clone());
        self.error = self.add(&path, &layer, param).err();
    }
}
