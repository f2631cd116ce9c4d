//! Tokenizers from the metadata of GGUF files.

use super::{SpecialTokens, Tokenizer, byte_level, sentencepiece};
use crate::error::ModelError;
use crate::gguf::Gguf;
use serde_json::{Map, Value};
use tokenizers::processors::template::{Template, TemplateProcessing};
use tokenizers::{AddedToken, PostProcessorWrapper};

/// Kinds of tokens, as `tokenizer.ggml.token_type` numbers them.
pub(super) const NORMAL: i64 = 1;
const UNKNOWN: i64 = 2;
pub(super) const CONTROL: i64 = 3;
pub(super) const USER_DEFINED: i64 = 4;

/// Metadata keys of special tokens, and the roles that they give.
pub(super) const ROLES: [(&str, &str); 7] = [
    ("tokenizer.ggml.bos_token_id", "bos_token"),
    ("tokenizer.ggml.eos_token_id", "eos_token"),
    ("tokenizer.ggml.padding_token_id", "pad_token"),
    ("tokenizer.ggml.unknown_token_id", "unk_token"),
    ("tokenizer.ggml.cls_token_id", "cls_token"),
    ("tokenizer.ggml.seperator_token_id", "sep_token"),
    ("tokenizer.ggml.mask_token_id", "mask_token"),
];

/// The tokens of a file.
pub(super) struct Vocabulary<'a> {
    /// Texts by id.
    pub(super) tokens: Vec<&'a str>,
    /// Kinds by id.
    pub(super) kinds: Vec<i64>,
}

impl<'a> Vocabulary<'a> {
    fn read(gguf: &'a Gguf) -> Result<Self, ModelError> {
        let tokens = gguf.texts("tokenizer.ggml.tokens")?;
        let mut seen = std::collections::HashSet::new();
        if let Some((id, token)) = tokens.iter().enumerate().find(|(_, t)| !seen.insert(**t)) {
            let problem = format!("token {id}, `{}`, occurs twice", token.escape_debug());
            return Err(ModelError::config(gguf.path(), "tokenizer.ggml.tokens", problem));
        }
        let key = "tokenizer.ggml.token_type";
        let kinds = match gguf.numbers(key)? {
            None => vec![NORMAL; tokens.len()],
            Some(kinds) => kinds.into_iter().map(|kind| kind as i64).collect(),
        };
        check_length(gguf, key, kinds.len(), tokens.len())?;
        Ok(Self { tokens, kinds })
    }

    /// The ids of all tokens of one kind.
    pub(super) fn of_kind(&self, kind: i64) -> impl Iterator<Item = usize> {
        let kinds = self.kinds.iter().enumerate();
        kinds.filter(move |(_, k)| **k == kind).map(|(id, _)| id)
    }
}

/// Checks that a list has one entry for each token.
pub(super) fn check_length(gguf: &Gguf, key: &str, found: usize, tokens: usize) -> Result<(), ModelError> {
    if found == tokens {
        return Ok(());
    }
    let problem = format!("has {found} entries, it must have one for each of {tokens} tokens");
    Err(ModelError::config(gguf.path(), key, problem))
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    ///
    /// # Errors
    /// A kind of tokenizer, or of splitting before it, that is not known for certain; missing or contradictory tokens.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let key = "tokenizer.ggml.model";
        let vocabulary = Vocabulary::read(gguf)?;
        let special = special_tokens(gguf, &vocabulary)?;
        let (mut inner, adds_bos) = match gguf.text(key)? {
            "gpt2" => byte_level::build(gguf, &vocabulary)?,
            "llama" => sentencepiece::build(gguf, &vocabulary, special.get("unk_token"))?,
            other => {
                let problem = format!("is `{other}`, it must be `gpt2` or `llama`");
                return Err(ModelError::config(gguf.path(), key, problem));
            }
        };
        inner.add_tokens(&added_tokens(&vocabulary, &special));
        let add_bos = gguf.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(adds_bos);
        let add_eos = gguf.flag("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
        let bos = if add_bos { Some(needed(gguf, &special, "bos_token")?) } else { None };
        let eos = if add_eos { Some(needed(gguf, &special, "eos_token")?) } else { None };
        if bos.is_some() || eos.is_some() {
            let around = template(gguf, &inner, bos, eos)?;
            inner.with_post_processor(Some(around));
        }
        let settings = settings(gguf, &special, add_bos, add_eos)?;
        Ok(Self { inner, special, settings, origin: gguf.path().to_owned() })
    }
}

fn special_tokens(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<SpecialTokens, ModelError> {
    let mut special = SpecialTokens::default();
    for (key, role) in ROLES {
        let Some(id) = gguf.token(key)? else { continue };
        let token = usize::try_from(id).ok().and_then(|id| vocabulary.tokens.get(id));
        let token = token.ok_or_else(|| {
            let problem = format!("is {id}, it must be below {}", vocabulary.tokens.len());
            ModelError::config(gguf.path(), key, problem)
        })?;
        special.set(role, (*token).to_owned());
    }
    Ok(special)
}

/// Tokens that are found in a text before anything else: control tokens and those with a role (which decoding may skip),
/// and user-defined ones (which it keeps).
fn added_tokens(vocabulary: &Vocabulary<'_>, special: &SpecialTokens) -> Vec<AddedToken> {
    let has_role = |token: &str| special.iter().any(|(_, other)| other == token);
    let entries = vocabulary.tokens.iter().zip(&vocabulary.kinds);
    let added = entries.filter_map(|(token, kind)| {
        let special = matches!(*kind, CONTROL | UNKNOWN) || has_role(token);
        let added = special || *kind == USER_DEFINED;
        added.then(|| AddedToken::from(*token, special).normalized(false))
    });
    added.collect()
}

fn needed<'a>(gguf: &Gguf, special: &'a SpecialTokens, role: &str) -> Result<&'a str, ModelError> {
    special.get(role).ok_or_else(|| {
        let problem = format!("adds a {role} to every text, but the metadata name none");
        ModelError::tokenizer(gguf.path(), problem)
    })
}

/// Puts the beginning and the end token around a text.
fn template(
    gguf: &Gguf,
    tokenizer: &tokenizers::Tokenizer,
    bos: Option<&str>,
    eos: Option<&str>,
) -> Result<PostProcessorWrapper, ModelError> {
    let error = |problem: String| ModelError::tokenizer(gguf.path(), problem);
    let piece = |text: &str, segment: u32| format!("{text}:{segment}");
    let around = |body: &str, segment: u32| -> Vec<String> {
        let tokens = [bos, Some(body), eos].into_iter().flatten();
        tokens.map(|token| piece(token, segment)).collect()
    };
    let single = around("$A", 0);
    let pair = [around("$A", 0), around("$B", 1)].concat();
    // Lists, not one text: a token may hold a space.
    let template = |pieces: Vec<String>| Template::try_from(pieces).map_err(error);
    let with_id = |token: &str| Some((token.to_owned(), tokenizer.token_to_id(token)?));
    let special: Vec<(String, u32)> = [bos, eos].into_iter().flatten().filter_map(with_id).collect();
    let template = TemplateProcessing::builder()
        .single(template(single)?)
        .pair(template(pair)?)
        .special_tokens(special)
        .build()
        .map_err(|problem| error(problem.to_string()))?;
    Ok(template.into())
}

/// The contents of `tokenizer_config.json`.
fn settings(
    gguf: &Gguf,
    special: &SpecialTokens,
    add_bos: bool,
    add_eos: bool,
) -> Result<Map<String, Value>, ModelError> {
    let mut settings = special.to_json();
    let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
    set("tokenizer_class", "PreTrainedTokenizerFast".into());
    set("add_bos_token", add_bos.into());
    set("add_eos_token", add_eos.into());
    set("clean_up_tokenization_spaces", false.into());
    if let Some(length) = gguf.optional_count("llama.context_length")? {
        set("model_max_length", length.into());
    }
    if let Some(template) = gguf.optional_text("tokenizer.chat_template")? {
        set("chat_template", template.into());
    }
    Ok(settings)
}
