//! What can go wrong.

use burn::tensor::DType;

/// Why weights were not quantized.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantError {
    /// Codes are stored in bytes, and one bit leaves no room for zero.
    #[error("bits is {bits}; it must be 2 to 8")]
    Bits {
        /// The bits asked for.
        bits: u8,
    },
    /// A group holds at least one weight.
    #[error("the group size is 0; it must be at least 1 and divide the input dimension")]
    EmptyGroup,
    /// The inputs of an output do not split into whole groups.
    #[error("the group size {group_size} does not divide the input dimension {d_in}")]
    GroupSize {
        /// Inputs of the matrix.
        d_in: usize,
        /// The group size asked for.
        group_size: usize,
    },
    /// NaN, infinite, or so large that the range of a group would overflow.
    #[error("the weight at [output {output}, input {input}] is {value}; weights must be finite and below 2^126")]
    NotFinite {
        /// Row of the host matrix.
        output: usize,
        /// Column of the host matrix.
        input: usize,
        /// What is there.
        value: f32,
    },
    /// The weight holds codes already.
    #[error("the weight is stored as {dtype:?}; only float weights can be quantized")]
    NotFloat {
        /// How it is stored.
        dtype: DType,
    },
    /// A selection that matches nothing is a misspelt path more often than a wish.
    #[error("the selection matches no weight matrix of the module")]
    NothingSelected,
    /// Calibration without samples.
    #[error("no calibration samples; at least one sequence of tokens is needed")]
    NoSamples,
    /// A Hessian of another layer.
    #[error("the Hessian is of {observed} inputs, the weight has {d_in}")]
    OtherInputs {
        /// Inputs of the matrix.
        d_in: usize,
        /// Inputs of the Hessian.
        observed: usize,
    },
    /// Inputs so dependent that their Hessian cannot be inverted.
    #[cfg(feature = "calibration")]
    #[error("{0}; calibrate on more or longer samples")]
    Hessian(#[from] junkdna_backend::calibration::NotPositiveDefinite),
    /// Any of the above, in one weight of a module.
    #[error("{path}: {source}")]
    Weight {
        /// Parameter path of the weight.
        path: String,
        /// What is wrong with it.
        source: Box<QuantError>,
    },
}

impl QuantError {
    /// The same error, naming the weight it is about.
    pub(crate) fn of_weight(self, path: &str) -> Self {
        Self::Weight { path: path.into(), source: Box::new(self) }
    }
}
