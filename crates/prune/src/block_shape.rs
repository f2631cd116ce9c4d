//! Blocks of weights that go together.

use crate::{PruneError, WeightRef};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How far a block reaches along one dimension of a weight matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extent {
    /// So many neighbours.
    Count(usize),
    /// All there are.
    All,
}

impl Extent {
    /// Of a dimension of `size`; at least 1, so that a matrix without weights has no blocks.
    fn of(self, size: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::All => size.max(1),
        }
    }
}

impl From<usize> for Extent {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::All => f.write_str("*"),
        }
    }
}

/// Outputs × inputs of the blocks into which a weight matrix is cut: blocks go whole or stay whole.
///
/// | text | goes together |
/// |---|---|
/// | `4x4`, `1x8` | neighbouring weights, as block-sparse kernels want them (Gray et al. 2017) |
/// | `1x*` | all inputs of an output: a neuron, a channel (Li et al. 2017, arXiv 1608.08710) |
/// | `*x1` | all that reads an input |
/// | `64x*` | 64 neighbouring outputs: an attention head of that size in a query, key or value projection |
/// | `*x64` | 64 neighbouring inputs: the same head in the output projection |
///
/// A block goes in each matrix for itself: removing a head from four projections, or a channel from two matrices, takes a
/// [`Selection`](junkdna_backend::Selection) and a shape for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlockShape {
    outputs: Extent,
    inputs: Extent,
}

impl BlockShape {
    /// Blocks of so many outputs and inputs.
    ///
    /// # Errors
    /// [`PruneError::InvalidBlockShape`] for a count of 0.
    pub fn new(outputs: impl Into<Extent>, inputs: impl Into<Extent>) -> Result<Self, PruneError> {
        let shape = Self { outputs: outputs.into(), inputs: inputs.into() };
        if [shape.outputs, shape.inputs].contains(&Extent::Count(0)) {
            return Err(PruneError::InvalidBlockShape { text: shape.to_string(), reason: "has blocks of nothing" });
        }
        Ok(shape)
    }

    /// Along the outputs.
    pub fn outputs(self) -> Extent {
        self.outputs
    }

    /// Along the inputs.
    pub fn inputs(self) -> Extent {
        self.inputs
    }

    /// Outputs and inputs of a block of one matrix.
    pub(crate) fn within(self, weight: &WeightRef<'_>) -> Result<[usize; 2], PruneError> {
        let (outputs, inputs) = (self.outputs.of(weight.d_out), self.inputs.of(weight.d_in));
        if weight.d_out.is_multiple_of(outputs) && weight.d_in.is_multiple_of(inputs) {
            return Ok([outputs, inputs]);
        }
        let (path, d_out, d_in) = (weight.path.into(), weight.d_out, weight.d_in);
        Err(PruneError::IndivisibleBlocks { path, shape: self, d_out, d_in })
    }
}

impl FromStr for BlockShape {
    type Err = PruneError;

    fn from_str(text: &str) -> Result<Self, PruneError> {
        let refused = |reason| PruneError::InvalidBlockShape { text: text.into(), reason };
        let (outputs, inputs) = text.split_once('x').ok_or_else(|| refused("has no x"))?;
        let extent = |part: &str| match part.trim() {
            "*" => Ok(Extent::All),
            count => count.parse().map(Extent::Count).map_err(|_| refused("is not two counts or *")),
        };
        Self::new(extent(outputs)?, extent(inputs)?)
    }
}

impl fmt::Display for BlockShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.outputs, self.inputs)
    }
}

impl TryFrom<String> for BlockShape {
    type Error = PruneError;

    fn try_from(text: String) -> Result<Self, PruneError> {
        text.parse()
    }
}

impl From<BlockShape> for String {
    fn from(shape: BlockShape) -> String {
        shape.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["4x4", "1x*", "*x64", "*x*"] {
            let shape: BlockShape = text.parse().unwrap();
            assert_eq!(shape.to_string(), text);
            assert_eq!(serde_json::from_str::<BlockShape>(&serde_json::to_string(&shape).unwrap()).unwrap(), shape);
        }
        assert_eq!(BlockShape::new(64, Extent::All).unwrap(), "64x*".parse().unwrap());
    }

    #[test]
    fn refuses_what_is_no_shape_and_says_why() {
        for (text, why) in [
            ("0x4", "of nothing"),
            ("4x0", "of nothing"),
            ("4", "no x"),
            ("4x", "two counts"),
            ("ax4", "two counts"),
            ("-1x4", "two counts"),
            ("1x2x3", "two counts"),
        ] {
            let message = text.parse::<BlockShape>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains(text), "{message}");
        }
    }

    #[test]
    fn all_is_what_a_matrix_has() {
        let weight = WeightRef { path: "w", d_out: 6, d_in: 4, values: &[0.0; 24] };
        let within = |text: &str| text.parse::<BlockShape>().unwrap().within(&weight);
        assert_eq!(within("*x2").unwrap(), [6, 2]);
        assert_eq!(within("3x*").unwrap(), [3, 4]);
        let message = within("4x2").unwrap_err().to_string();
        assert!(["w:", "4x2", "6 outputs", "4 inputs"].iter().all(|part| message.contains(part)), "{message}");
    }
}
