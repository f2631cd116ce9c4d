//! Codes as the `pack-quantized` and `int-quantized` tensors of compressed-tensors, which Transformers and vLLM load.
//!
//! The layouts are those of the Python package's sources (`compressors/pack_quantized`, `compressors/naive_quantized`,
//! <https://github.com/vllm-project/compressed-tensors>, 0.15 and later).

use crate::{Codes, Granularity, QuantError, Quantized, Scheme, ZeroPoint};
use burn::tensor::quantization::ScaleDtype;
use burn::tensor::{TensorData, bf16, f16};
use junkdna_backend::bit_packing::{pack_rows, words_of_row};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Quantized {
    /// The tensors that the weight is stored as, each with what follows the module's name in its own: `weight_packed`
    /// `[d_out, words]`, `weight_scale` `[d_out, groups]`, `weight_shape` and, unless zero is the middle code,
    /// `weight_zero_point`.
    ///
    /// # Errors
    /// [`QuantError::NotPackable`] for what the layout does not have: codebooks, zero points between the codes, factors of
    /// inputs, outliers.
    pub fn to_pack_quantized(&self) -> Result<Vec<(&'static str, TensorData)>, QuantError> {
        let bits = self.packable()?;
        let (d_out, d_in) = (self.d_out(), self.d_in());
        let groups = self.scales().len() / d_out.max(1);
        let one = self.scheme().granularity() == Granularity::Tensor;
        let shape = self.shape_of_scales();
        let mut tensors = vec![
            ("weight_packed", words(pack_rows(self.codes(), d_in, bits), [d_out, words_of_row(d_in, bits)])),
            ("weight_scale", scales(self.scales(), self.scheme().scales(), shape)),
            ("weight_shape", TensorData::new(vec![d_out as i64, d_in as i64], [2])),
        ];
        if !self.scheme().symmetric() {
            tensors.push(("weight_zero_point", self.packed_zeros(bits, groups, one)));
        }
        Ok(tensors)
    }

    /// The tensors as which a weight of 8 bits is stored whose input is rounded too: `weight`, signed bytes `[d_out, d_in]`,
    /// `weight_scale` `[d_out, groups]`, and unless zero is the middle code `weight_zero_point`.
    ///
    /// # Errors
    /// As [`to_pack_quantized`](Self::to_pack_quantized); codes of other widths.
    pub fn to_int_quantized(&self) -> Result<Vec<(&'static str, TensorData)>, QuantError> {
        if self.packable()? != 8 {
            return Err(QuantError::NotPackable { what: format!("{} codes in bytes", self.scheme()) });
        }
        let signed = |code: u8| code.wrapping_sub(1 << 7) as i8;
        let codes: Vec<i8> = self.codes().iter().map(|&code| signed(code)).collect();
        let mut tensors = vec![
            ("weight", TensorData::new(codes, [self.d_out(), self.d_in()])),
            ("weight_scale", scales(self.scales(), self.scheme().scales(), self.shape_of_scales())),
        ];
        if !self.scheme().symmetric() {
            let zeros: Vec<i8> = self.zeros().iter().map(|&zero| signed(zero as u8)).collect();
            tensors.push(("weight_zero_point", TensorData::new(zeros, self.shape_of_scales())));
        }
        Ok(tensors)
    }

    /// Its bits, if the layouts have all that it holds.
    fn packable(&self) -> Result<u8, QuantError> {
        if self.input_scales().is_some() || !self.outliers().is_empty() {
            return Err(QuantError::NotPackable { what: "factors of inputs and outliers".into() });
        }
        packable(&self.scheme())
    }

    fn shape_of_scales(&self) -> Vec<usize> {
        match self.scheme().granularity() {
            Granularity::Tensor => vec![1],
            _ => vec![self.d_out(), self.scales().len() / self.d_out().max(1)],
        }
    }

    /// Zero points, packed down the outputs; the only one of a matrix as it is, less the middle code.
    fn packed_zeros(&self, bits: u8, groups: usize, one: bool) -> TensorData {
        let zeros: Vec<u8> = self.zeros().iter().map(|&zero| zero as u8).collect();
        if one {
            return TensorData::new(vec![zeros[0].wrapping_sub(1 << (bits - 1)) as i8], [1]);
        }
        let (d_out, height) = (self.d_out(), words_of_row(self.d_out(), bits));
        let by_group: Vec<u8> =
            (0..groups).flat_map(|g| (0..d_out).map(move |o| (o, g))).map(|(o, g)| zeros[o * groups + g]).collect();
        let packed = pack_rows(&by_group, d_out, bits);
        let down = (0..height).flat_map(|word| (0..groups).map(move |group| (word, group)));
        words(down.map(|(word, group)| packed[group * height + word]).collect(), [height, groups])
    }
}

/// `quantization_config` of a model's `config.json`, for these weights by module name (`model.layers.0.mlp.up_proj`);
/// `linears` names all linears of the model. With `input_bits` the weights' inputs are rounded to so many bits, token by token,
/// whenever the model runs; weights of 8 bits are then stored as [`Quantized::to_int_quantized`] has them.
///
/// # Errors
/// As [`Quantized::to_pack_quantized`], naming the module.
pub fn quantization_config<'a>(
    weights: impl IntoIterator<Item = (&'a str, &'a Quantized)>,
    linears: impl IntoIterator<Item = &'a str>,
    input_bits: Option<u8>,
) -> Result<Value, QuantError> {
    let mut groups: Vec<(Scheme, Vec<&str>)> = Vec::new();
    let mut all = BTreeMap::new();
    for (module, quantized) in weights {
        let scheme = quantized.scheme();
        packable(&scheme).map_err(|error| error.of_weight(module))?;
        all.insert(module, scheme);
        match groups.iter_mut().find(|(known, _)| *known == scheme) {
            Some((_, modules)) => modules.push(module),
            None => groups.push((scheme, vec![module])),
        }
    }
    let ignored: Vec<&str> = linears.into_iter().filter(|linear| !all.contains_key(linear)).collect();
    let one = groups.len() == 1;
    let formats: Vec<&str> = groups.iter().map(|(scheme, _)| layout(scheme, input_bits)).collect();
    let format = match formats.split_first() {
        Some((first, rest)) if rest.iter().any(|other| other != first) => "mixed-precision",
        Some((first, _)) => first,
        None => PACKED,
    };
    let inputs = input_bits.map(|bits| {
        json!({
            "num_bits": bits, "type": "int", "symmetric": true, "strategy": "token", "group_size": null, "dynamic": true,
        })
    });
    let groups = groups.into_iter().enumerate().map(|(number, (scheme, modules))| {
        // One scheme for all: the class, which loaders that fuse linears understand too.
        let targets = if one { vec!["Linear"] } else { modules };
        let group = json!({
            "targets": targets, "weights": arguments(&scheme), "input_activations": inputs, "output_activations": null,
            "format": layout(&scheme, input_bits),
        });
        (format!("group_{number}"), group)
    });
    Ok(json!({
        "quant_method": "compressed-tensors",
        "format": format,
        "quantization_status": "compressed",
        "global_compression_ratio": null,
        "kv_cache_scheme": null,
        "ignore": ignored,
        "config_groups": groups.collect::<serde_json::Map<_, _>>(),
    }))
}

const PACKED: &str = "pack-quantized";

/// The layout of a weight whose input is read in so many bits.
fn layout(scheme: &Scheme, input_bits: Option<u8>) -> &'static str {
    if in_bytes(scheme, input_bits) { "int-quantized" } else { PACKED }
}

/// Whether a weight is stored as [`Quantized::to_int_quantized`] has it.
pub fn in_bytes(scheme: &Scheme, input_bits: Option<u8>) -> bool {
    input_bits.is_some() && scheme.bits() == 8
}

/// Its bits, if the layout has such codes.
pub(crate) fn packable(scheme: &Scheme) -> Result<u8, QuantError> {
    match scheme.codes() {
        Codes::Integer { bits, zero_point: ZeroPoint::Middle | ZeroPoint::Code } => Ok(bits),
        other => Err(QuantError::NotPackable { what: format!("{other} codes") }),
    }
}

fn arguments(scheme: &Scheme) -> Value {
    let (strategy, group_size) = match scheme.granularity() {
        Granularity::Tensor => ("tensor", None),
        Granularity::Channel => ("channel", None),
        Granularity::Group(size) => ("group", Some(size)),
    };
    json!({
        "num_bits": scheme.bits(), "type": "int", "symmetric": scheme.symmetric(), "strategy": strategy,
        "group_size": group_size, "dynamic": false,
    })
}

/// Words as the integers that files call them.
fn words(words: Vec<u32>, shape: [usize; 2]) -> TensorData {
    TensorData::new(words.into_iter().map(|word| word as i32).collect::<Vec<_>>(), shape)
}

/// Scales in a type that holds each exactly and that loaders know.
fn scales(values: &[f32], stored: ScaleDtype, shape: Vec<usize>) -> TensorData {
    match stored {
        ScaleDtype::F32 => TensorData::new(values.to_vec(), shape),
        ScaleDtype::F16 | ScaleDtype::UE4M3 => {
            TensorData::new(values.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>(), shape)
        }
        ScaleDtype::BF16 | ScaleDtype::UE8M0 => {
            TensorData::new(values.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>(), shape)
        }
    }
}
