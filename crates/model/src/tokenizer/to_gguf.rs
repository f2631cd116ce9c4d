//! Byte-level BPE tokenizers as metadata of GGUF files.

use super::Tokenizer;
use super::gguf::{CONTROL, NORMAL, ROLES, USER_DEFINED};
use crate::error::ModelError;
use crate::gguf::Writer;
use serde_json::Value;

/// What fills the vocabulary up to the rows of the embedding table.
const UNUSED: i64 = 5;

impl Tokenizer {
    /// Writes the vocabulary, the merges, how texts are split, the special tokens and the chat template; `rows` is the
    /// number of rows of the embedding table.
    pub(crate) fn to_gguf(&self, writer: &mut Writer, rows: usize) -> Result<(), ModelError> {
        let text = self.inner.to_string(false).map_err(|error| self.error(error))?;
        let json: Value = serde_json::from_str(&text).map_err(|error| self.error(error))?;
        if json["model"]["type"] != "BPE" {
            return Err(self.error(format!("{} models have no place in GGUF files; BPE has", json["model"]["type"])));
        }
        writer.text("tokenizer.ggml.model", "gpt2");
        writer.text("tokenizer.ggml.pre", self.splitting(&json["pre_tokenizer"])?);
        let vocabulary = self.inner.get_vocab(true);
        let mut tokens: Vec<Option<(String, i64)>> = vec![None; rows.max(vocabulary.len())];
        for (token, id) in vocabulary {
            let Some(place) = tokens.get_mut(id as usize) else {
                return Err(self.error(format!("token {id} is beyond the {rows} rows of the embedding table")));
            };
            *place = Some((token, NORMAL));
        }
        for (id, added) in self.inner.get_added_tokens_decoder() {
            if let Some(Some((_, kind))) = tokens.get_mut(id as usize) {
                *kind = if added.special { CONTROL } else { USER_DEFINED };
            }
        }
        let filled = tokens.into_iter().enumerate();
        let tokens: Vec<(String, i64)> =
            filled.map(|(id, token)| token.unwrap_or_else(|| (format!("[PAD{id}]"), UNUSED))).collect();
        writer.texts("tokenizer.ggml.tokens", tokens.iter().map(|(token, _)| token.as_str()));
        let kinds: Vec<i32> = tokens.iter().map(|(_, kind)| *kind as i32).collect();
        writer.integers("tokenizer.ggml.token_type", &kinds);
        let merges = self.merges(&json["model"]["merges"])?;
        writer.texts("tokenizer.ggml.merges", merges.iter().map(String::as_str));
        for (key, role) in ROLES {
            if let Some(id) = self.special_id(role) {
                writer.number(key, id as usize);
            }
        }
        for (key, name) in
            [("tokenizer.ggml.add_bos_token", "add_bos_token"), ("tokenizer.ggml.add_eos_token", "add_eos_token")]
        {
            writer.flag(key, self.settings.get(name).and_then(Value::as_bool).unwrap_or(false));
        }
        if let Some(template) = self.chat_template() {
            writer.text("tokenizer.chat_template", template);
        }
        Ok(())
    }

    /// The name that llama.cpp has for a way of splitting texts.
    fn splitting(&self, json: &Value) -> Result<&'static str, ModelError> {
        let parts: Vec<&Value> = match json["pretokenizers"].as_array() {
            Some(parts) => parts.iter().collect(),
            None => vec![json],
        };
        let kinds: Vec<&str> = parts.iter().map(|part| part["type"].as_str().unwrap_or_default()).collect();
        let pattern = parts[0]["pattern"]["Regex"].as_str().unwrap_or_default();
        match kinds.as_slice() {
            ["ByteLevel"] => Ok("gpt-2"),
            ["Digits", "ByteLevel"] if parts[0]["individual_digits"] == true => Ok("smollm"),
            ["Split", "ByteLevel"] if pattern.contains(r"\p{N}{1,3}") => Ok("llama-bpe"),
            ["Split", "ByteLevel"] if pattern.contains(r"|\p{N}|") => Ok("qwen2"),
            _ => Err(self.error(format!("GGUF files have no name for how it splits texts ({})", kinds.join(", ")))),
        }
    }

    /// Merges as two tokens with a space between.
    fn merges(&self, json: &Value) -> Result<Vec<String>, ModelError> {
        let merge = |merge: &Value| match (merge.as_str(), merge.as_array().map(Vec::as_slice)) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some([left, right])) => Some(format!("{} {}", left.as_str()?, right.as_str()?)),
            _ => None,
        };
        let merges = json.as_array().map(|merges| merges.iter().map(merge).collect::<Option<Vec<_>>>());
        merges.flatten().ok_or_else(|| self.error("its merges are no list of pairs"))
    }
}
