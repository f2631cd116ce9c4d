//! What of Python shows in prompts and numbers: its random numbers, and how it writes and reads values.

mod literal;
mod random;
mod regex;
mod text;

pub(crate) use literal::literal;
pub(crate) use regex::Pattern;
pub(crate) use text::{is_digits, is_space, repr, str};

pub use random::PythonRandom;
