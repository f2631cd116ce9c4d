//! SentencePiece BPE (Llama 1 and 2): spaces become `▁`, characters are merged by score, unknown ones fall back to bytes.

use super::gguf::{NORMAL, Vocabulary, check_length};
use crate::error::ModelError;
use crate::gguf::Gguf;
use std::collections::HashMap;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence as Normalizers};

/// What SentencePiece writes for a space.
const SPACE: &str = "▁";
/// Whether the tokenizer puts a space before a text.
const ADD_PREFIX: &str = "tokenizer.ggml.add_space_prefix";

/// Builds the tokenizer without its added tokens; also whether such tokenizers begin texts with a token by default.
pub(super) fn build(
    gguf: &Gguf,
    vocabulary: &Vocabulary<'_>,
    unknown: Option<&str>,
) -> Result<(tokenizers::Tokenizer, bool), ModelError> {
    let error = |error: Box<dyn std::error::Error + Send + Sync>| ModelError::tokenizer(gguf.path(), error);
    let unknown = unknown.ok_or_else(|| gguf.missing("tokenizer.ggml.unknown_token_id"))?;
    let scores = scores(gguf, vocabulary)?;
    let ids: Vocab = (vocabulary.tokens.iter().zip(0u32..)).map(|(token, id)| ((*token).to_owned(), id)).collect();
    let byte_fallback = (0..=u8::MAX).all(|byte| ids.contains_key(&format!("<0x{byte:02X}>")));
    let model = BPE::builder()
        .vocab_and_merges(ids, merges(vocabulary, &scores))
        .unk_token(unknown.to_owned())
        .fuse_unk(true)
        .byte_fallback(byte_fallback)
        .build()
        .map_err(error)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let prefix = gguf.flag(ADD_PREFIX)?.unwrap_or(true);
    tokenizer.with_normalizer(Some(normalizer(prefix).map_err(error)?));
    tokenizer.with_decoder(Some(decoder(prefix).map_err(error)?));
    Ok((tokenizer, true))
}

fn scores(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Vec<f64>, ModelError> {
    let key = "tokenizer.ggml.scores";
    let scores = gguf.numbers(key)?.ok_or_else(|| gguf.missing(key))?;
    check_length(gguf, key, scores.len(), vocabulary.tokens.len())?;
    Ok(scores)
}

/// All ways to make a token of two others: best score first, the ways to make one token by the ids of its parts.
///
/// SentencePiece keeps scores and no list of merges; of two neighbours it joins those that make the best token.
fn merges(vocabulary: &Vocabulary<'_>, scores: &[f64]) -> Merges {
    let normal: HashMap<&str, usize> = vocabulary.of_kind(NORMAL).map(|id| (vocabulary.tokens[id], id)).collect();
    let mut made: Vec<(usize, usize, usize)> = vec![];
    for (token, &id) in &normal {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(&left), Some(&right)) = (normal.get(left), normal.get(right)) {
                made.push((id, left, right));
            }
        }
    }
    made.sort_unstable_by(|a, b| {
        let order = scores[b.0].total_cmp(&scores[a.0]);
        order.then_with(|| a.cmp(b))
    });
    let text = |id: usize| vocabulary.tokens[id].to_owned();
    made.into_iter().map(|(_, left, right)| (text(left), text(right))).collect()
}

fn normalizer(prefix: bool) -> tokenizers::Result<NormalizerWrapper> {
    let spaces = Replace::new(" ", SPACE)?.into();
    Ok(if prefix { Normalizers::new(vec![Prepend::new(SPACE.to_owned()).into(), spaces]).into() } else { spaces })
}

fn decoder(prefix: bool) -> tokenizers::Result<DecoderWrapper> {
    let mut steps: Vec<DecoderWrapper> =
        vec![Replace::new(SPACE, " ")?.into(), ByteFallback::new().into(), Fuse::new().into()];
    if prefix {
        steps.push(Strip::new(' ', 1, 0).into());
    }
    Ok(Decoders::new(steps).into())
}
