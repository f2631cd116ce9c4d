//! Encoders with a head, as the evaluation asks them.

use crate::ExperimentError;
use crate::training::logits;
use junkdna_eval::{Classified, TextClassifier};
use junkdna_model::bert::Dropout;
use junkdna_model::tokenizer::Encoded;
use junkdna_model::{Bert, ModelError, Tokenizer};

/// An encoder with a head, and its tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct EncoderClassifier<'a> {
    model: &'a Bert,
    tokenizer: &'a Tokenizer,
    outputs: usize,
}

impl<'a> EncoderClassifier<'a> {
    /// A model that was fine-tuned on a task.
    ///
    /// # Errors
    /// A model without a head; `name` says which.
    pub fn new(model: &'a Bert, tokenizer: &'a Tokenizer, name: &str) -> Result<Self, ExperimentError> {
        match (&model.classifier, model.config().num_labels) {
            (Some(_), Some(outputs)) => Ok(Self { model, tokenizer, outputs }),
            _ => Err(ExperimentError::NoHead { model: name.to_owned() }),
        }
    }

    /// The tokens of a text or a pair, its end cut off where the model cannot read it whole, and how many that are.
    fn encode(&self, (first, second): (&str, Option<&str>)) -> Result<(Encoded, usize), ModelError> {
        let whole = self.tokenizer.encode_pair(first, second, None)?;
        let limit = self.model.config().context_length();
        match whole.ids.len().saturating_sub(limit) {
            0 => Ok((whole, 0)),
            cut => Ok((self.tokenizer.encode_pair(first, second, Some(limit))?, cut)),
        }
    }
}

impl TextClassifier for EncoderClassifier<'_> {
    fn labels(&self) -> Vec<String> {
        let places = || (0..self.outputs).map(|place| format!("LABEL_{place}")).collect();
        self.model.config().labels.clone().unwrap_or_else(places)
    }

    fn classify(&self, texts: &[(&str, Option<&str>)]) -> Result<Vec<Classified>, String> {
        let encoded = texts.iter().map(|&text| self.encode(text)).collect::<Result<Vec<_>, _>>();
        let encoded = encoded.map_err(|error| error.to_string())?;
        let rows: Vec<&Encoded> = encoded.iter().map(|(encoded, _)| encoded).collect();
        let logits = logits(self.model, &rows, self.tokenizer.pad().unwrap_or(0), Dropout::NONE);
        let values: Vec<f64> = logits.into_data().convert::<f32>().iter::<f32>().map(f64::from).collect();
        let rows = values.chunks(self.outputs.max(1)).zip(&encoded);
        Ok(rows.map(|(logits, &(_, cut))| Classified { logits: logits.to_vec(), cut }).collect())
    }
}
