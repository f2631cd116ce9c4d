//! For tests of methods: random weights, schemes and inputs, and one check of everything that must hold whatever the method.
//!
//! With the feature `testing`. Strategies are proptest's; [`check_method`] is a test function and panics.

mod case;
mod check;
mod properties;

pub use case::{Case, cases, inputs, matrices, schemes};
pub use check::{Claims, check_method};
