//! What the benchmarks work on: a model of SmolLM2-135M's shape with random weights, so that nothing is downloaded.

use burn::tensor::Device;
use junkdna_model::{Llama, LlamaConfig};
use serde_json::json;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SmolLM2-135M with random weights and this many of its 30 blocks.
///
/// # Panics
/// Never: the configuration is a constant.
pub fn smollm2(blocks: usize) -> Llama {
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": blocks,
        "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": true,
    });
    let config: LlamaConfig = serde_json::from_value(config).expect("a valid configuration");
    Llama::new(&config, &Device::flex())
}
