//! Heads of sequence classifiers and regressors.

use super::{Bert, Dropout, Pooler};
use crate::config::{BertConfig, BertFamily};
use crate::error::ModelError;
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::Seed;
use rand::RngExt;

/// The standard deviation of the weights of a new head, as in Transformers.
const INITIALIZER_RANGE: f64 = 0.02;

/// What reads the sentence's vector: one linear, after another with tanh in RoBERTa.
#[derive(Module, Debug)]
pub struct Head {
    /// `[hidden_size, hidden_size]`, in RoBERTa.
    pub dense: Option<Linear>,
    /// `[hidden_size, labels]`.
    pub out_proj: Linear,
}

impl Head {
    pub(super) fn lazy(config: &BertConfig, device: &Device) -> Self {
        let (hidden, labels) = (config.hidden_size, config.num_labels.unwrap_or(2));
        let dense = config.family == BertFamily::Roberta;
        Self {
            dense: dense.then(|| LinearConfig::new(hidden, hidden).init(device)),
            out_proj: LinearConfig::new(hidden, labels).init(device),
        }
    }

    /// Logits `[batch, labels]` of sentence vectors `[batch, hidden_size]`.
    pub(super) fn forward(&self, sentence: Tensor<2>, dropout: Dropout) -> Tensor<2> {
        let sentence = dropout.hidden(sentence, "classifier");
        let sentence = match &self.dense {
            Some(dense) => dropout.hidden(dense.forward(sentence).tanh(), "classifier.dense"),
            None => sentence,
        };
        self.out_proj.forward(sentence)
    }
}

impl Bert {
    /// The model with a head for these classes, new where the model's own has another number of them; one name is a
    /// regressor. A pooler that the checkpoint lacks is new too.
    ///
    /// # Errors
    /// No names at all.
    pub fn with_head(mut self, labels: &[String], seed: Seed) -> Result<Self, ModelError> {
        if labels.is_empty() {
            return Err(ModelError::config("config.json".as_ref(), "id2label", "is empty, a head needs a label"));
        }
        let fits = self.classifier.is_some() && self.config.num_labels == Some(labels.len());
        self.config.num_labels = Some(labels.len());
        self.config.labels = Some(labels.to_vec());
        let (hidden, device) = (self.config.hidden_size, self.embeddings.layer_norm.gamma.lazy_device());
        let linear = |outputs, name| new_linear(hidden, outputs, seed.derive(name), &device);
        if !fits {
            let roberta = self.config.family == BertFamily::Roberta;
            let dense = roberta.then(|| linear(hidden, "classifier.dense"));
            self.classifier = Some(Head { dense, out_proj: linear(labels.len(), "classifier.out_proj") });
        }
        if self.pooler.is_none() && self.config.family == BertFamily::Bert {
            self.pooler = Some(Pooler { dense: linear(hidden, "pooler.dense") });
        }
        if self.config.family == BertFamily::Roberta {
            self.pooler = None; // its task models have none
        }
        self.config.architecture = format!("{}ForSequenceClassification", self.config.family.class_prefix());
        Ok(self)
    }
}

/// Normal weights and no bias, in PyTorch's memory layout as loaded ones are.
fn new_linear(d_in: usize, d_out: usize, seed: Seed, device: &Device) -> Linear {
    let mut rng = seed.rng();
    let mut normal = || {
        // Box and Muller (1958).
        let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
        ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos() * INITIALIZER_RANGE) as f32
    };
    let values: Vec<f32> = (0..d_in * d_out).map(|_| normal()).collect();
    let weight = Tensor::<2>::from_data(TensorData::new(values, [d_out, d_in]), device).transpose();
    Linear { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(Tensor::zeros([d_out], device))) }
}
