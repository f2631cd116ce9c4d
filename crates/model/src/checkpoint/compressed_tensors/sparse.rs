//! `sparse-bitmask` and `sparse-24-bitmask`: a bit for each weight, and the values of those that are not zero.

use super::super::{Checkpoint, SafetensorsCheckpoint};
use super::part::Part;
use crate::error::ModelError;
use crate::export::{LinearName, Storage};
use burn::tensor::TensorData;
use half::f16;
use junkdna_backend::HostMatrix;
use rayon::prelude::*;
use safetensors::tensor::Dtype;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

pub(super) const MASK: &str = ".bitmask";
const VALUES: &str = ".compressed";
const SHAPE: &str = ".shape";
const OFFSETS: &str = ".row_offsets";
/// The tensors that one weight may be stored as.
pub(super) const PARTS: [&str; 4] = [MASK, VALUES, SHAPE, OFFSETS];

/// A layout of compressed-tensors for pruned weights. What is kept is stored in half precision where that can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SparseLayout {
    /// Any places; values one after another, and where each row's begin.
    Bitmask,
    /// Two of every four consecutive inputs; values `[d_out, d_in / 2]`.
    TwoOfFour,
}

impl SparseLayout {
    /// By the name that the package gives it.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "sparse-bitmask" => Some(Self::Bitmask),
            "sparse-24-bitmask" => Some(Self::TwoOfFour),
            _ => None,
        }
    }

    /// How these weights are stored, by parameter path; `linears` are all of the model.
    pub(crate) fn storage(
        self,
        weights: Vec<(String, HostMatrix)>,
        linears: &[LinearName],
    ) -> Result<Storage, ModelError> {
        let count = |values: &[f32]| values.iter().filter(|&&value| value == 0.0).count();
        let zeros: usize = weights.iter().map(|(_, matrix)| count(matrix.as_slice())).sum();
        let all: usize = weights.iter().map(|(_, matrix)| matrix.as_slice().len()).sum();
        let stored = weights.into_par_iter().map(|(path, matrix)| {
            let tensors =
                self.tensors(&matrix).map_err(|problem| ModelError::Sparse { tensor: path.clone(), problem })?;
            Ok((path, tensors))
        });
        let weights: BTreeMap<_, _> = stored.collect::<Result<_, ModelError>>()?;
        let dense = linears.iter().filter(|linear| !weights.contains_key(&linear.path));
        let ignored: Vec<&str> = dense.map(|linear| linear.module.as_str()).collect();
        let structure = match self {
            Self::Bitmask => "unstructured",
            Self::TwoOfFour => "2:4",
        };
        let quantization_config = json!({
            "quant_method": "compressed-tensors",
            "format": "dense",
            "sparsity_config": {
                "format": self.to_string(),
                "global_sparsity": zeros as f64 / all.max(1) as f64,
                "sparsity_structure": structure,
                "targets": ["Linear"],
                "ignore": ignored,
            },
        });
        Ok(Storage { weights, quantization_config })
    }

    /// The tensors of one weight.
    fn tensors(self, matrix: &HostMatrix) -> Result<Vec<(&'static str, TensorData)>, String> {
        let (d_out, d_in) = (matrix.d_out(), matrix.d_in());
        let width = d_in.div_ceil(8);
        let (mut mask, mut values, mut offsets) = (vec![0u8; d_out * width], Vec::new(), Vec::with_capacity(d_out));
        for output in 0..d_out {
            offsets.push(values.len() as i64);
            let row = matrix.row(output);
            for input in self.kept(row).ok_or_else(|| {
                format!(
                    "output {output} has more than 2 weights in 4 consecutive inputs, or inputs not in fours; \
                         prune it with --pattern 2:4, or use sparse-bitmask"
                )
            })? {
                mask[output * width + input / 8] |= 1 << (input % 8);
                values.push(row[input]);
            }
        }
        let sizes = vec![d_out as i64, d_in as i64];
        let mask = TensorData::new(mask, [d_out, width]);
        Ok(match self {
            Self::Bitmask => {
                let count = values.len();
                vec![
                    ("shape", TensorData::new(sizes, [2])),
                    ("compressed", half(values, vec![count])),
                    ("bitmask", mask),
                    ("row_offsets", TensorData::new(offsets, [d_out])),
                ]
            }
            Self::TwoOfFour => vec![
                ("shape", TensorData::new(sizes, [2, 1])),
                ("compressed", half(values, vec![d_out, d_in / 2])),
                ("bitmask", mask),
            ],
        })
    }

    /// The places that a row keeps, in order; `None` where the layout has no room for them.
    fn kept(self, row: &[f32]) -> Option<Vec<usize>> {
        match self {
            Self::Bitmask => Some((0..row.len()).filter(|&input| row[input] != 0.0).collect()),
            Self::TwoOfFour => {
                let (fours, rest) = row.as_chunks::<4>();
                let mut kept = Vec::with_capacity(row.len() / 2);
                for (i, four) in fours.iter().enumerate() {
                    // Zeros fill up what is not used.
                    let of = |zero: bool| (0..4).filter(move |&place| (four[place] == 0.0) == zero);
                    let mut two: Vec<usize> = of(false).chain(of(true)).take(2).collect();
                    two.sort_unstable();
                    if of(false).count() > 2 {
                        return None;
                    }
                    kept.extend(two.into_iter().map(|place| 4 * i + place));
                }
                rest.is_empty().then_some(kept)
            }
        }
    }
}

/// Half precision where all values stay finite.
fn half(values: Vec<f32>, shape: Vec<usize>) -> TensorData {
    let halves: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
    match halves.iter().all(|half| half.is_finite()) {
        true => TensorData::new(halves, shape),
        false => TensorData::new(values, shape),
    }
}

impl fmt::Display for SparseLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bitmask => "sparse-bitmask",
            Self::TwoOfFour => "sparse-24-bitmask",
        })
    }
}

/// Checks the headers of the parts against the weight's stored shape, which is returned.
pub(super) fn check(
    stored: &SafetensorsCheckpoint,
    module: &str,
    layout: SparseLayout,
) -> Result<[usize; 2], ModelError> {
    let part = |suffix: &str| Part::new(stored, module, suffix);
    let (shape, mask, values) = (part(SHAPE)?, part(MASK)?, part(VALUES)?);
    let [d_out, d_in] = shape.sizes()?;
    mask.expect_type(&[Dtype::U8])?;
    mask.expect_shape(&[d_out, d_in.div_ceil(8)])?;
    values.expect_type(&[Dtype::F32, Dtype::F16, Dtype::BF16])?;
    match layout {
        SparseLayout::TwoOfFour if !d_in.is_multiple_of(4) => {
            return Err(shape.error(format!("says that the weight has {d_in} inputs, which must be a multiple of 4")));
        }
        SparseLayout::TwoOfFour => values.expect_shape(&[d_out, d_in / 2])?,
        SparseLayout::Bitmask => {
            let offsets = part(OFFSETS)?;
            offsets.expect_type(&[Dtype::I64])?;
            offsets.expect_shape(&[d_out])?;
        }
    }
    Ok([d_out, d_in])
}

/// The weights of a module that [`check`] has passed, `[d_out, d_in]`.
pub(super) fn read(stored: &SafetensorsCheckpoint, module: &str, layout: SparseLayout) -> Result<Vec<f32>, ModelError> {
    let part = |suffix: &str| Part::new(stored, module, suffix);
    let [d_out, d_in] = check(stored, module, layout)?;
    let mask = part(MASK)?;
    let bytes = mask.bytes()?;
    let values = stored.read(&part(VALUES)?.name)?;
    let kept = |row: usize| {
        let bits = &bytes[row * d_in.div_ceil(8)..(row + 1) * d_in.div_ceil(8)];
        (0..d_in).filter(move |&input| bits[input / 8] >> (input % 8) & 1 == 1)
    };
    let counts: Vec<usize> = (0..d_out).map(|row| kept(row).count()).collect();
    let set: usize = counts.iter().sum();
    if set != values.len() {
        return Err(mask.error(format!("has {set} bits set, there are {} values", values.len())));
    }
    match layout {
        SparseLayout::TwoOfFour => {}
        SparseLayout::Bitmask => check_offsets(&part(OFFSETS)?, &counts)?,
    }
    let mut weights = vec![0.0; d_out * d_in];
    let mut values = values.into_iter();
    for row in 0..d_out {
        // The places first: a zip that ends takes one more from its first iterator than from its second.
        kept(row).zip(values.by_ref()).for_each(|(input, value)| weights[row * d_in + input] = value);
    }
    Ok(weights)
}

/// Rows must begin where the mask says.
fn check_offsets(offsets: &Part<'_>, counts: &[usize]) -> Result<(), ModelError> {
    let mut start = 0;
    for (row, (offset, count)) in offsets.integers()?.into_iter().zip(counts).enumerate() {
        if i64::try_from(start) != Ok(offset) {
            return Err(
                offsets.error(format!("says that row {row} begins at value {offset}, by the mask it is {start}"))
            );
        }
        start += count;
    }
    Ok(())
}
