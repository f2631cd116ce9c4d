//! The Llama family (Touvron et al. 2023): Llama, SmolLM2, TinyLlama and others of that shape.

mod attention;
mod block;
mod rope;

pub use attention::Attention;
pub use block::{Block, Mlp};

use crate::compact::{embed, unembed, wide_linear};
use crate::config::LlamaConfig;
use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor};
use junkdna_backend::kernels::{AttentionMask, Heads, Rotary};
use junkdna_backend::{Blocks, CausalLm, Fold, FoldSource, KeyValues, LinearObserver, TokenTree};

/// A Llama decoder with its head.
#[derive(Module, Debug)]
pub struct Llama {
    /// Embedding, blocks and final norm.
    pub model: Decoder,
    /// The head, where it is not the embedding table.
    pub lm_head: Option<Linear>,
    #[module(skip)]
    config: LlamaConfig,
}

/// The decoder without its head.
#[derive(Module, Debug)]
pub struct Decoder {
    /// The embedding table, `[vocab_size, hidden_size]`.
    pub embed_tokens: Embedding,
    /// The decoder blocks.
    pub layers: Vec<Block>,
    /// The norm before the head.
    pub norm: RmsNorm,
}

/// Hidden states between two blocks, and what the blocks need to know of their tokens.
#[derive(Debug, Clone)]
pub struct State {
    /// `[tokens, hidden_size]`.
    pub hidden: Tensor<2>,
    rotary: Rotary,
    mask: AttentionMask,
}

impl Llama {
    /// A model of this shape with lazy random parameters, to be filled by [`crate::load`].
    pub fn new(config: &LlamaConfig, device: &Device) -> Self {
        let (vocab, hidden) = (config.vocab_size, config.hidden_size);
        let linear = LinearConfig::new(hidden, vocab).with_bias(false);
        Self {
            model: Decoder {
                embed_tokens: EmbeddingConfig::new(vocab, hidden).init(device),
                layers: (0..config.num_hidden_layers).map(|_| Block::new(config, device)).collect(),
                norm: RmsNormConfig::new(hidden).with_epsilon(config.rms_norm_eps).init(device),
            },
            lm_head: (!config.tie_word_embeddings).then(|| linear.init(device)),
            config: config.clone(),
        }
    }

    /// The sizes and constants it was made with.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// The same with the sizes that its weights have by now.
    pub(crate) fn resized(mut self, channels: usize, heads: usize, key_value_heads: usize) -> Self {
        self.config.intermediate_size = channels;
        self.config.num_attention_heads = heads;
        self.config.num_key_value_heads = key_value_heads;
        self
    }

    fn heads(&self) -> Heads {
        Heads {
            query: self.config.num_attention_heads,
            key_value: self.config.num_key_value_heads,
            dim: self.config.head_dim,
        }
    }

    fn start(&self, tree: &TokenTree, past: usize) -> State {
        let device = self.device();
        State {
            hidden: embed(&self.model.embed_tokens, tree.tokens(), &device),
            rotary: Rotary::new(tree.positions(), &rope::inverse_frequencies(&self.config)),
            mask: AttentionMask::new(tree, past, &device),
        }
    }
}

impl CausalLm for Llama {
    fn device(&self) -> Device {
        self.model.norm.gamma.lazy_device()
    }

    fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    fn context_length(&self) -> usize {
        self.config.max_position_embeddings
    }

    fn forward(&self, tree: &TokenTree, past: &KeyValues) -> (Tensor<2>, KeyValues) {
        let mut state = self.start(tree, past.len());
        let mut kept = Vec::with_capacity(self.model.layers.len());
        for (layer, block) in self.model.layers.iter().enumerate() {
            let (hidden, keys_values) = block.forward(&state, past.layer_parts(layer), self.heads(), &mut |_, _| {});
            state.hidden = hidden;
            kept.push(keys_values);
        }
        (block::norm(&self.model.norm, state.hidden), KeyValues::new(kept))
    }

    fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        match &self.lm_head {
            Some(head) => wide_linear(hidden, head),
            None => unembed(hidden, &self.model.embed_tokens),
        }
    }
}

impl Blocks for Llama {
    type State = State;

    fn num_blocks(&self) -> usize {
        self.model.layers.len()
    }

    fn embed(&self, tokens: &TokenTree) -> State {
        self.start(tokens, 0)
    }

    fn forward_block(&self, block: usize, mut state: State, observer: &mut dyn LinearObserver) -> State {
        let mut tap = |names: &[&str], input: &Tensor<2>| observer.observe(&paths(block, names), input);
        (state.hidden, _) = self.model.layers[block].forward(&state, Vec::new(), self.heads(), &mut tap);
        state
    }

    fn observe_block(&self, block: usize, state: State, observer: &mut dyn LinearObserver) {
        let mut tap = |names: &[&str], input: &Tensor<2>| observer.observe(&paths(block, names), input);
        self.model.layers[block].observe(&state, self.heads(), &mut tap);
    }

    fn folds(&self, block: usize) -> Vec<Fold> {
        let path = |name: &str| paths(block, &[name]).remove(0);
        let norm = |name: &str, readers: &[&str]| Fold {
            source: FoldSource::Norm(vec![format!("model.layers.{block}.{name}.gamma")]),
            readers: paths(block, readers),
        };
        let linear = |name: &str, bias: bool, reader: &str| Fold {
            source: FoldSource::Linear {
                weight: path(name),
                bias: bias.then(|| path(name).replace(".weight", ".bias")),
            },
            readers: paths(block, &[reader]),
        };
        let mut folds = vec![
            norm("input_layernorm", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
            norm("post_attention_layernorm", &["mlp.gate_proj", "mlp.up_proj"]),
            // SwiGLU multiplies the outputs of `up_proj`, whatever the gate.
            linear("mlp.up_proj", self.config.mlp_bias, "mlp.down_proj"),
        ];
        // With fewer key-value heads several inputs of `o_proj` are one output of `v_proj`.
        if self.config.num_attention_heads == self.config.num_key_value_heads {
            folds.push(linear("self_attn.v_proj", self.config.attention_bias, "self_attn.o_proj"));
        }
        folds
    }
}

fn paths(block: usize, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("model.layers.{block}.{name}.weight")).collect()
}
