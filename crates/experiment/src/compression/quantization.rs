//! Methods of quantization by name.

use super::names;
use burn::module::{Module, ParamGroup, ParamGroupError};
use junkdna_backend::{Blocks, Selection, TokenTree, weights};
use junkdna_quant::{
    Awq, Gptq, Granularity, Hqq, LeastError, MinMax, Parts, QuantError, QuantizedModule, Range, RoundToNearest, Scheme,
    SmoothQuant, ZeroPoint,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A method of quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantizer {
    /// Round to nearest.
    Rtn,
    /// Round column after column, the others making up for it, on calibration samples.
    Gptq,
    /// Scale up the weights of large inputs, clip, and round to nearest, on calibration samples.
    Awq,
    /// Round to nearest on grids that leave most weights nearly exact.
    Hqq,
    /// Share the spread of inputs between them and the weights, and round to nearest, on calibration samples.
    #[serde(rename = "smoothquant")]
    SmoothQuant,
}

impl Quantizer {
    /// The methods by name, with what each does.
    pub const METHODS: [(&'static str, &'static str); 5] = [
        ("rtn", "each weight to the nearest code"),
        ("gptq", "column after column, the rest makes up for it (Frantar et al. 2022); needs calibration"),
        ("awq", "weights of large inputs scaled up, ranges clipped (Lin et al. 2023); needs calibration"),
        ("hqq", "grids for which most weights are nearly exact, without data (Badri and Shaji 2023)"),
        ("smoothquant", "the spread of inputs moved into weights (Xiao et al. 2022); needs calibration"),
    ];

    /// The method of a name.
    ///
    /// # Errors
    /// A sentence that lists the names.
    pub fn by_name(name: &str) -> Result<Self, String> {
        match name {
            "rtn" => Ok(Self::Rtn),
            "gptq" => Ok(Self::Gptq),
            "awq" => Ok(Self::Awq),
            "hqq" => Ok(Self::Hqq),
            "smoothquant" => Ok(Self::SmoothQuant),
            _ => Err(format!("unknown method `{name}`: use {}", names(&Self::METHODS))),
        }
    }

    /// Integer codes as the method wants them: HQQ's zero points lie between the codes unless weights that are zero are to
    /// stay zero.
    ///
    /// # Errors
    /// If bits are not 2 to 8, or groups are empty.
    pub fn scheme(self, bits: u8, symmetric: bool, granularity: Granularity) -> Result<Scheme, QuantError> {
        let scheme = Scheme::new(bits, symmetric, granularity)?;
        match self {
            Self::Hqq if !symmetric => scheme.with_zero_point(ZeroPoint::Real),
            _ => Ok(scheme),
        }
    }

    /// Whether it goes by what the weights multiply.
    pub fn needs_calibration(self) -> bool {
        matches!(self, Self::Gptq | Self::Awq | Self::SmoothQuant)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rtn => "rtn",
            Self::Gptq => "gptq",
            Self::Awq => "awq",
            Self::Hqq => "hqq",
            Self::SmoothQuant => "smoothquant",
        }
    }
}

/// How the grids of RTN and GPTQ are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridRange {
    /// From the smallest to the largest weight.
    #[default]
    MinMax,
    /// Searched for the least error.
    LeastError,
}

impl FromStr for GridRange {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "min-max" => Ok(Self::MinMax),
            "least-error" => Ok(Self::LeastError),
            _ => Err(format!("unknown range `{name}`: use min-max or least-error")),
        }
    }
}

impl fmt::Display for GridRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MinMax => "min-max",
            Self::LeastError => "least-error",
        })
    }
}

/// Another width for the weights whose path matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Width {
    /// A regular expression for parameter paths.
    pub pattern: String,
    /// Bits of a code.
    pub bits: u8,
}

impl FromStr for Width {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: REGEX=BITS is expected, such as down_proj=8");
        let (pattern, bits) = text.rsplit_once('=').ok_or_else(wrong)?;
        Ok(Self { pattern: pattern.into(), bits: bits.parse().map_err(|_| wrong())? })
    }
}

/// What may be asked of a method beside its codes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuantizeOptions {
    /// How grids are chosen, by RTN and GPTQ.
    pub range: GridRange,
    /// Other widths by path; the first that matches decides.
    pub widths: Vec<Width>,
    /// GPTQ: inputs with the largest activations first.
    pub activation_order: bool,
    /// GPTQ: grids from the weights as they were.
    pub static_grids: bool,
    /// GPTQ: weights that are zero stay zero. The others keep them wherever their zero points are codes.
    pub keep_zeros: bool,
    /// Round what the weights read to so many bits too, token by token, whenever the model runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activations: Option<u8>,
}

impl QuantizeOptions {
    /// Whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn parts(&self, selection: &Selection) -> Result<Parts, QuantError> {
        self.widths.iter().try_fold(selection.into(), |parts: Parts, Width { pattern, bits }| {
            let group = ParamGroup::from_regex(pattern).map_err(|ParamGroupError::InvalidPatternError(problem)| {
                QuantError::Contents { problem: problem.replace('\n', " ") }
            })?;
            Ok(parts.with_bits(group, *bits))
        })
    }
}

impl fmt::Display for QuantizeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.range != GridRange::MinMax {
            write!(f, " {}", self.range)?;
        }
        self.widths.iter().try_for_each(|Width { pattern, bits }| write!(f, " {pattern}={bits}"))?;
        let said = [
            (self.activation_order, "activation order"),
            (self.static_grids, "static grids"),
            (self.keep_zeros, "zeros kept"),
        ];
        said.iter().filter(|(set, _)| *set).try_for_each(|(_, what)| write!(f, " {what}"))?;
        self.activations.map_or(Ok(()), |bits| write!(f, " activations of {bits} bits"))
    }
}

/// What all methods are told.
pub(crate) struct Quantization<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) samples: &'a [TokenTree],
    pub(crate) scheme: Scheme,
    pub(crate) options: &'a QuantizeOptions,
}

impl Quantization<'_> {
    pub(crate) fn by<M: Module + Blocks>(
        &self,
        quantizer: Quantizer,
        module: M,
        progress: impl FnMut(f64),
    ) -> Result<QuantizedModule<M>, QuantError> {
        let parts = self.options.parts(self.selection)?;
        let Some(bits) = self.options.activations else { return self.weights_by(quantizer, module, parts, progress) };
        // Refused before any work is done.
        let paths = weights(&module, self.selection).into_iter().map(|weight| weight.path).collect();
        if (2..=8).contains(&bits) && module.clone().with_rounded_inputs(&paths, bits).is_none() {
            return Err(QuantError::RoundedInputs);
        }
        self.weights_by(quantizer, module, parts, progress)?.with_rounded_inputs(bits)
    }

    fn weights_by<M: Module + Blocks>(
        &self,
        quantizer: Quantizer,
        module: M,
        parts: Parts,
        mut progress: impl FnMut(f64),
    ) -> Result<QuantizedModule<M>, QuantError> {
        let blocks = module.num_blocks().max(1) as f64;
        let done = |blocks_done: usize| progress(blocks_done as f64 / blocks);
        let nearest = RoundToNearest::new(self.scheme);
        match (quantizer, self.options.range) {
            (Quantizer::Rtn, GridRange::MinMax) => nearest.quantize_module(module, parts),
            (Quantizer::Rtn, GridRange::LeastError) => {
                nearest.with_range(LeastError::default()).quantize_module(module, parts)
            }
            (Quantizer::Hqq, _) => nearest.with_range(Hqq::default()).quantize_module(module, parts),
            (Quantizer::Gptq, GridRange::MinMax) => {
                self.gptq(MinMax).quantize_blocks(module, self.samples, parts, done)
            }
            (Quantizer::Gptq, GridRange::LeastError) => {
                self.gptq(LeastError::default()).quantize_blocks(module, self.samples, parts, done)
            }
            (Quantizer::Awq, _) => Awq::new(self.scheme).quantize_blocks(module, self.samples, parts, done),
            (Quantizer::SmoothQuant, _) => {
                SmoothQuant::new(self.scheme).quantize_blocks(module, self.samples, parts, done)
            }
        }
    }

    fn gptq<R: Range>(&self, range: R) -> Gptq<R> {
        let gptq = Gptq::new(self.scheme).with_range(range).with_activation_order(self.options.activation_order);
        gptq.with_static_grids(self.options.static_grids).with_zeros_kept(self.options.keep_zeros)
    }
}
