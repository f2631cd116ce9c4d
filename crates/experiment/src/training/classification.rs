//! Sequence classification and regression with an encoder.

use crate::ExperimentError;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use junkdna_backend::Seed;
use junkdna_finetune::data::{Dataset, Example, Label};
use junkdna_finetune::{FinetuneError, Metrics, Objective, metrics};
use junkdna_model::bert::Dropout;
use junkdna_model::tokenizer::{Batch, Encoded};
use junkdna_model::{Bert, Tokenizer};
use rayon::prelude::*;

/// Examples of an evaluation pass.
const EVALUATION_BATCH: usize = 32;

/// Finding the class, or the number, of texts.
#[derive(Debug)]
pub struct Classification {
    train: Vec<Tokens>,
    validation: Vec<Tokens>,
    metric: String,
    label_smoothing: f64,
    pad: u32,
}

#[derive(Debug)]
struct Tokens {
    encoded: Encoded,
    label: Label,
}

impl Classification {
    /// The examples of a data set as tokens, at most `max_length` each.
    ///
    /// # Errors
    /// A label that the head has no output for, a model without a head or one that reads inputs in few bits, or a text that
    /// cannot be tokenized.
    pub fn new(
        dataset: &Dataset,
        model: &Bert,
        tokenizer: &Tokenizer,
        max_length: usize,
        label_smoothing: f64,
    ) -> Result<Self, ExperimentError> {
        if model.rounds_inputs() {
            return Err(ExperimentError::NoGradient);
        }
        let outputs = model.config().num_labels.filter(|_| model.classifier.is_some()).unwrap_or(0);
        let max_length = max_length.min(model.config().context_length());
        let tokens = |split: &'static str, index: usize, example: &Example| {
            if let Label::Class(class) = example.label
                && class >= outputs
            {
                let task = dataset.name.clone();
                return Err(FinetuneError::LabelOutside { task, split, example: index, class, outputs }.into());
            }
            let encoded = tokenizer.encode_pair(&example.first, example.second.as_deref(), Some(max_length))?;
            Ok(Tokens { encoded, label: example.label })
        };
        let split = |name: &'static str, examples: &[Example]| {
            let examples = examples.par_iter().enumerate();
            examples.map(|(index, example)| tokens(name, index, example)).collect::<Result<Vec<_>, ExperimentError>>()
        };
        Ok(Self {
            train: split("training", &dataset.train)?,
            validation: split("validation", &dataset.validation)?,
            metric: dataset.metric.clone(),
            label_smoothing,
            pad: tokenizer.pad().unwrap_or(0),
        })
    }

    fn logits(&self, model: &Bert, examples: &[&Tokens], dropout: Dropout) -> Tensor<2> {
        let rows: Vec<&Encoded> = examples.iter().map(|example| &example.encoded).collect();
        logits(model, &rows, self.pad, dropout)
    }

    /// Mean cross entropy of classes, mean squared error of numbers, `[1]`.
    fn mean_loss(&self, logits: Tensor<2>, labels: &[Label], smoothing: f64) -> Tensor<1> {
        let device = logits.device();
        match classes(labels) {
            Some(classes) => cross_entropy(logits, &classes, smoothing, &device),
            None => {
                let values: Vec<f32> = labels.iter().map(|label| value(*label)).collect();
                let values = Tensor::<2>::from_data(TensorData::new(values, [labels.len(), 1]), &device);
                (logits.narrow(1, 0, 1) - values).square().mean()
            }
        }
    }

    /// ln p of each class for every validation example, in their order.
    pub fn log_probs(&self, model: &Bert) -> Vec<Vec<f64>> {
        let of_row = |row: Vec<f32>| {
            let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f64 = row.iter().map(|&logit| f64::from(logit - highest).exp()).sum();
            row.iter().map(|&logit| f64::from(logit - highest) - total.ln()).collect()
        };
        self.validate(model).0.into_iter().map(of_row).collect()
    }

    /// Tokens of the training and of the validation examples.
    pub fn tokens(&self) -> [usize; 2] {
        [&self.train, &self.validation].map(|split| split.iter().map(|example| example.encoded.ids.len()).sum())
    }

    /// Logits of all validation examples, in their order, and their mean loss.
    fn validate(&self, model: &Bert) -> (Vec<Vec<f32>>, f64) {
        let mut order: Vec<usize> = (0..self.validation.len()).collect();
        order.sort_by_key(|&index| self.validation[index].encoded.ids.len());
        let mut all = vec![Vec::new(); order.len()];
        let mut loss = 0.0;
        for indices in order.chunks(EVALUATION_BATCH) {
            let examples: Vec<&Tokens> = indices.iter().map(|&index| &self.validation[index]).collect();
            let labels: Vec<Label> = examples.iter().map(|example| example.label).collect();
            let logits = self.logits(model, &examples, Dropout::NONE);
            let mean: f32 = self.mean_loss(logits.clone(), &labels, 0.0).into_scalar();
            loss += f64::from(mean) * indices.len() as f64;
            let width = logits.dims()[1];
            let values: Vec<f32> = logits.into_data().convert::<f32>().iter::<f32>().collect();
            for (&index, row) in indices.iter().zip(values.chunks(width)) {
                all[index] = row.to_vec();
            }
        }
        (all, loss / order.len().max(1) as f64)
    }
}

impl Objective<Bert> for Classification {
    fn examples(&self) -> usize {
        self.train.len()
    }

    fn length(&self, example: usize) -> usize {
        self.train[example].encoded.ids.len()
    }

    fn loss(&self, model: &Bert, batch: &[usize], noise: Seed) -> Tensor<1> {
        let examples: Vec<&Tokens> = batch.iter().map(|&index| &self.train[index]).collect();
        let labels: Vec<Label> = examples.iter().map(|example| example.label).collect();
        let logits = self.logits(model, &examples, Dropout::new(model.config(), noise));
        self.mean_loss(logits, &labels, self.label_smoothing)
    }

    fn evaluate(&self, model: &Bert) -> Metrics {
        let (logits, loss) = self.validate(model);
        let labels: Vec<Label> = self.validation.iter().map(|example| example.label).collect();
        let mut found = Metrics::from([("loss".to_owned(), loss)]);
        match classes(&labels) {
            Some(gold) => {
                let predicted: Vec<usize> = logits.iter().map(|row| largest(row)).collect();
                found.insert("accuracy".into(), metrics::accuracy(&predicted, &gold));
                found.insert("matthews".into(), metrics::matthews(&predicted, &gold));
                if logits.first().is_some_and(|row| row.len() == 2) {
                    found.insert("f1".into(), metrics::f1(&predicted, &gold));
                }
            }
            None => {
                let predicted: Vec<f64> = logits.iter().map(|row| f64::from(row[0])).collect();
                let gold: Vec<f64> = labels.iter().map(|label| f64::from(value(*label))).collect();
                found.insert("pearson".into(), metrics::pearson(&predicted, &gold));
                found.insert("spearman".into(), metrics::spearman(&predicted, &gold));
            }
        }
        found
    }

    fn metric(&self) -> &str {
        &self.metric
    }
}

/// What the head says of texts in one batch, `[texts, outputs]`.
pub(crate) fn logits(model: &Bert, rows: &[&Encoded], pad: u32, dropout: Dropout) -> Tensor<2> {
    let batch = Batch::padded(rows, pad);
    let device = model.device();
    let ints =
        |values: Vec<i64>| Tensor::<2, Int>::from_data(TensorData::new(values, [batch.rows, batch.width]), &device);
    let ids = ints(batch.ids.iter().map(|&id| i64::from(id)).collect());
    // Models with one segment, such as RoBERTa, know no other.
    let last = model.config().type_vocab_size as u32 - 1;
    let segments = ints(batch.type_ids.iter().map(|&segment| i64::from(segment.min(last))).collect());
    let attend = ints(batch.mask.iter().map(|&token| i64::from(token)).collect());
    model.classify(ids, segments, attend, dropout).expect("a model without a head was refused")
}

/// The mean of -ln p of each row's class; with smoothing, of a target that gives the share to all classes alike.
fn cross_entropy(logits: Tensor<2>, classes: &[usize], smoothing: f64, device: &Device) -> Tensor<1> {
    let [rows, width] = logits.dims();
    let log_probs = log_softmax(logits, 1);
    let spread = (smoothing / width as f64) as f32;
    let mut target = vec![spread; rows * width];
    for (row, &class) in target.chunks_mut(width).zip(classes) {
        row[class] += (1.0 - smoothing) as f32;
    }
    let target = Tensor::<2>::from_data(TensorData::new(target, [rows, width]), device);
    (log_probs * target).sum() / -(rows as f64)
}

fn classes(labels: &[Label]) -> Option<Vec<usize>> {
    let class = |label: &Label| match label {
        Label::Class(class) => Some(*class),
        Label::Value(_) => None,
    };
    labels.iter().map(class).collect()
}

fn value(label: Label) -> f32 {
    match label {
        Label::Class(class) => class as f32,
        Label::Value(value) => value,
    }
}

fn largest(row: &[f32]) -> usize {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap_or(0)
}
