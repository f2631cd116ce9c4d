//! What can go wrong.

/// Why a module was not prepared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FinetuneError {
    /// Nothing says which weights are pruned.
    #[error("no masks were given; without one there is nothing to keep")]
    NoMasks,
    /// A mask for a weight that is not there.
    #[error("{path}: the module has no float parameter of this path")]
    UnknownPath {
        /// Parameter path of the mask.
        path: String,
    },
    /// A mask of another shape than its weight.
    #[error("{path}: the mask is {mask:?}, the weight {weight:?}")]
    Shape {
        /// Parameter path of the mask.
        path: String,
        /// Shape of the mask, `[d_in, d_out]`.
        mask: [usize; 2],
        /// Shape of the weight.
        weight: Vec<usize>,
    },
    /// A mask says yes or no.
    #[error("{path}: the mask holds values other than 0 and 1")]
    NotBinary {
        /// Parameter path of the mask.
        path: String,
    },
    /// Reparameterizations do not nest.
    #[error("{path}: the weight is computed from others already (a mask, LoRA); finish that training first")]
    Reparameterized {
        /// Parameter path of the mask.
        path: String,
    },
    /// The device failed to say what a mask holds.
    #[error("{path}: the mask cannot be read: {reason}")]
    Unreadable {
        /// Parameter path of the mask.
        path: String,
        /// What the device says.
        reason: String,
    },
}
