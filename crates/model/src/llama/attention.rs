//! Grouped-query attention with rotary positions.

use super::State;
use crate::config::LlamaConfig;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use junkdna_backend::kernels::{Heads, rotate, tree_attention_over};

/// The projections around the attention of one block.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, `[hidden_size, query_heads * head_dim]`.
    pub q_proj: Linear,
    /// Keys, `[hidden_size, key_value_heads * head_dim]`.
    pub k_proj: Linear,
    /// Values, `[hidden_size, key_value_heads * head_dim]`.
    pub v_proj: Linear,
    /// Back to the residual stream, `[query_heads * head_dim, hidden_size]`.
    pub o_proj: Linear,
}

impl Attention {
    pub(super) fn new(config: &LlamaConfig, device: &Device) -> Self {
        let (hidden, bias) = (config.hidden_size, config.attention_bias);
        let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).with_bias(bias).init(device);
        let query = config.num_attention_heads * config.head_dim;
        let key_value = config.num_key_value_heads * config.head_dim;
        Self {
            q_proj: linear(hidden, query),
            k_proj: linear(hidden, key_value),
            v_proj: linear(hidden, key_value),
            o_proj: linear(query, hidden),
        }
    }

    /// `x` `[tokens, hidden_size]` → what `o_proj` reads, and the keys and values of these tokens.
    pub(super) fn attend(
        &self,
        x: Tensor<2>,
        state: &State,
        past: Vec<[Tensor<2>; 2]>,
        heads: Heads,
    ) -> (Tensor<2>, [Tensor<2>; 2]) {
        let q = rotate(self.q_proj.forward(x.clone()), &state.rotary);
        let k = rotate(self.k_proj.forward(x.clone()), &state.rotary);
        let v = self.v_proj.forward(x);
        let keys_values = past.into_iter().chain([[k.clone(), v.clone()]]).collect();
        (tree_attention_over(q, keys_values, &state.mask, heads), [k, v])
    }
}
