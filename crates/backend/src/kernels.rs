//! Fused operations that Burn composes from several passes over memory.
//!
//! Each runs on every device: on `flex` as one vectorized loop on all cores, elsewhere, and wherever gradients are
//! tracked, composed of Burn's own operations. The results agree to float rounding.

mod adamw;
mod attention;
#[cfg(feature = "calibration")]
mod column_squares;
mod dropout;
mod exp;
mod flex;
#[cfg(all(feature = "flex", feature = "autodiff"))]
mod fused;
mod gelu;
#[cfg(all(feature = "flex", feature = "autodiff"))]
mod lanes;
mod log_probs;
mod masked_softmax;
mod residual_norm;
mod rms_norm;
mod rotary;
mod round_tokens;
mod swiglu;

pub use adamw::{AdamWStep, Moved, adamw, sum_of_squares};
pub use attention::{AttentionMask, Heads, tree_attention, tree_attention_over};
#[cfg(feature = "calibration")]
pub(crate) use column_squares::column_squares;
pub use dropout::dropout;
pub use flex::lies_transposed;
#[cfg(all(feature = "calibration", feature = "flex"))]
pub(crate) use flex::{holds, take};
pub use gelu::gelu;
pub use log_probs::{TokenScore, token_scores};
pub use masked_softmax::masked_softmax;
pub use residual_norm::residual_norm;
pub use rms_norm::rms_norm;
pub use rotary::{Rotary, rotate};
pub use round_tokens::round_tokens;
pub use swiglu::swiglu;
