//! Text to token ids and back, exactly as the model was trained with.

mod batch;
mod byte_level;
mod folder;
mod gguf;
mod sentencepiece;
mod special;
mod to_gguf;

pub use batch::{Batch, Encoded};

use crate::error::ModelError;
use serde_json::{Map, Value};
use special::SpecialTokens;
use std::path::{Path, PathBuf};

/// A tokenizer with its special tokens and settings.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: SpecialTokens,
    /// The contents of `tokenizer_config.json`.
    settings: Map<String, Value>,
    /// The file or folder that it came from, for errors.
    origin: PathBuf,
}

impl Tokenizer {
    fn error(&self, problem: impl std::fmt::Display) -> ModelError {
        ModelError::tokenizer(&self.origin, problem)
    }

    /// The ids of a text, without adding special tokens; those written out in the text are recognized.
    ///
    /// # Errors
    /// A text that the tokenizer cannot represent.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| self.error(error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of ids, with or without special tokens.
    ///
    /// # Errors
    /// Tokens that the tokenizer cannot join.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, ModelError> {
        self.inner.decode(ids, skip_special).map_err(|error| self.error(error))
    }

    fn special_id(&self, role: &str) -> Option<u32> {
        self.inner.token_to_id(self.special.get(role)?)
    }

    /// The token that begins a sequence.
    pub fn bos(&self) -> Option<u32> {
        self.special_id("bos_token")
    }

    /// The token that ends a sequence.
    pub fn eos(&self) -> Option<u32> {
        self.special_id("eos_token")
    }

    /// The token that fills batches.
    pub fn pad(&self) -> Option<u32> {
        self.special_id("pad_token")
    }

    /// The token that stands for what the vocabulary lacks.
    pub fn unk(&self) -> Option<u32> {
        self.special_id("unk_token")
    }

    /// The token whose state stands for the sentence, in BERT models.
    pub fn cls(&self) -> Option<u32> {
        self.special_id("cls_token")
    }

    /// The token between two sentences, in BERT models.
    pub fn sep(&self) -> Option<u32> {
        self.special_id("sep_token")
    }

    /// The number of tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The template that turns a conversation to text, where the model has one.
    pub fn chat_template(&self) -> Option<&str> {
        self.named_chat_template("default")
    }

    /// The template of this name where the model has several; the only one where it has one.
    pub fn named_chat_template(&self, name: &str) -> Option<&str> {
        let template = self.settings.get("chat_template")?;
        match template.as_array() {
            Some(several) => {
                let named = several.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
                named?.get("template")?.as_str()
            }
            None => template.as_str(),
        }
    }

    /// Special tokens by role, such as `bos_token`.
    pub fn special_tokens(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.special.iter()
    }

    /// The tokenizer of the `tokenizers` library.
    pub fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }

    /// The file or folder that the tokenizer came from.
    pub fn origin(&self) -> &Path {
        &self.origin
    }
}
