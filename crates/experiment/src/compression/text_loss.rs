//! Gradients of a language model on text, for scores that know a backward pass.

use crate::ExperimentError;
use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use junkdna_backend::{CausalLm, KeyValues, Selection, TokenTree};
use junkdna_model::{Bert, Llama};
use junkdna_prune::Gradients;

/// A model that may know how likely a text is.
pub trait TextLoss: Sized {
    /// -Σ log p of every token after the first of each sequence; `None` for models that predict no tokens.
    fn text_loss(&self, sample: &TokenTree) -> Option<Tensor<1>>;
}

impl TextLoss for Llama {
    fn text_loss(&self, sample: &TokenTree) -> Option<Tensor<1>> {
        let (hidden, _) = self.forward(sample, &KeyValues::default());
        let of = |range: &std::ops::Range<usize>| range.clone().take(range.len().saturating_sub(1));
        let rows: Vec<i64> =
            sample.segments().iter().flat_map(|segment| of(&segment.tokens)).map(|row| row as i64).collect();
        let targets: Vec<i64> = rows.iter().map(|&row| i64::from(sample.tokens()[row as usize + 1])).collect();
        let (count, device) = (rows.len(), hidden.device());
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &device);
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [count, 1]), &device);
        let log_probs = log_softmax(self.head(hidden.select(0, rows)), 1);
        Some(-log_probs.gather(1, targets).sum())
    }
}

impl TextLoss for Bert {
    fn text_loss(&self, _sample: &TokenTree) -> Option<Tensor<1>> {
        None
    }
}

/// The gradients of the text's loss by the selected weights, summed over the samples.
pub(super) fn gradients<M: Module + TextLoss>(
    model: &M,
    selection: &Selection,
    samples: &[TokenTree],
    mut progress: impl FnMut(f64),
) -> Result<Gradients, ExperimentError> {
    let model = model.clone().no_grad().set_require_grad_group(selection.group.clone(), true).train();
    let mut gradients = Gradients::of(selection.clone());
    for (done, sample) in samples.iter().enumerate() {
        let loss = model.text_loss(sample).ok_or(ExperimentError::NoTextLoss)?;
        let backward = loss.backward();
        gradients.add(&model, |weight| weight.grad(&backward))?;
        progress((done + 1) as f64 / samples.len() as f64);
    }
    Ok(gradients)
}
