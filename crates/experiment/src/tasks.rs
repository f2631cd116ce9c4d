//! The suite's variants as documents and requests.

use crate::ExperimentError;
use junkdna_difficulty::suite::{self, SuiteConfig, Variant};
use junkdna_eval::{Document, Encoded, encode};
use junkdna_model::Tokenizer;

/// A task variant ready to be scored.
pub(crate) struct Task {
    pub variant: Variant,
    pub documents: Vec<Document>,
    /// For each document, one request a choice.
    pub requests: Vec<Vec<Encoded>>,
}

/// Generates the suite, measuring passages with the model's tokenizer.
pub(crate) fn prepare(
    config: &SuiteConfig,
    tokenizer: &Tokenizer,
    context: usize,
) -> Result<Vec<Task>, ExperimentError> {
    let count = |text: &str| tokenizer.encode(text).map_or_else(|_| suite::estimate_tokens(text), |ids| ids.len());
    let variants = suite::generate_with_counter(config, count)?;
    variants.into_iter().map(|variant| Task::new(variant, tokenizer, context)).collect()
}

impl Task {
    fn new(variant: Variant, tokenizer: &Tokenizer, context: usize) -> Result<Self, ExperimentError> {
        let document = |(doc, item): (usize, &suite::Item)| Document {
            task: variant.name.clone(),
            doc,
            context: item.context.clone(),
            continuations: item.choices.clone(),
            gold: item.gold,
        };
        let documents: Vec<Document> = variant.items.iter().enumerate().map(document).collect();
        let encoded = |d: &Document| {
            d.continuations
                .iter()
                .map(|choice| encode(tokenizer, &d.context, choice, context))
                .collect::<Result<_, _>>()
        };
        let requests = documents.iter().map(encoded).collect::<Result<_, _>>()?;
        Ok(Self { variant, documents, requests })
    }
}
