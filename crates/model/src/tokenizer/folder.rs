//! Tokenizers in Hugging Face folders.

use super::{SpecialTokens, Tokenizer};
use crate::checkpoint::{atomic_write, read_text};
use crate::error::ModelError;
use serde_json::{Map, Value};
use std::path::Path;

const TOKENIZER: &str = "tokenizer.json";
const SETTINGS: &str = "tokenizer_config.json";
const CHAT_TEMPLATE: &str = "chat_template.jinja";
const SPECIAL: &str = "special_tokens_map.json";

impl Tokenizer {
    /// Reads `tokenizer.json`, with special tokens from `tokenizer_config.json` and `special_tokens_map.json`.
    ///
    /// Truncation and padding stored in `tokenizer.json` are dropped: every call says its own.
    ///
    /// # Errors
    /// A file that is missing or malformed.
    pub fn from_folder(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(TOKENIZER);
        let mut inner = tokenizers::Tokenizer::from_bytes(read_text(&path)?)
            .map_err(|error| ModelError::tokenizer(&path, error))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| ModelError::tokenizer(&path, error))?;
        let mut settings = optional_object(&folder.join(SETTINGS))?;
        // Newer folders keep the template in a file of its own, which comes first.
        let template = folder.join(CHAT_TEMPLATE);
        if template.is_file() {
            settings.insert("chat_template".to_owned(), read_text(&template)?.into());
        }
        let mut special = SpecialTokens::default();
        special.fill_from(&settings);
        special.fill_from(&optional_object(&folder.join(SPECIAL))?);
        for (role, token) in special.iter() {
            if inner.token_to_id(token).is_none() {
                tracing::warn!("{}: {role} `{token}` is not in the vocabulary", path.display());
            }
        }
        Ok(Self { inner, special, settings, origin: folder.to_owned() })
    }

    /// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`, from which `AutoTokenizer` of
    /// Transformers gives the same ids.
    ///
    /// # Errors
    /// A folder that cannot be made or written to.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        std::fs::create_dir_all(folder).map_err(ModelError::io(folder))?;
        let text = self.inner.to_string(false).map_err(|error| self.error(error))?;
        atomic_write(&folder.join(TOKENIZER), text.as_bytes())?;
        let special = self.special.to_json();
        write_object(&folder.join(SETTINGS), self.settings_to_save(&special))?;
        write_object(&folder.join(SPECIAL), special)
    }

    /// The settings as they came, with a class and the special tokens where they were not said.
    fn settings_to_save(&self, special: &Map<String, Value>) -> Map<String, Value> {
        let mut settings = self.settings.clone();
        settings.entry("tokenizer_class").or_insert_with(|| "PreTrainedTokenizerFast".into());
        for (role, token) in special {
            settings.entry(role).or_insert_with(|| token.clone());
        }
        settings
    }
}

/// The JSON object of a file that may be absent.
fn optional_object(path: &Path) -> Result<Map<String, Value>, ModelError> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    serde_json::from_str(&read_text(path)?).map_err(|error| ModelError::format(path, "JSON object", error.to_string()))
}

fn write_object(path: &Path, object: Map<String, Value>) -> Result<(), ModelError> {
    let text = format!("{:#}\n", Value::Object(object));
    atomic_write(path, text.as_bytes())
}
