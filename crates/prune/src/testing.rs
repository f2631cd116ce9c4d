//! For tests of scores: random modules, and one check of everything that must hold whatever the score.
//!
//! With the feature `testing`. Strategies are proptest's; [`check_score`] is a test function and panics.

mod check;
mod claims;
mod definition;
mod net;
mod properties;
mod strategies;

pub use check::check_score;
pub use claims::Claims;
pub use net::Net;
pub use strategies::{
    BrokenNet, allocations, blocked_nets, broken_nets, distinct_nets, grouped_nets, matrices, nets, outputs_permuted,
    patterns, scopes, sparsities, values,
};
