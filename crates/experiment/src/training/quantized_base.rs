//! Frozen weights as codes of the quant crate, under the adapters of the finetune crate.

use crate::ExperimentError;
use burn::module::{Module, ParamGroup};
use junkdna_backend::{HostMatrix, Selection, weights};
use junkdna_finetune::adapters::{FrozenMatrices, FrozenMatrix, on_codes};
use junkdna_quant::{Codes, Granularity, Packed, QuantError, RoundToNearest, Scheme};
use serde::Serialize;
use std::str::FromStr;
use std::sync::Arc;

/// Linears that stay floats: those after the last block, as `quantize` leaves them and QLoRA's authors do, and heads, which
/// train as a whole.
const FLOATS: [&str; 3] = ["^lm_head", r"^classifier\.", r"^score\."];

/// The codes of a frozen base: `nf4`, `fp4`, or the bits of asymmetric integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseCodes(Codes);

impl FromStr for BaseCodes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` are no codes: use nf4, fp4, or 2 to 8 for integers of so many bits");
        match text {
            "nf4" => Ok(Self(Codes::Nf4)),
            "fp4" => Ok(Self(Codes::Fp4)),
            bits => {
                let bits = bits.parse().map_err(|_| wrong())?;
                let scheme = Scheme::new(bits, false, Granularity::Channel).map_err(|_| wrong())?;
                Ok(Self(scheme.codes()))
            }
        }
    }
}

impl BaseCodes {
    /// With one scale for so many neighbouring inputs of an output.
    ///
    /// # Errors
    /// If groups are empty.
    pub fn in_groups_of(self, inputs: usize) -> Result<Scheme, QuantError> {
        Scheme::of(self.0, Granularity::Group(inputs))
    }
}

/// A base in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaseSize {
    /// What the codes are.
    pub scheme: String,
    /// Matrices of codes.
    pub matrices: usize,
    /// Bytes that they take in memory, with scales and zero points.
    pub bytes: usize,
    /// Bytes that their weights would take as single floats.
    pub float_bytes: usize,
}

/// The linears of a model rounded to the nearest codes, packed: what [`attach_on`](junkdna_finetune::adapters::attach_on) puts
/// in their place. Heads and `lm_head` stay as they are.
///
/// # Errors
/// As [`RoundToNearest::quantize`], naming the weight; a model without linears.
pub fn quantized_base<M: Module>(model: &M, scheme: Scheme) -> Result<FrozenMatrices, ExperimentError> {
    let floats = ParamGroup::from_any_regexes(FLOATS.map(str::to_owned).to_vec()).expect("the patterns are constants");
    let nearest = RoundToNearest::new(scheme);
    let mut bases = FrozenMatrices::new();
    for weight in weights(model, &Selection::of(ParamGroup::all().exclude(floats))) {
        let codes = nearest.quantize(&HostMatrix::from_weight(weight.value));
        let codes = codes.map_err(|error| error.of_weight(&weight.path))?;
        bases.insert(weight.path, Arc::new(Base(Packed::from(&codes))));
    }
    if bases.is_empty() { Err(QuantError::NothingSelected.into()) } else { Ok(bases) }
}

/// What the codes in a module take.
pub fn base_size<M: Module>(module: &M, bases: &FrozenMatrices, scheme: Scheme) -> BaseSize {
    let there = on_codes(module);
    let used = || there.iter().filter_map(|path| bases.get(path));
    let weights: usize = used().map(|base| base.shape().iter().product::<usize>()).sum();
    BaseSize {
        scheme: scheme.to_string(),
        matrices: used().count(),
        bytes: used().map(|base| base.bytes()).sum(),
        float_bytes: weights * size_of::<f32>(),
    }
}

#[derive(Debug)]
struct Base(Packed);

impl FrozenMatrix for Base {
    fn shape(&self) -> [usize; 2] {
        self.0.shape()
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn values(&self) -> HostMatrix {
        self.0.dequantize()
    }
}
