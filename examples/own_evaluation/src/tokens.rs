//! Text as tokens.

use junkdna_backend::TokenCodec;

/// `a` to `z` are tokens 0 to 25, everything else is 26, which a text begins with.
pub struct Letters;

pub const VOCABULARY: usize = 27;
const OTHER: u32 = 26;

impl TokenCodec for Letters {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let token = |c: char| if c.is_ascii_lowercase() { c as u32 - 'a' as u32 } else { OTHER };
        Ok(text.chars().map(token).collect())
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        let letter = |&token: &u32| char::from_digit(token + 10, 36).unwrap_or(' ');
        Ok(tokens.iter().map(letter).collect())
    }

    fn prefix_token(&self) -> Option<u32> {
        Some(OTHER)
    }

    fn end_token(&self) -> Option<u32> {
        None
    }
}
