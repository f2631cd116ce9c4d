//! `quantization_config` in `config.json`: what is stored how.

use super::sparse::SparseLayout;
use crate::error::ModelError;
use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The formats that can be read.
const SUPPORTED: &str =
    "pack-quantized, int-quantized, dense (with a sparsity_config of sparse-bitmask or sparse-24-bitmask)";

/// The parts of `quantization_config` that say how tensors are stored.
#[derive(Debug)]
pub(super) struct Config {
    groups: Vec<(Vec<Target>, Result<Packing, String>)>,
    sparse: Option<SparseLayout>,
    path: std::path::PathBuf,
}

/// How the codes of a weight are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packing {
    pub(super) bits: u8,
    pub(super) symmetric: bool,
    pub(super) sharing: Sharing,
    /// Codes in bytes of their own, signed, rather than without gaps in words.
    pub(super) in_bytes: bool,
    /// In how many bits the linear reads its input, where not as it is.
    pub(super) input_bits: Option<u8>,
}

/// Which weights share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    Tensor,
    Channel,
    Group(usize),
}

#[derive(Debug)]
enum Target {
    /// A module, or a class of modules.
    Name(String),
    /// A pattern that a module's name begins with.
    Pattern(Box<Regex>),
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.symmetric { "symmetric" } else { "asymmetric" };
        write!(f, "{} bits {kind} ", self.bits)?;
        match self.sharing {
            Sharing::Tensor => write!(f, "per tensor"),
            Sharing::Channel => write!(f, "per channel"),
            Sharing::Group(size) => write!(f, "per group of {size}"),
        }?;
        self.input_bits.map_or(Ok(()), |bits| write!(f, ", inputs of {bits} bits"))
    }
}

#[derive(Deserialize)]
struct Raw {
    quant_method: Option<String>,
    format: Option<String>,
    #[serde(default)]
    config_groups: BTreeMap<String, RawGroup>,
    sparsity_config: Option<RawSparsity>,
}

#[derive(Deserialize)]
struct RawSparsity {
    format: Option<String>,
}

#[derive(Deserialize)]
struct RawGroup {
    targets: Vec<String>,
    weights: Option<RawWeights>,
    input_activations: Option<RawInputs>,
    format: Option<String>,
}

#[derive(Deserialize)]
struct RawInputs {
    num_bits: u64,
    r#type: Option<String>,
    symmetric: Option<bool>,
    strategy: Option<String>,
    dynamic: Option<Value>,
}

#[derive(Deserialize)]
struct RawWeights {
    num_bits: u64,
    r#type: Option<String>,
    symmetric: Option<bool>,
    strategy: Option<String>,
    group_size: Option<i64>,
}

impl Config {
    pub(super) fn parse(value: &Value, path: &Path) -> Result<Self, ModelError> {
        let error = |field: &str, problem: String| ModelError::config(path, field, problem);
        let raw: Raw = Raw::deserialize(value).map_err(|problem| error("quantization_config", problem.to_string()))?;
        let method = raw.quant_method.as_deref().unwrap_or("none");
        if method != "compressed-tensors" {
            let problem = format!("is `{method}`, only `compressed-tensors` can be read");
            return Err(error("quantization_config.quant_method", problem));
        }
        let sparse = match raw.sparsity_config.and_then(|sparsity| sparsity.format) {
            None => None,
            Some(format) if format == "dense" => None,
            Some(format) => Some(SparseLayout::by_name(&format).ok_or_else(|| {
                let problem = format!("is `{format}`, it must be `sparse-bitmask` or `sparse-24-bitmask`");
                error("quantization_config.sparsity_config.format", problem)
            })?),
        };
        let mut groups = Vec::with_capacity(raw.config_groups.len());
        for (name, group) in raw.config_groups {
            let format = group.format.as_deref().or(raw.format.as_deref()).unwrap_or("dense");
            let packing = match (format, &group.weights) {
                ("pack-quantized" | "int-quantized", Some(weights)) => weights.packing(),
                ("pack-quantized" | "int-quantized", None) => Err("`weights` is missing".to_owned()),
                (other, _) => Err(format!("format `{other}` cannot be read; supported are {SUPPORTED}")),
            };
            let inputs = group.input_activations.as_ref().map(RawInputs::bits).transpose();
            let packing = packing.and_then(|packing| {
                let in_bytes = format == "int-quantized";
                let bits = if in_bytes { 8 } else { packing.bits };
                Ok(Packing { in_bytes, bits, input_bits: inputs?, ..packing })
            });
            let targets = group.targets.into_iter().map(Target::parse).collect::<Result<_, String>>();
            let targets = targets
                .map_err(|problem| error(&format!("quantization_config.config_groups.{name}.targets"), problem))?;
            groups.push((targets, packing.map_err(|p| format!("quantization_config.config_groups.{name}: {p}"))));
        }
        let known = matches!(
            raw.format.as_deref(),
            None | Some("dense" | "pack-quantized" | "int-quantized" | "mixed-precision")
        );
        match raw.format {
            Some(format) if !known => {
                let problem = format!("is `{format}`; supported are {SUPPORTED}");
                Err(error("quantization_config.format", problem))
            }
            _ => Ok(Self { groups, sparse, path: path.to_owned() }),
        }
    }

    /// How the weight of a module is packed, if a group targets it: by name, else by pattern, else by class.
    pub(super) fn packing(&self, module: &str) -> Option<Result<Packing, ModelError>> {
        let ranked = self.groups.iter().filter_map(|(targets, packing)| {
            let rank = targets.iter().filter_map(|target| target.rank(module)).min()?;
            Some((rank, packing))
        });
        let (_, packing) = ranked.min_by_key(|(rank, _)| *rank)?;
        Some(packing.clone().map_err(|problem| ModelError::config(&self.path, module, problem)))
    }

    pub(super) fn sparse(&self) -> Option<SparseLayout> {
        self.sparse
    }
}

impl RawWeights {
    fn packing(&self) -> Result<Packing, String> {
        let bits = u8::try_from(self.num_bits).ok().filter(|bits| (1..=8).contains(bits));
        let bits = bits.ok_or_else(|| format!("`num_bits` is {}, it must be 1 to 8", self.num_bits))?;
        match self.r#type.as_deref() {
            None | Some("int") => {}
            Some(other) => return Err(format!("`type` is `{other}`, it must be `int`")),
        }
        let size = match self.group_size {
            Some(size) if size > 0 => usize::try_from(size).ok(),
            _ => None,
        };
        let sharing = match (self.strategy.as_deref(), self.group_size, size) {
            (Some("group") | None, _, Some(size)) => Sharing::Group(size),
            (Some("channel"), ..) | (None, Some(-1), _) => Sharing::Channel,
            (Some("tensor"), ..) | (None, None, _) => Sharing::Tensor,
            (Some("group"), ..) => return Err("`group_size` must be positive where `strategy` is `group`".to_owned()),
            (strategy, size, _) => {
                let strategy = strategy.unwrap_or("none");
                let size = size.unwrap_or_default();
                return Err(format!("`strategy` {strategy} with `group_size` {size}: use tensor, channel or group"));
            }
        };
        let symmetric = self.symmetric.unwrap_or(true);
        Ok(Packing { bits, symmetric, sharing, in_bytes: false, input_bits: None })
    }
}

impl RawInputs {
    /// Those that [`round_tokens`](junkdna_backend::kernels::round_tokens) rounds to.
    fn bits(&self) -> Result<u8, String> {
        let integer = matches!(self.r#type.as_deref(), None | Some("int"));
        let by_token = self.strategy.as_deref() == Some("token");
        let dynamic = self.dynamic == Some(Value::Bool(true));
        let bits = u8::try_from(self.num_bits).ok().filter(|bits| (2..=8).contains(bits));
        match bits {
            Some(bits) if integer && by_token && dynamic && self.symmetric.unwrap_or(true) => Ok(bits),
            _ => Err("`input_activations` can be read with `type` int, 2 to 8 `num_bits`, `symmetric` true, `strategy` token and \
                      `dynamic` true"
                .to_owned()),
        }
    }
}

impl Target {
    fn parse(text: String) -> Result<Self, String> {
        match text.strip_prefix("re:") {
            None => Ok(Self::Name(text)),
            // Patterns match from the beginning.
            Some(pattern) => match Regex::new(&format!("^(?:{pattern})")) {
                Ok(pattern) => Ok(Self::Pattern(Box::new(pattern))),
                Err(error) => Err(format!("`{text}`: {}", crate::error::one_line(&error.to_string()))),
            },
        }
    }

    /// How exactly it means a module, 0 the most; `None` where it does not.
    fn rank(&self, module: &str) -> Option<u8> {
        match self {
            Self::Name(name) if name == module => Some(0),
            // A pattern that is too much work matches nothing.
            Self::Pattern(pattern) => pattern.is_match(module).unwrap_or(false).then_some(1),
            Self::Name(class) => (class == "Linear").then_some(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Result<Config, String> {
        Config::parse(value, Path::new("config.json")).map_err(|error| error.to_string())
    }

    fn with_weights(weights: Value) -> Value {
        json!({
            "quant_method": "compressed-tensors", "format": "pack-quantized",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        })
    }

    #[test]
    fn the_most_exact_target_decides() {
        let group = |targets: Value, bits: u8| json!({"targets": targets, "weights": {"num_bits": bits, "strategy": "channel", "symmetric": false}});
        let config = parse(&json!({
            "quant_method": "compressed-tensors", "format": "pack-quantized",
            "config_groups": {
                "a": group(json!(["Linear"]), 2), "b": group(json!(["re:.*up_proj"]), 3), "c": group(json!(["x.up_proj"]), 4),
            },
        }))
        .unwrap();
        for (module, bits) in [("x.up_proj", 4), ("y.up_proj", 3), ("y.down_proj", 2)] {
            let packing = config.packing(module).unwrap().unwrap();
            let expected =
                Packing { bits, symmetric: false, sharing: Sharing::Channel, in_bytes: false, input_bits: None };
            assert_eq!(packing, expected, "{module}");
        }
    }

    #[test]
    fn inputs_of_few_bits_are_by_token_or_refused() {
        let packing = |inputs: Value| {
            let config = json!({
                "quant_method": "compressed-tensors", "format": "int-quantized",
                "config_groups": {"group_0": {
                    "targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "channel"}, "input_activations": inputs,
                }},
            });
            parse(&config).unwrap().packing("x").unwrap().map_err(|error| error.to_string())
        };
        let by_token = json!({"num_bits": 8, "type": "int", "symmetric": true, "strategy": "token", "dynamic": true});
        let found = packing(by_token.clone()).unwrap();
        assert_eq!((found.in_bytes, found.input_bits), (true, Some(8)));
        assert_eq!(packing(Value::Null).unwrap().input_bits, None);
        for (field, value) in [
            ("dynamic", json!(false)),
            ("strategy", json!("tensor")),
            ("symmetric", json!(false)),
            ("type", json!("float")),
            ("num_bits", json!(16)),
        ] {
            let mut inputs = by_token.clone();
            inputs[field] = value;
            let error = packing(inputs).unwrap_err();
            assert!(error.contains("`input_activations`") && error.contains("group_0"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (weights, words) in [
            (json!({"num_bits": 9}), "`num_bits` is 9"),
            (json!({"num_bits": 4, "type": "float"}), "must be `int`"),
            (json!({"num_bits": 4, "strategy": "block"}), "use tensor, channel or group"),
            (json!({"num_bits": 4, "strategy": "group"}), "`group_size` must be positive"),
            (json!({"num_bits": 4, "strategy": "group", "group_size": 0}), "`group_size` must be positive"),
        ] {
            let error = parse(&with_weights(weights)).unwrap().packing("x").unwrap().unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("config_groups.group_0"), "{error}");
        }
        let error = parse(&json!({"quant_method": "awq"})).unwrap_err();
        assert!(error.contains("quant_method") && error.contains("awq"), "{error}");
        let error = parse(&json!({"quant_method": "compressed-tensors", "format": "nvfp4"})).unwrap_err();
        assert!(error.contains("nvfp4"), "{error}");
        let error = parse(&json!({
            "quant_method": "compressed-tensors", "format": "pack-quantized",
            "config_groups": {"a": {"targets": ["re:("]}},
        }));
        assert!(error.unwrap_err().contains("re:("));
    }
}
