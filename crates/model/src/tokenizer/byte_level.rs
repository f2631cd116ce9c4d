//! Byte-level BPE (GPT-2 and after): texts are split by a pattern, and each piece's bytes are merged.

use super::gguf::Vocabulary;
use crate::error::ModelError;
use crate::gguf::Gguf;
use tokenizers::models::bpe::{BPE, Merges};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

/// The metadata key that names how texts are split.
const KEY: &str = "tokenizer.ggml.pre";

/// How texts are split before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Splitting {
    /// Words, numbers, punctuation, with the space before them.
    Gpt2,
    /// Every digit alone, then as GPT-2.
    Digits,
    /// Llama 3: digits in threes, line ends with punctuation; whole pieces that are tokens are not merged.
    Llama3,
    /// Qwen 2: as Llama 3 with every digit alone, on NFC text.
    Qwen2,
}

/// What Llama 3 and Qwen 2 split by, but for the run of digits.
fn pattern(digits: &str) -> String {
    format!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
}

/// Builds the tokenizer without its added tokens; also whether such tokenizers begin texts with a token by default.
pub(super) fn build(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<(tokenizers::Tokenizer, bool), ModelError> {
    let splitting = splitting(gguf)?;
    let ids = vocabulary.tokens.iter().zip(0u32..);
    let model = BPE::builder()
        .vocab_and_merges(
            ids.map(|(token, id)| ((*token).to_owned(), id)).collect::<tokenizers::models::bpe::Vocab>(),
            merges(gguf)?,
        )
        .ignore_merges(splitting == Splitting::Llama3)
        .build()
        .map_err(|error| ModelError::tokenizer(gguf.path(), error))?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    if splitting == Splitting::Qwen2 {
        tokenizer.with_normalizer(Some(NFC));
    }
    let pre_tokenizer = pre_tokenizer(splitting);
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer.map_err(|error| ModelError::tokenizer(gguf.path(), error))?));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok((tokenizer, splitting == Splitting::Llama3))
}

fn splitting(gguf: &Gguf) -> Result<Splitting, ModelError> {
    match gguf.optional_text(KEY)? {
        None | Some("default") => {
            tracing::warn!(
                "{}: `{KEY}` does not say how texts are split; splitting as GPT-2 does",
                gguf.path().display()
            );
            Ok(Splitting::Gpt2)
        }
        Some("gpt-2" | "phi-2") => Ok(Splitting::Gpt2),
        Some("smollm" | "starcoder" | "refact") => Ok(Splitting::Digits),
        Some("llama-bpe" | "llama3" | "llama-v3") => Ok(Splitting::Llama3),
        Some("qwen2") => Ok(Splitting::Qwen2),
        Some(other) => {
            let problem = format!(
                "is `{other}`, supported are gpt-2, phi-2, smollm, starcoder, refact, llama-bpe, llama3, llama-v3, qwen2 \
                 and default"
            );
            Err(ModelError::config(gguf.path(), KEY, problem))
        }
    }
}

fn pre_tokenizer(splitting: Splitting) -> tokenizers::Result<PreTokenizerWrapper> {
    let gpt2 = ByteLevel::new(false, true, true);
    Ok(match splitting {
        Splitting::Gpt2 => gpt2.into(),
        Splitting::Digits => Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into(),
        Splitting::Llama3 => by_pattern(pattern(r"\p{N}{1,3}"))?,
        Splitting::Qwen2 => by_pattern(pattern(r"\p{N}"))?,
    })
}

fn by_pattern(pattern: String) -> tokenizers::Result<PreTokenizerWrapper> {
    let pattern = SplitPattern::Regex(pattern);
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
    let bytes = ByteLevel::new(false, true, false);
    Ok(Sequence::new(vec![split.into(), bytes.into()]).into())
}

/// The merges, each written as two tokens with a space between (no token of a byte-level vocabulary holds a space).
fn merges(gguf: &Gguf) -> Result<Merges, ModelError> {
    let key = "tokenizer.ggml.merges";
    let pairs = gguf.texts(key)?;
    let split = pairs.iter().enumerate().map(|(i, pair)| {
        let parts = pair.split_once(' ').filter(|(_, right)| !right.contains(' '));
        let (left, right) = parts.ok_or_else(|| {
            let problem = format!("entry {i}, `{}`, is not two tokens", pair.escape_debug());
            ModelError::config(gguf.path(), key, problem)
        })?;
        Ok((left.to_owned(), right.to_owned()))
    });
    split.collect()
}
