//! How a model is run one block at a time, showing what each linear layer reads.

use crate::TokenTree;
use burn::tensor::Tensor;

/// Sees the inputs of linear layers while a block runs.
pub trait LinearObserver {
    /// `input` `[tokens, d_in]` is about to be multiplied by each of the weights at these parameter paths; linears that
    /// share one input come together, so that statistics are collected once.
    fn observe(&mut self, weights: &[String], input: &Tensor<2>);
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
}
