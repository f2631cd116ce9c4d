//! What can go wrong.

use burn::tensor::DType;
use burn::tensor::quantization::ScaleDtype;

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
    /// A zero point between the codes would be stored in the 8 bits of a scale.
    #[error(
        "zero points between the codes are stored like scales, and {scales:?} is too coarse for them; use F16, BF16 or F32"
    )]
    ZeroPoint {
        /// How scales are stored.
        scales: ScaleDtype,
    },
    /// A group of weights so large that its scale cannot be stored.
    #[error(
        "the scale of the group at [output {output}, input {input}] overflows {scales:?} (largest {}); store scales as F32 or BF16",
        scales.max_representable()
    )]
    ScaleOverflow {
        /// Row of the host matrix where the group begins.
        output: usize,
        /// Column of the host matrix where the group begins.
        input: usize,
        /// How scales are stored.
        scales: ScaleDtype,
    },
    /// Zero points between the codes where zeros are to stay.
    #[error("weights that are zero cannot stay zero with zero points between the codes; let zero points be codes")]
    MovesZero,
    /// A share of weights to keep beside the codes that is none.
    #[error("the share of outliers is {share}; it must be at least 0 and below 1")]
    OutlierShare {
        /// The share asked for.
        share: f64,
    },
    /// Codes, scales or zero points that do not belong together.
    #[error("{problem}")]
    Contents {
        /// What is there and what would be right.
        problem: String,
    },
    /// Something that the `pack-quantized` layout does not have.
    #[error("{what} cannot be stored as pack-quantized; use integer codes with zero points that are codes")]
    NotPackable {
        /// What was asked for.
        what: String,
    },
    /// Something that the blocks of GGUF files do not have.
    #[error(
        "{what} cannot be stored in GGUF blocks; it has symmetric codes of 8 bits (Q8_0) and 4 bits (Q4_0) and codes of 4 \
         bits with zero points (Q4_1), in groups of 32 inputs with half precision scales"
    )]
    NotGguf {
        /// What was asked for.
        what: String,
    },
    /// Something that Burn's quantized tensors do not have.
    #[error("Burn cannot run {what}; {instead}")]
    NotInBurn {
        /// What was asked for.
        what: String,
        /// What it can.
        instead: &'static str,
    },
    /// A model that names a parameter before its linears which it does not have.
    #[error("the model says that `{path}` scales inputs of linears; it has no such parameter of {inputs} values")]
    Fold {
        /// The parameter path.
        path: String,
        /// Inputs of the linears.
        inputs: usize,
    },
    /// A model that does not round what its linears read, or not what some of them read alone.
    #[error(
        "the model cannot round the inputs of these weights: it can those of the linears in its blocks, where all that share an \
         input are quantized; select no others"
    )]
    RoundedInputs,
    /// A rule for a part of the module that holds nothing.
    #[error("width {number} ({bits} bits) is for parameters that are not among the selected weights")]
    NoSuchWeights {
        /// Which rule, from 1.
        number: usize,
        /// Its bits.
        bits: u8,
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
    pub fn of_weight(self, path: &str) -> Self {
        Self::Weight { path: path.into(), source: Box::new(self) }
    }
}
