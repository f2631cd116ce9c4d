//! The Llama family (Touvron et al. 2023): Llama, SmolLM2, TinyLlama and others of that shape.

mod attention;
mod block;
mod rope;

pub use attention::Attention;
pub use block::{Block, Mlp};

use crate::compact::{embed, unembed, wide_linear};
use crate::config::LlamaConfig;
use crate::input_bits::{InputBits, read};
use block::STAGES;
use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor};
use junkdna_backend::kernels::{AttentionMask, Heads, Rotary};
use junkdna_backend::{Blocks, CausalLm, Fold, FoldSource, KeyValues, LinearObserver, TokenTree};
use std::collections::BTreeSet;

/// A Llama decoder with its head.
#[derive(Module, Debug)]
pub struct Llama {
    /// Embedding, blocks and final norm.
    pub model: Decoder,
    /// The head, where it is not the embedding table.
    pub lm_head: Option<Linear>,
    #[module(skip)]
    config: LlamaConfig,
    #[module(skip)]
    input_bits: InputBits,
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
    /// Within a block, what attention or activation gave to the linear behind it.
    inner: Option<Tensor<2>>,
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
            input_bits: InputBits::default(),
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

    /// Whether some linears read their inputs in few bits.
    pub fn rounds_inputs(&self) -> bool {
        !self.input_bits.is_empty()
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
            inner: None,
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
            let (hidden, keys_values) =
                block.forward(&state, past.layer_parts(layer), self.heads(), self.input_bits.of_block(layer));
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

    fn forward_block(&self, block: usize, state: State, observer: &mut dyn LinearObserver) -> State {
        (0..STAGES.len()).fold(state, |state, stage| self.forward_stage(block, stage, state, observer))
    }

    fn observe_block(&self, block: usize, state: State, observer: &mut dyn LinearObserver) {
        let last = STAGES.len() - 1;
        let state = (0..last).fold(state, |state, stage| self.forward_stage(block, stage, state, observer));
        self.observe_stage(block, last, state, observer);
    }

    fn num_stages(&self, _block: usize) -> usize {
        STAGES.len()
    }

    fn forward_stage(&self, block: usize, stage: usize, state: State, observer: &mut dyn LinearObserver) -> State {
        let layer = &self.model.layers[block];
        let input = layer.input(stage, &state);
        observer.observe(&paths(block, STAGES[stage]), &input);
        layer.run(stage, read(input, self.input_bits.of_block(block)[stage]), state, self.heads())
    }

    fn observe_stage(&self, block: usize, stage: usize, state: State, observer: &mut dyn LinearObserver) {
        observer.observe(&paths(block, STAGES[stage]), &self.model.layers[block].input(stage, &state));
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

    /// Linears that share an input read it in the same bits.
    fn with_rounded_inputs(self, weights: &BTreeSet<String>, bits: u8) -> Option<Self> {
        let input_bits = self.input_bits.clone().with(weights, bits, self.num_blocks(), &STAGES, paths)?;
        Some(Self { input_bits, ..self })
    }
}

fn paths(block: usize, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("model.layers.{block}.{name}.weight")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use burn::tensor::Tolerance;

    /// Random weights, more query heads than key-value heads.
    pub(crate) fn llama(device: &Device) -> Llama {
        let fields = serde_json::json!({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 11, "hidden_size": 12,
            "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3,
            "head_dim": 4, "rms_norm_eps": 1e-5, "hidden_act": "silu",
        });
        device.seed(7);
        match ModelConfig::from_json(&fields, "config.json".as_ref()) {
            Ok(ModelConfig::Llama(config)) => Llama::new(&config, device),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn block_by_block_and_stage_by_stage_it_computes_the_same() {
        struct Seen(Vec<String>);
        impl LinearObserver for Seen {
            fn observe(&mut self, weights: &[String], _input: &Tensor<2>) {
                self.0.extend_from_slice(weights);
            }
        }
        let model = llama(&Device::flex());
        let tree = TokenTree::sequence(&[1, 5, 2, 7, 10, 3], 0);
        let (expected, _) = model.forward(&tree, &KeyValues::default());
        let (mut by_block, mut by_stage) = (Seen(Vec::new()), Seen(Vec::new()));
        let (mut blocks, mut stages) = (model.embed(&tree), model.embed(&tree));
        for block in 0..model.num_blocks() {
            let mut all = Seen(Vec::new());
            model.observe_block(block, blocks.clone(), &mut all);
            blocks = model.forward_block(block, blocks, &mut by_block);
            assert!(by_block.0.ends_with(&all.0) && all.0.len() == 7, "{:?}", all.0);
            for stage in 0..model.num_stages(block) {
                model.observe_stage(block, stage, stages.clone(), &mut by_stage);
                stages = model.forward_stage(block, stage, stages, &mut Seen(Vec::new()));
            }
        }
        assert_eq!(by_block.0, by_stage.0);
        for state in [blocks, stages] {
            let hidden = block::norm(&model.model.norm, state.hidden).into_data();
            hidden.assert_approx_eq::<f32>(&expected.clone().into_data(), Tolerance::default());
        }
    }

    /// Block by block and as a whole; of some linears only, and of none.
    #[test]
    fn inputs_are_rounded_where_that_is_asked_for() {
        struct Nobody;
        impl LinearObserver for Nobody {
            fn observe(&mut self, _weights: &[String], _input: &Tensor<2>) {}
        }
        let model = llama(&Device::flex());
        let tree = TokenTree::sequence(&[1, 5, 2, 7, 10, 3], 0);
        let hidden =
            |model: &Llama| -> Vec<f32> { model.forward(&tree, &KeyValues::default()).0.into_data().iter().collect() };
        let by_block = |model: &Llama| -> Vec<f32> {
            let state = (0..2).fold(model.embed(&tree), |state, block| model.forward_block(block, state, &mut Nobody));
            block::norm(&model.model.norm, state.hidden).into_data().iter().collect()
        };
        let all: Vec<String> = (0..2).flat_map(|block| STAGES.map(|names| paths(block, names)).concat()).collect();
        let rounded =
            |paths: &[String], bits| model.clone().with_rounded_inputs(&paths.iter().cloned().collect(), bits);
        let dense = hidden(&model);
        let error = |values: &[f32]| values.iter().zip(&dense).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let (eight, four) = (rounded(&all, 8).unwrap(), rounded(&all, 4).unwrap());
        let down = rounded(&all[6..7], 8).unwrap();
        let [of_eight, of_four, of_down] = [&eight, &four, &down].map(|model| error(&hidden(model)));
        assert!(0.0 < of_down && of_down < of_eight && of_eight < of_four, "{of_down}, {of_eight}, {of_four}");
        for (whole, blocks) in hidden(&eight).iter().zip(by_block(&eight)) {
            assert!((whole - blocks).abs() < 1e-3, "{whole} and {blocks}");
        }
        assert!(eight.rounds_inputs() && !model.rounds_inputs());
        // Queries, keys and values read one input.
        assert!(rounded(&all[..2], 8).is_none());
        assert!(rounded(&["lm_head.weight".to_owned()], 8).is_none());
    }
}
