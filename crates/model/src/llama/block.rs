//! One decoder block.

use super::{Attention, State};
use crate::config::LlamaConfig;
use crate::input_bits::{BlockBits, Stages, read};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor};
use junkdna_backend::kernels::{Heads, rms_norm, swiglu};

/// The linears of a block's stages.
pub(super) const STAGES: Stages = [
    &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    &["self_attn.o_proj"],
    &["mlp.gate_proj", "mlp.up_proj"],
    &["mlp.down_proj"],
];

/// Attention and feed-forward layer, each after a norm and added to its input.
#[derive(Module, Debug)]
pub struct Block {
    /// The attention.
    pub self_attn: Attention,
    /// The feed-forward layer.
    pub mlp: Mlp,
    /// The norm before the attention.
    pub input_layernorm: RmsNorm,
    /// The norm before the feed-forward layer.
    pub post_attention_layernorm: RmsNorm,
}

/// The feed-forward layer, SwiGLU (Shazeer 2020).
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[hidden_size, intermediate_size]`, through the activation.
    pub gate_proj: Linear,
    /// `[hidden_size, intermediate_size]`.
    pub up_proj: Linear,
    /// `[intermediate_size, hidden_size]`.
    pub down_proj: Linear,
}

impl Block {
    pub(super) fn new(config: &LlamaConfig, device: &Device) -> Self {
        let norm = || RmsNormConfig::new(config.hidden_size).with_epsilon(config.rms_norm_eps).init(device);
        Self {
            self_attn: Attention::new(config, device),
            mlp: Mlp::new(config, device),
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        }
    }

    pub(super) fn forward(
        &self,
        state: &State,
        past: Vec<[Tensor<2>; 2]>,
        heads: Heads,
        bits: BlockBits,
    ) -> (Tensor<2>, [Tensor<2>; 2]) {
        let x = state.hidden.clone();
        let normed = read(norm(&self.input_layernorm, x.clone()), bits[0]);
        let (attended, keys_values) = self.self_attn.attend(normed, state, past, heads);
        let x = x + self.self_attn.o_proj.forward(read(attended, bits[1]));
        let inner = self.mlp.inner(read(norm(&self.post_attention_layernorm, x.clone()), bits[2]));
        (x + self.mlp.down_proj.forward(read(inner, bits[3])), keys_values)
    }

    /// What the linears of a stage read.
    pub(super) fn input(&self, stage: usize, state: &State) -> Tensor<2> {
        match stage {
            0 => norm(&self.input_layernorm, state.hidden.clone()),
            2 => norm(&self.post_attention_layernorm, state.hidden.clone()),
            _ => state.inner.clone().expect("given by the stage before"),
        }
    }

    /// A stage on its input.
    pub(super) fn run(&self, stage: usize, input: Tensor<2>, mut state: State, heads: Heads) -> State {
        state.inner = None;
        match stage {
            0 => state.inner = Some(self.self_attn.attend(input, &state, Vec::new(), heads).0),
            1 => state.hidden = state.hidden + self.self_attn.o_proj.forward(input),
            2 => state.inner = Some(self.mlp.inner(input)),
            _ => state.hidden = state.hidden + self.mlp.down_proj.forward(input),
        }
        state
    }
}

/// The norm of hidden states `[tokens, hidden_size]`.
pub(super) fn norm(norm: &RmsNorm, x: Tensor<2>) -> Tensor<2> {
    rms_norm(x, norm.gamma.val(), norm.epsilon)
}

impl Mlp {
    fn new(config: &LlamaConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).with_bias(config.mlp_bias).init(device);
        Self { gate_proj: linear(hidden, inner), up_proj: linear(hidden, inner), down_proj: linear(inner, hidden) }
    }

    /// What `down_proj` reads.
    fn inner(&self, x: Tensor<2>) -> Tensor<2> {
        swiglu(self.gate_proj.forward(x.clone()), self.up_proj.forward(x))
    }
}
