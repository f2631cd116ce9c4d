use super::{threads, timed};
use crate::arguments::ModelSource;
use crate::commands::load;
use crate::error::CliError;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use junkdna_backend::Seed;
use junkdna_finetune::adapters::{AdapterConfig, attach};
use junkdna_finetune::{AdamW, AdamWConfig, gradient_norm};
use junkdna_model::bert::Dropout;
use junkdna_model::{Bert, Model};
use serde_json::{Value, json};

/// The work of PyTorch's `bench.py train`: forward, backward, clipping and AdamW of an encoder with a head of two classes,
/// on random tokens.
pub fn train(source: &ModelSource, batch: usize, length: usize, repeat: usize, lora: bool) -> Result<Value, CliError> {
    let loaded = load(source)?;
    let Model::Bert(model) = loaded.model else {
        return Err(CliError::Request(format!("{}: bench train needs an encoder", loaded.source)));
    };
    let model = model.with_head(&["0".into(), "1".into()], Seed(41))?;
    let model = if lora { attach(model, &AdapterConfig::default(), Seed(41))? } else { model };
    let mut step = Step::new(model.train(), batch, length);
    let (min, median) = timed(repeat, || {
        step.take();
        Ok(())
    })?;
    Ok(json!({
        "what": "train", "min_s": min, "median_s": median, "repeat": repeat, "threads": threads(),
        "examples_per_s": batch as f64 / median, "lora": lora,
    }))
}

struct Step {
    model: Option<Bert>,
    optimizer: AdamW,
    ids: Tensor<2, Int>,
    targets: Tensor<2>,
    count: u64,
}

impl Step {
    fn new(model: Bert, batch: usize, length: usize) -> Self {
        let device = model.device();
        let (seed, vocabulary) = (Seed(41), model.config().vocab_size.min(20_000) as u64);
        let first = vocabulary.min(1000) / 2;
        let id = |i: usize| (first + u64::from(seed.draw(i as u64)) % (vocabulary - first)) as i64;
        let ids = TensorData::new((0..batch * length).map(id).collect::<Vec<_>>(), [batch, length]);
        let target = |i: usize| if i / 2 % 2 == i % 2 { 1.0 } else { 0.0f32 };
        let targets = TensorData::new((0..2 * batch).map(target).collect::<Vec<_>>(), [batch, 2]);
        Self {
            ids: Tensor::from_data(ids, &device),
            targets: Tensor::from_data(targets, &device),
            optimizer: AdamW::new(AdamWConfig { weight_decay: 0.01, ..AdamWConfig::default() }),
            model: Some(model),
            count: 0,
        }
    }

    fn take(&mut self) {
        let Some(model) = self.model.take() else { return };
        self.count += 1;
        let dropout = Dropout::new(model.config(), Seed(self.count));
        let (segments, attend) = (self.ids.zeros_like(), self.ids.ones_like());
        let Some(logits) = model.classify(self.ids.clone(), segments, attend, dropout) else { return };
        let loss = -(log_softmax(logits, 1) * self.targets.clone()).sum_dim(1).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let scale = (1.0 / (gradient_norm(&model, &gradients) + 1e-6)).min(1.0);
        self.model = Some(self.optimizer.step(model, gradients, scale, |_| 2e-5));
    }
}
