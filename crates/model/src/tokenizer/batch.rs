//! Texts and pairs of texts with the special tokens of the model, alone or as padded batches.

use super::Tokenizer;
use crate::error::ModelError;
use rayon::prelude::*;
use tokenizers::utils::truncation::{TruncationParams, truncate_encodings};
use tokenizers::{Encoding, PostProcessor};

/// A text or a pair of texts with special tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids.
    pub ids: Vec<u32>,
    /// The segment of each token: 0 for the first text, 1 for the second.
    pub type_ids: Vec<u32>,
}

/// Encoded texts, padded on the right to the longest; everything is row-major, `[rows, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Number of texts.
    pub rows: usize,
    /// Tokens of the longest text.
    pub width: usize,
    /// Token ids.
    pub ids: Vec<u32>,
    /// The segment of each token.
    pub type_ids: Vec<u32>,
    /// True for tokens, false for padding.
    pub mask: Vec<bool>,
}

impl Tokenizer {
    /// A text, or a pair, with the special tokens that the model was trained with. Where `max_length` is exceeded, the
    /// longer of the texts loses its end first.
    ///
    /// # Errors
    /// A text that cannot be represented, or a `max_length` that leaves no room for text.
    pub fn encode_pair(
        &self,
        first: &str,
        second: Option<&str>,
        max_length: Option<usize>,
    ) -> Result<Encoded, ModelError> {
        let first = self.raw(first)?;
        let second = second.map(|text| self.raw(text)).transpose()?;
        let (first, second) = self.truncate(first, second, max_length)?;
        let encoding = self.inner.post_process(first, second, true).map_err(|error| self.error(error))?;
        Ok(Encoded { ids: encoding.get_ids().to_vec(), type_ids: encoding.get_type_ids().to_vec() })
    }

    /// Texts or pairs as [`encode_pair`](Self::encode_pair) gives them, on all cores, padded to the longest.
    ///
    /// # Errors
    /// As [`encode_pair`](Self::encode_pair), or texts of different lengths and no padding token.
    pub fn encode_batch(&self, texts: &[(&str, Option<&str>)], max_length: Option<usize>) -> Result<Batch, ModelError> {
        let rows = texts
            .par_iter()
            .map(|(first, second)| self.encode_pair(first, *second, max_length))
            .collect::<Result<Vec<_>, _>>()?;
        let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let pad = match self.pad() {
            Some(pad) => pad,
            // Nothing to fill.
            None if rows.iter().all(|row| row.ids.len() == width) => 0,
            None => {
                return Err(self.error("texts of different lengths need a pad_token, there is none"));
            }
        };
        Ok(Batch::padded(&rows.iter().collect::<Vec<_>>(), pad))
    }

    fn raw(&self, text: &str) -> Result<Encoding, ModelError> {
        // Without special tokens and without truncation nothing but the text's own tokens comes out. The library's
        // own way to leave the segments for later is private; post-processing sets them.
        self.inner.encode_fast(text, false).map_err(|error| self.error(error))
    }

    fn truncate(
        &self,
        first: Encoding,
        second: Option<Encoding>,
        max_length: Option<usize>,
    ) -> Result<(Encoding, Option<Encoding>), ModelError> {
        let Some(max_length) = max_length else {
            return Ok((first, second));
        };
        let processor = self.inner.get_post_processor();
        let added = processor.map_or(0, |p| p.added_tokens(second.is_some()));
        // Below one token for each text the library gives up.
        let texts = 1 + usize::from(second.is_some());
        if max_length < added + texts {
            let problem = format!("max_length is {max_length}, it must be at least {}", added + texts);
            return Err(self.error(problem));
        }
        let params = TruncationParams { max_length: max_length - added, ..TruncationParams::default() };
        truncate_encodings(first, second, &params).map_err(|error| self.error(error))
    }
}

impl Batch {
    /// Texts encoded before, padded with this token.
    pub fn padded(rows: &[&Encoded], pad: u32) -> Self {
        let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        fill(rows, width, pad)
    }
}

fn fill(rows: &[&Encoded], width: usize, pad: u32) -> Batch {
    let size = rows.len() * width;
    let mut batch = Batch {
        rows: rows.len(),
        width,
        ids: Vec::with_capacity(size),
        type_ids: Vec::with_capacity(size),
        mask: Vec::with_capacity(size),
    };
    for (i, row) in rows.iter().enumerate() {
        let end = (i + 1) * width;
        batch.ids.extend(&row.ids);
        batch.type_ids.extend(&row.type_ids);
        batch.mask.resize(batch.ids.len(), true);
        batch.ids.resize(end, pad);
        batch.type_ids.resize(end, 0);
        batch.mask.resize(end, false);
    }
    batch
}
