//! In how many bits the linears of a block read their inputs.

use burn::tensor::Tensor;
use junkdna_backend::kernels::round_tokens;
use std::collections::BTreeSet;

/// The groups of linears in a block that share an input.
const STAGES: usize = 4;

/// The names of a block's linears, those that share an input together, in the order in which they run.
pub(crate) type Stages = [&'static [&'static str]; STAGES];

/// The bits of each stage of a block; as it is where nothing is said.
pub(crate) type BlockBits = [Option<u8>; STAGES];

/// The bits of each block; none at all where every input is read as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputBits(Vec<BlockBits>);

impl InputBits {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn of_block(&self, block: usize) -> BlockBits {
        self.0.get(block).copied().unwrap_or_default()
    }

    /// With the inputs of these weights in `bits`; `None` if some are no linears of `blocks` blocks, or share their input with a
    /// linear that is not among them. `paths` gives the parameter paths of a block's linears.
    pub(crate) fn with(
        mut self,
        weights: &BTreeSet<String>,
        bits: u8,
        blocks: usize,
        stages: &Stages,
        paths: impl Fn(usize, &[&str]) -> Vec<String>,
    ) -> Option<Self> {
        let mut left = weights.len();
        self.0.resize(blocks, BlockBits::default());
        for (block, of_block) in self.0.iter_mut().enumerate() {
            for (names, of_stage) in stages.iter().zip(of_block) {
                match paths(block, names).iter().filter(|&path| weights.contains(path)).count() {
                    0 => {}
                    readers if readers == names.len() => {
                        *of_stage = Some(bits);
                        left -= readers;
                    }
                    _ => return None,
                }
            }
        }
        (left == 0).then_some(self)
    }
}

/// An input `[…, d]` as linears read it: each token's values for themselves.
pub(crate) fn read<const D: usize>(input: Tensor<D>, bits: Option<u8>) -> Tensor<D> {
    let Some(bits) = bits else { return input };
    let shape = input.shape();
    let width = shape[D - 1];
    let tokens = shape.num_elements() / width.max(1);
    round_tokens(input.reshape([tokens, width]), bits).reshape(shape)
}
