//! BERT (Devlin et al. 2019) and encoders of its shape, such as MiniLM and RoBERTa (Liu et al. 2019).

mod dropout;
mod head;

pub use dropout::Dropout;
pub use head::Head;

use crate::config::{BertConfig, BertFamily};
use crate::input_bits::{BlockBits, InputBits, Stages, read};
use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use junkdna_backend::kernels::{gelu, masked_softmax, residual_norm};
use junkdna_backend::{Blocks, Fold, FoldSource, LinearObserver, Seed, Segment, TokenTree};
use std::collections::BTreeSet;

/// A BERT encoder.
#[derive(Module, Debug)]
pub struct Bert {
    /// Word, position and segment embeddings.
    pub embeddings: Embeddings,
    /// The encoder layers.
    pub encoder: Encoder,
    /// The layer over the first token, where the checkpoint has one.
    pub pooler: Option<Pooler>,
    /// The head of a sequence classifier or regressor, where the model is one.
    pub classifier: Option<Head>,
    #[module(skip)]
    config: BertConfig,
    #[module(skip)]
    input_bits: InputBits,
}

/// The linears of a layer, those that share an input together.
const STAGES: Stages = [
    &["attention.self_attention.query", "attention.self_attention.key", "attention.self_attention.value"],
    &["attention.output.dense"],
    &["intermediate.dense"],
    &["output.dense"],
];

/// Token ids to hidden states.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab_size, hidden_size]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, hidden_size]`.
    pub position_embeddings: Embedding,
    /// `[type_vocab_size, hidden_size]`.
    pub token_type_embeddings: Embedding,
    /// Over their sum.
    pub layer_norm: LayerNorm,
}

/// The stack of layers.
#[derive(Module, Debug)]
pub struct Encoder {
    /// From the first to the last.
    pub layer: Vec<EncoderLayer>,
}

/// Attention and feed-forward layer, each added to its input before a norm.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// The attention with its output projection.
    pub attention: BertAttention,
    /// The first half of the feed-forward layer.
    pub intermediate: Dense,
    /// Its second half, with a norm.
    pub output: DenseNorm,
}

/// Self-attention and its output.
#[derive(Module, Debug)]
pub struct BertAttention {
    /// Queries, keys and values.
    pub self_attention: QueryKeyValue,
    /// Output projection and norm.
    pub output: DenseNorm,
}

/// The three projections, `[hidden_size, hidden_size]` each.
#[derive(Module, Debug)]
pub struct QueryKeyValue {
    /// Queries.
    pub query: Linear,
    /// Keys.
    pub key: Linear,
    /// Values.
    pub value: Linear,
}

/// One linear layer.
#[derive(Module, Debug)]
pub struct Dense {
    /// The layer.
    pub dense: Linear,
}

/// One linear layer, and the norm over its sum with the residual.
#[derive(Module, Debug)]
pub struct DenseNorm {
    /// The layer.
    pub dense: Linear,
    /// The norm.
    pub layer_norm: LayerNorm,
    #[module(skip)]
    epsilon: f64,
}

/// tanh of a linear layer over the first token.
#[derive(Module, Debug)]
pub struct Pooler {
    /// `[hidden_size, hidden_size]`.
    pub dense: Linear,
}

impl Bert {
    /// A model of this shape with lazy random parameters, to be filled by [`crate::load`].
    pub fn new(config: &BertConfig, with_pooler: bool, with_head: bool, device: &Device) -> Self {
        let hidden = config.hidden_size;
        let layer = |_| EncoderLayer::new(config, device);
        Self {
            embeddings: Embeddings::new(config, device),
            encoder: Encoder { layer: (0..config.num_hidden_layers).map(layer).collect() },
            pooler: with_pooler.then(|| Pooler { dense: LinearConfig::new(hidden, hidden).init(device) }),
            classifier: with_head.then(|| Head::lazy(config, device)),
            config: config.clone(),
            input_bits: InputBits::default(),
        }
    }

    /// The sizes and constants it was made with.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// The device that it computes on.
    pub fn device(&self) -> Device {
        self.embeddings.layer_norm.gamma.lazy_device()
    }

    /// The model with these dropout probabilities, for hidden states and for attention weights.
    pub fn with_dropout(mut self, hidden: f64, attention: f64) -> Self {
        self.config.hidden_dropout_prob = hidden;
        self.config.attention_probs_dropout_prob = attention;
        self
    }

    /// The same with the width that its feed-forward layers have by now.
    pub(crate) fn resized(mut self, channels: usize) -> Self {
        self.config.intermediate_size = channels;
        self
    }

    /// Whether some linears read their inputs in few bits.
    pub fn rounds_inputs(&self) -> bool {
        !self.input_bits.is_empty()
    }

    /// The Hugging Face name of a parameter path.
    pub fn tensor_name(&self, path: &str) -> String {
        let name = path.replace(".layer_norm.", ".LayerNorm.").replace(".self_attention.", ".self.");
        match (name.strip_prefix("classifier."), self.config.family) {
            (Some(rest), BertFamily::Bert) => format!("classifier.{}", rest.trim_start_matches("out_proj.")),
            (Some(_), BertFamily::Roberta) => name,
            // Task models of Transformers keep the encoder under the name of its family.
            (None, family) if self.classifier.is_some() => format!("{}.{name}", family.model_type()),
            (None, _) => name,
        }
    }

    /// Last hidden states `[batch, length, hidden_size]` of token ids and segment ids `[batch, length]`; `attend` is 1 for
    /// tokens and 0 for padding, `[batch, length]`.
    pub fn forward(&self, ids: Tensor<2, Int>, segments: Tensor<2, Int>, attend: Tensor<2, Int>) -> Tensor<3> {
        self.encode(ids, segments, attend, Dropout::NONE)
    }

    fn encode(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        attend: Tensor<2, Int>,
        dropout: Dropout,
    ) -> Tensor<3> {
        // A large finite number, so that a row of padding alone stays finite.
        let mask = attend.equal_elem(0).float().mul_scalar(-1e9);
        let hidden = self.embeddings.forward(ids, segments, self.config.first_position());
        let mut hidden = dropout.hidden(hidden, "embeddings");
        for (index, layer) in self.encoder.layer.iter().enumerate() {
            let (dropout, bits) = (dropout.layer(index), self.input_bits.of_block(index));
            let heads = self.config.num_attention_heads;
            hidden = layer.forward(hidden, mask.clone(), heads, dropout, bits, &mut |_, _| {});
        }
        hidden
    }

    /// tanh of the pooler over the first token, `[batch, hidden_size]`, where there is a pooler.
    pub fn pool(&self, hidden: Tensor<3>) -> Option<Tensor<2>> {
        let first = hidden.narrow(1, 0, 1).squeeze_dim(1);
        self.pooler.as_ref().map(|pooler| pooler.dense.forward::<2>(first).tanh())
    }

    /// The logits `[batch, labels]` of the head, where there is one, with dropout as in training or none; arguments as of
    /// [`forward`](Self::forward).
    pub fn classify(
        &self,
        ids: Tensor<2, Int>,
        segments: Tensor<2, Int>,
        attend: Tensor<2, Int>,
        dropout: Dropout,
    ) -> Option<Tensor<2>> {
        let head = self.classifier.as_ref()?;
        let hidden = self.encode(ids, segments, attend, dropout);
        let sentence = match self.config.family {
            BertFamily::Bert => self.pool(hidden)?,
            BertFamily::Roberta => hidden.narrow(1, 0, 1).squeeze_dim(1),
        };
        Some(head.forward(sentence, dropout))
    }
}

/// Sees the names of linears and the input that they share.
type Tap<'a> = dyn FnMut(&[&str], &Tensor<3>) + 'a;

/// Every sequence for itself, `[1, length, hidden_size]` each, so that none needs padding.
impl Blocks for Bert {
    type State = Vec<Tensor<3>>;

    fn num_blocks(&self) -> usize {
        self.encoder.layer.len()
    }

    fn embed(&self, tokens: &TokenTree) -> Self::State {
        let device = self.embeddings.layer_norm.gamma.lazy_device();
        let sequence = |segment: &Segment| {
            let ids: Vec<i64> = tokens.tokens()[segment.tokens.clone()].iter().map(|&id| i64::from(id)).collect();
            let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, segment.tokens.len()]), &device);
            self.embeddings.forward(ids.clone(), ids.zeros_like(), self.config.first_position())
        };
        tokens.segments().iter().map(sequence).collect()
    }

    fn forward_block(&self, block: usize, state: Self::State, observer: &mut dyn LinearObserver) -> Self::State {
        let mut tap = |names: &[&str], input: &Tensor<3>| {
            observer.observe(&paths(block, names), &input.clone().squeeze_dim(0));
        };
        let (layer, bits) = (&self.encoder.layer[block], self.input_bits.of_block(block));
        let mut forward = |x: Tensor<3>| {
            let nothing_hidden = Tensor::zeros([1, x.dims()[1]], &x.device());
            layer.forward(x, nothing_hidden, self.config.num_attention_heads, Dropout::NONE, bits, &mut tap)
        };
        state.into_iter().map(&mut forward).collect()
    }

    fn folds(&self, block: usize) -> Vec<Fold> {
        // Norms feed the residual stream too. Attention weights sum to one: a factor of a value is one of what is attended.
        let path = |name: &str| format!("encoder.layer.{block}.attention.{name}");
        let bias = Some(path("self_attention.value.bias"));
        let source = FoldSource::Linear { weight: path("self_attention.value.weight"), bias };
        vec![Fold { source, readers: vec![path("output.dense.weight")] }]
    }

    /// Those of the layers' linears; ones that share an input read it in the same bits.
    fn with_rounded_inputs(self, weights: &BTreeSet<String>, bits: u8) -> Option<Self> {
        let input_bits = self.input_bits.clone().with(weights, bits, self.num_blocks(), &STAGES, paths)?;
        Some(Self { input_bits, ..self })
    }
}

fn paths(block: usize, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("encoder.layer.{block}.{name}.weight")).collect()
}

impl Embeddings {
    fn new(config: &BertConfig, device: &Device) -> Self {
        let table = |rows| EmbeddingConfig::new(rows, config.hidden_size).init(device);
        Self {
            word_embeddings: table(config.vocab_size),
            position_embeddings: table(config.max_position_embeddings),
            token_type_embeddings: table(config.type_vocab_size),
            layer_norm: norm(config, device),
        }
    }

    fn forward(&self, ids: Tensor<2, Int>, segments: Tensor<2, Int>, first_position: usize) -> Tensor<3> {
        let (first, length) = (first_position as i64, ids.dims()[1] as i64);
        let positions = Tensor::<1, Int>::arange(first..first + length, &ids.device()).unsqueeze::<2>();
        let sum = self.word_embeddings.forward(ids)
            + self.position_embeddings.forward(positions)
            + self.token_type_embeddings.forward(segments);
        self.layer_norm.forward(sum)
    }
}

impl EncoderLayer {
    fn new(config: &BertConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).init(device);
        let projections =
            QueryKeyValue { query: linear(hidden, hidden), key: linear(hidden, hidden), value: linear(hidden, hidden) };
        let dense_norm = |d_in| DenseNorm {
            dense: linear(d_in, hidden),
            layer_norm: norm(config, device),
            epsilon: config.layer_norm_eps,
        };
        Self {
            attention: BertAttention { self_attention: projections, output: dense_norm(hidden) },
            intermediate: Dense { dense: linear(hidden, inner) },
            output: dense_norm(inner),
        }
    }

    /// `tap` sees what each linear is to read, before that is rounded to `bits`.
    fn forward(
        &self,
        x: Tensor<3>,
        mask: Tensor<2>,
        heads: usize,
        dropout: Dropout,
        bits: BlockBits,
        tap: &mut Tap<'_>,
    ) -> Tensor<3> {
        let mut input = |stage: usize, x: Tensor<3>| {
            tap(STAGES[stage], &x);
            read(x, bits[stage])
        };
        let attended = self.attention.self_attention.forward(input(0, x.clone()), mask, heads, dropout);
        let x = self.attention.output.forward(input(1, attended), x, dropout.of_hidden("attention.output"));
        let inner = gelu(self.intermediate.dense.forward(input(2, x.clone())));
        self.output.forward(input(3, inner), x, dropout.of_hidden("output"))
    }
}

impl DenseNorm {
    fn forward(&self, x: Tensor<3>, residual: Tensor<3>, (probability, seed): (f64, Seed)) -> Tensor<3> {
        let LayerNorm { gamma, beta, .. } = &self.layer_norm;
        let beta = beta.as_ref().map_or_else(|| gamma.val().zeros_like(), Param::val);
        let x = self.dense.forward(x);
        residual_norm(x, residual, [gamma.val(), beta], self.epsilon, probability, seed)
    }
}

impl QueryKeyValue {
    fn forward(&self, x: Tensor<3>, mask: Tensor<2>, heads: usize, dropout: Dropout) -> Tensor<3> {
        let [batch, length, width] = x.dims();
        let dim = width / heads;
        let split = |t: Tensor<3>| t.reshape([batch, length, heads, dim]).swap_dims(1, 2);
        let q = split(self.query.forward(x.clone()));
        let k = split(self.key.forward(x.clone()));
        let v = split(self.value.forward(x));
        let (probability, seed) = dropout.of_attention();
        let scale = (dim as f32).powf(-0.5);
        let weights = masked_softmax(q.matmul(k.transpose()), mask, scale, probability, seed);
        weights.matmul(v).swap_dims(1, 2).reshape([batch, length, width])
    }
}

fn norm(config: &BertConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.hidden_size).with_epsilon(config.layer_norm_eps).init(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    fn bert() -> Bert {
        let fields = serde_json::json!({
            "model_type": "bert", "architectures": ["BertModel"], "vocab_size": 11, "hidden_size": 12,
            "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 3, "hidden_act": "gelu",
            "max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        });
        match ModelConfig::from_json(&fields, "config.json".as_ref()) {
            Ok(ModelConfig::Bert(config)) => Bert::new(&config, true, false, &Device::flex()),
            other => panic!("{other:?}"),
        }
    }

    /// Layer by layer and as a whole; of some linears only, and of none.
    #[test]
    fn inputs_are_rounded_where_that_is_asked_for() {
        struct Nobody;
        impl LinearObserver for Nobody {
            fn observe(&mut self, _weights: &[String], _input: &Tensor<2>) {}
        }
        let model = bert();
        let values = |hidden: Tensor<3>| -> Vec<f32> { hidden.into_data().iter().collect() };
        let ids = Tensor::<2, Int>::from_data(TensorData::new(vec![1i64, 5, 2, 7, 10, 3], [1, 6]), &Device::flex());
        let hidden = |model: &Bert| values(model.forward(ids.clone(), ids.zeros_like(), ids.ones_like()));
        let by_layer = |model: &Bert| {
            let state = model.embed(&TokenTree::sequence(&[1, 5, 2, 7, 10, 3], 0));
            values((0..2).fold(state, |state, layer| model.forward_block(layer, state, &mut Nobody)).remove(0))
        };
        let all: Vec<String> = (0..2).flat_map(|layer| STAGES.map(|names| paths(layer, names)).concat()).collect();
        let rounded =
            |paths: &[String], bits| model.clone().with_rounded_inputs(&paths.iter().cloned().collect(), bits);
        let dense = hidden(&model);
        let error = |values: &[f32]| values.iter().zip(&dense).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let (eight, four) = (rounded(&all, 8).unwrap(), rounded(&all, 4).unwrap());
        let last = rounded(&all[5..6], 8).unwrap();
        let [of_eight, of_four, of_last] = [&eight, &four, &last].map(|model| error(&hidden(model)));
        assert!(0.0 < of_last && of_last < of_four && 0.0 < of_eight && of_eight < of_four, "{of_eight}, {of_four}");
        for (whole, layers) in hidden(&eight).iter().zip(by_layer(&eight)) {
            assert!((whole - layers).abs() < 0.02, "{whole} and {layers}");
        }
        assert!(eight.rounds_inputs() && !model.rounds_inputs());
        // Queries, keys and values read one input; the pooler is in no block.
        assert!(rounded(&all[..2], 8).is_none());
        assert!(rounded(&["pooler.dense.weight".to_owned()], 8).is_none());
    }
}
