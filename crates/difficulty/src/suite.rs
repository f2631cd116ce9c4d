//! Tasks made from seeds whose difficulty is known by construction.
//!
//! Every family turns one knob (options, digits, shots, passage length, distance) and keeps the base items, so that
//! the variants of a family are paired by [`Item::id`]. Items are scored the way lm-evaluation-harness scores multiple
//! choice: the choice with the greatest summed log-likelihood after the context is the answer. Every choice starts with
//! a space. Contexts of one family share long prefixes on purpose; a scorer with a prefix tree reads them once.

mod agreement;
mod arithmetic;
mod config;
pub(crate) mod draw;
mod error;
mod facts;
mod family;
mod item;
mod passage;
mod shots;

pub use config::SuiteConfig;
pub use error::SuiteError;
pub use facts::fact_questions;
pub use family::Family;
pub use item::{Form, Item, Variant};
pub use passage::estimate_tokens;

/// The variants of all families in `config`, easiest first within a family.
///
/// Passage lengths are estimated with [`estimate_tokens`]; see [`generate_with_counter`] to measure them with a
/// tokenizer.
///
/// # Errors
/// [`SuiteError`] names the family and the number that cannot be served.
pub fn generate(config: &SuiteConfig) -> Result<Vec<Variant>, SuiteError> {
    generate_with_counter(config, estimate_tokens)
}

/// As [`generate`], with `count` telling how many tokens a text has. `count` must not shrink when a text grows.
///
/// # Errors
/// [`SuiteError`] names the family and the number that cannot be served.
pub fn generate_with_counter(config: &SuiteConfig, count: impl Fn(&str) -> usize) -> Result<Vec<Variant>, SuiteError> {
    config.check()?;
    let mut variants = Vec::new();
    for &family in &config.families {
        variants.extend(match family {
            Family::Facts => facts::variants(config)?,
            Family::Arithmetic => arithmetic::variants(config)?,
            Family::Shots => shots::variants(config)?,
            Family::Passage => passage::variants(config, &count)?,
            Family::Agreement => agreement::variants(config)?,
        });
    }
    Ok(variants)
}
