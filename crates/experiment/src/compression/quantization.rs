//! Methods of quantization by name.

use super::names;
use burn::module::Module;
use junkdna_backend::{Blocks, Selection, TokenTree};
use junkdna_quant::{Gptq, QuantError, QuantizedModule, RoundToNearest, Scheme};
use serde::{Deserialize, Serialize};

/// A method of quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantizer {
    /// Round to nearest.
    Rtn,
    /// Round column after column, the others making up for it, on calibration samples.
    Gptq,
}

impl Quantizer {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 2] = [
        ("rtn", "each weight to the nearest code, min-max range"),
        ("gptq", "column after column, the rest makes up for it (Frantar et al. 2022); needs calibration"),
    ];

    /// The method of a name.
    ///
    /// # Errors
    /// A sentence that lists the names.
    pub fn by_name(name: &str) -> Result<Self, String> {
        match name {
            "rtn" => Ok(Self::Rtn),
            "gptq" => Ok(Self::Gptq),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
        }
    }

    /// Whether it goes by what the weights multiply.
    pub fn needs_calibration(self) -> bool {
        self == Self::Gptq
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rtn => "rtn",
            Self::Gptq => "gptq",
        }
    }
}

/// What all methods are told.
pub(crate) struct Quantization<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) samples: &'a [TokenTree],
    pub(crate) scheme: Scheme,
}

impl Quantization<'_> {
    pub(crate) fn by<M: Module + Blocks>(
        &self,
        quantizer: Quantizer,
        module: M,
        mut progress: impl FnMut(f64),
    ) -> Result<QuantizedModule<M>, QuantError> {
        match quantizer {
            Quantizer::Rtn => RoundToNearest::new(self.scheme).quantize_module(module, self.selection),
            Quantizer::Gptq => {
                let blocks = module.num_blocks().max(1) as f64;
                let done = |blocks_done: usize| progress(blocks_done as f64 / blocks);
                Gptq::new(self.scheme).quantize_blocks(module, self.samples, self.selection, done)
            }
        }
    }
}
