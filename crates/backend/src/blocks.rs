//! How a model is run one block at a time, showing what each linear layer reads.

use crate::TokenTree;
use burn::tensor::Tensor;
use std::collections::BTreeSet;

/// Sees the inputs of linear layers while a block runs.
pub trait LinearObserver {
    /// `input` `[tokens, d_in]` is about to be multiplied by each of the weights at these parameter paths; linears that
    /// share one input come together, so that statistics are collected once.
    fn observe(&mut self, weights: &[String], input: &Tensor<2>);
}

/// Inputs of linears that what comes before can divide by a factor each, the linears' weights multiplied by the same, without
/// changing what the model computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// What computes the inputs, and nothing else.
    pub source: FoldSource,
    /// Parameter paths of the weights that read them: all there are.
    pub readers: Vec<String>,
}

/// What computes inputs of linears so that a factor of each input is a factor of some of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoldSource {
    /// A norm: the paths of its scale and, where it has one, its shift, `[d_in]` each.
    Norm(Vec<String>),
    /// A linear, with nothing behind it but what keeps factors of its outputs.
    Linear {
        /// Path of its weight `[…, d_in]`.
        weight: String,
        /// Path of its bias `[d_in]`.
        bias: Option<String>,
    },
}

/// A model that runs block by block, for methods that calibrate a block, compress it, and go on with its new outputs, so
/// that only one block's statistics are in memory. Several batches run at once.
pub trait Blocks: Sync {
    /// What a batch carries from block to block: hidden states with whatever positions and masks they need.
    type State: Clone + Send + Sync;

    /// How many blocks there are.
    fn num_blocks(&self) -> usize;

    /// The state before the first block, of one or more sequences.
    fn embed(&self, tokens: &TokenTree) -> Self::State;

    /// Runs one block and shows each linear's input to the observer.
    fn forward_block(&self, block: usize, state: Self::State, observer: &mut dyn LinearObserver) -> Self::State;

    /// Runs one block as far as its last linear's input, for its observer alone; models that know where that is save the
    /// rest.
    fn observe_block(&self, block: usize, state: Self::State, observer: &mut dyn LinearObserver) {
        self.forward_block(block, state, observer);
    }

    /// In how many stages a block can be run, each from an input that some linears share to the next such input: 1, the
    /// block as a whole, where nobody has said so.
    fn num_stages(&self, block: usize) -> usize {
        let _ = block;
        1
    }

    /// Runs one stage and shows the input it begins with to the observer; all stages in turn are the block.
    fn forward_stage(
        &self,
        block: usize,
        stage: usize,
        state: Self::State,
        observer: &mut dyn LinearObserver,
    ) -> Self::State {
        let _ = stage;
        self.forward_block(block, state, observer)
    }

    /// Shows the input that a stage begins with, and runs nothing of it.
    fn observe_stage(&self, block: usize, stage: usize, state: Self::State, observer: &mut dyn LinearObserver) {
        let _ = stage;
        self.observe_block(block, state, observer);
    }

    /// Which inputs of a block's linears can be scaled by what comes before them, for methods that move the spread of
    /// activations into weights (SmoothQuant, AWQ). None where nobody has said so.
    fn folds(&self, block: usize) -> Vec<Fold> {
        let _ = block;
        Vec::new()
    }

    /// The model with what these weights read, by parameter path, rounded to `bits` token by token whenever it runs
    /// ([`round_tokens`](crate::kernels::round_tokens)); observers see inputs as they were. `None` where the model cannot round
    /// its inputs, or not those of these weights alone.
    fn with_rounded_inputs(self, weights: &BTreeSet<String>, bits: u8) -> Option<Self>
    where
        Self: Sized,
    {
        let _ = (weights, bits);
        None
    }
}
