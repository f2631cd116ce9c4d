//! What the junkdna crates share, and nothing more: devices by name, seeds, host copies of weights, and the two small
//! traits by which a model is compressed ([`Blocks`]) and evaluated ([`CausalLm`]).
//!
//! A model of one's own implements one of these traits; nothing here knows an architecture.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod bit_packing;
mod blocks;
#[cfg(feature = "calibration")]
pub mod calibration;
mod causal_lm;
mod cores;
mod device;
mod host;
pub mod kernels;
mod key_values;
mod seed;
mod token_tree;
mod weights;

pub use blocks::{Blocks, Fold, FoldSource, LinearObserver};
pub use causal_lm::{CausalLm, TokenCodec};
pub use cores::{cores, each_on_a_core};
pub use device::{Adapter, DeviceError, DeviceName};
pub use host::HostMatrix;
pub use key_values::KeyValues;
pub use seed::Seed;
pub use token_tree::{Segment, TokenTree};
pub use weights::{Selection, Weight, device_of, divide_vectors, placeholder, replace_weights, weights};
