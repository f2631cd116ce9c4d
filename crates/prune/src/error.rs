//! What can go wrong, in the words of whoever asked.

use crate::BlockShape;
use std::path::PathBuf;

/// Why a module was not pruned, or a mask not applied, saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// A sparsity outside [0, 1).
    #[error("sparsity must be at least 0 and below 1, but {value} {reason}")]
    InvalidSparsity {
        /// What was asked for.
        value: f64,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// Neither a sparsity nor an N:M pattern nor blocks.
    #[error("`{text}` is neither a sparsity such as 0.5 nor a pattern such as 2:4 nor blocks such as 4x4@0.5")]
    InvalidTarget {
        /// What was asked for.
        text: String,
    },
    /// A pattern that is not N:M with 0 < N < M.
    #[error(
        "pattern `{text}` {reason}: N:M sets the N smallest of every M consecutive inputs to zero, \
         0 < N < M, for example 2:4"
    )]
    InvalidPattern {
        /// What was asked for.
        text: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// A shape that is not outputs × inputs.
    #[error(
        "block shape `{text}` {reason}: it is OUTPUTSxINPUTS, each a count from 1 or * for all, for example 4x4 or 1x*"
    )]
    InvalidBlockShape {
        /// What was asked for.
        text: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// An allocation that cannot be, or not with this scope or target.
    #[error("allocation {allocation}: {reason}")]
    InvalidAllocation {
        /// The allocation.
        allocation: &'static str,
        /// Why it cannot be.
        reason: String,
    },
    /// A name that is not a scope.
    #[error("unknown scope `{text}`: use global, layer or row")]
    InvalidScope {
        /// What was asked for.
        text: String,
    },
    /// A name that is no rule for ties.
    #[error("unknown rule for ties `{text}`: use exact or all")]
    InvalidTies {
        /// What was asked for.
        text: String,
    },
    /// An N:M pattern that does not divide the inputs of a weight.
    #[error("{path}: its {d_in} inputs are not a multiple of {m}, as the pattern {n}:{m} needs")]
    IndivisibleInputs {
        /// The parameter.
        path: String,
        /// Inputs per output.
        d_in: usize,
        /// Removed per group.
        n: usize,
        /// Inputs per group.
        m: usize,
    },
    /// Blocks that do not divide a weight.
    #[error("{path}: blocks of {shape} (outputs x inputs) do not divide its {d_out} outputs and {d_in} inputs")]
    IndivisibleBlocks {
        /// The parameter.
        path: String,
        /// Of the blocks.
        shape: BlockShape,
        /// Outputs.
        d_out: usize,
        /// Inputs per output.
        d_in: usize,
    },
    /// Blocks have no place in a ranking of the weights of one output.
    #[error("blocks of {shape} do not go with scope row, which ranks the weights of one output: use global or layer")]
    BlocksInRows {
        /// Of the blocks.
        shape: BlockShape,
    },
    /// A method that cannot prune in this structure.
    #[error("{method} prunes single weights and N:M patterns, not blocks ({target})")]
    NoBlocks {
        /// The method.
        method: &'static str,
        /// What was asked for.
        target: crate::Target,
    },
    /// Nothing to prune.
    #[error("the selection holds no weight matrix of this module")]
    NothingSelected,
    /// A matrix of which nothing stays.
    #[error("{path}: all of its {weights} weights would go; prune less, by layer, or allow it (--allow-empty)")]
    Emptied {
        /// The parameter.
        path: String,
        /// How many it has.
        weights: usize,
    },
    /// A weight that is NaN or infinite: ranking it would hide that the model is broken.
    #[error("{path}: weight [{output}, {input}] (output, input) is {value}, not a finite number")]
    NotFinite {
        /// The parameter.
        path: String,
        /// Row.
        output: usize,
        /// Column.
        input: usize,
        /// The weight.
        value: f32,
    },
    /// A score that is NaN has no rank.
    #[error("{path}: the {score} score of weight [{output}, {input}] (output, input) is NaN")]
    ScoreIsNaN {
        /// The score.
        score: &'static str,
        /// The parameter.
        path: String,
        /// Row.
        output: usize,
        /// Column.
        input: usize,
    },
    /// A score that lacks what it needs to know about a weight.
    #[error("{path}: no {score} score: {reason}")]
    NoScore {
        /// The score.
        score: &'static str,
        /// The parameter.
        path: String,
        /// What is missing.
        reason: String,
    },
    /// Calibration without samples.
    #[error("no calibration samples; at least one sequence of tokens is needed")]
    NoSamples,
    /// The inputs of a weight are so dependent that their Hessian cannot be inverted.
    #[cfg(feature = "calibration")]
    #[error("{path}: {source}; calibrate on more or longer samples")]
    Hessian {
        /// The parameter.
        path: String,
        /// The damping that was not enough.
        source: junkdna_backend::calibration::NotPositiveDefinite,
    },
    /// What should round the survivors cannot.
    #[error("{path}: {reason}")]
    Rounding {
        /// The parameter.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A backward pass that says nothing about the weights.
    #[error(
        "no selected weight of this module has a gradient: put the module on an autodiff device, let its weights train, and \
         ask the backward pass of a loss that depends on them"
    )]
    NoGradients,
    /// Gradients of another module; `[d_out, d_in]`.
    #[error("{path}: the gradients added before are {expected:?} (outputs, inputs), this is {found:?}")]
    GradientShape {
        /// The parameter.
        path: String,
        /// The shape of the gradients.
        expected: [usize; 2],
        /// The other shape.
        found: [usize; 2],
    },
    /// A mask of a parameter that the module does not have.
    #[error("{path}: the mask has this weight matrix, the module does not")]
    MissingParameter {
        /// The parameter.
        path: String,
    },
    /// Two shapes for one parameter; `[d_out, d_in]`.
    #[error("{path}: the mask is {expected:?} (outputs, inputs), this is {found:?}")]
    ShapeMismatch {
        /// The parameter.
        path: String,
        /// The mask's shape.
        expected: [usize; 2],
        /// The other shape.
        found: [usize; 2],
    },
    /// A weight that the mask removes and the module has.
    #[error("{path}: weight [{output}, {input}] (output, input) is pruned but holds {value}")]
    NotZero {
        /// The parameter.
        path: String,
        /// Row.
        output: usize,
        /// Column.
        input: usize,
        /// The weight.
        value: f32,
    },
    /// A setting of a schedule that cannot be.
    #[error("{what}: `{field}` {reason}")]
    InvalidSetting {
        /// What is set.
        what: &'static str,
        /// Its field.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A mask that follows another and keeps what that removes.
    #[error(
        "{path}: {count} weights that are gone would come back: a mask that follows another removes at least as many, \
         of the same parameters and in the same scope"
    )]
    ComesBack {
        /// The parameter.
        path: String,
        /// How many weights of it.
        count: usize,
    },
    /// Burn keeps one reparameterization per parameter.
    #[error("{path}: already reparameterized (`{name}`); materialize the module first")]
    AlreadyReparameterized {
        /// The parameter.
        path: String,
        /// The reparameterization it has.
        name: String,
    },
    /// A mask file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file that is not a mask, or of another version.
    #[error("{}: not a mask file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
