//! Codes as Burn's own quantized tensors, which its devices compute with.

use crate::{Codes, Granularity, QuantError, Quantized, QuantizedModule, Scheme, ZeroPoint};
use burn::module::Module;
use burn::tensor::quantization::{QuantScheme, QuantValue, QuantizationParameters};
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::{HostMatrix, device_of, replace_weights};

impl Scheme {
    /// The same as Burn's scheme of a weight `[d_in, d_out]`, stored as the device stores quantized tensors.
    ///
    /// # Errors
    /// [`QuantError::NotInBurn`]: it has symmetric codes of 8, 4 and 2 bits, blocks of at most 255 inputs, and no zero
    /// points.
    pub fn to_burn(&self, d_in: usize, device: &Device) -> Result<QuantScheme, QuantError> {
        let no = |what: String, instead| Err(QuantError::NotInBurn { what, instead });
        let value = match self.codes() {
            Codes::Integer { bits: 8, zero_point: ZeroPoint::Narrow } => QuantValue::Q8S,
            Codes::Integer { bits: 4, zero_point: ZeroPoint::Narrow } => QuantValue::Q4S,
            Codes::Integer { bits: 2, zero_point: ZeroPoint::Narrow } => QuantValue::Q2S,
            Codes::Integer { bits: 8, zero_point: ZeroPoint::Middle } => QuantValue::Q8F,
            Codes::Integer { bits: 4, zero_point: ZeroPoint::Middle } => QuantValue::Q4F,
            Codes::Integer { bits: 2, zero_point: ZeroPoint::Middle } => QuantValue::Q2F,
            other => return no(format!("{other} codes"), "it runs symmetric codes of 8, 4 or 2 bits"),
        };
        let scheme = device.settings().quantization.scheme.with_value(value);
        let block = match self.granularity() {
            Granularity::Tensor => return Ok(scheme.per_tensor(self.scales())),
            Granularity::Channel => d_in,
            Granularity::Group(size) => size,
        };
        match u8::try_from(block) {
            Ok(block) => Ok(scheme.per_block([block, 1], self.scales())),
            Err(_) => no(
                format!("one scale for {block} inputs of an output"),
                "it runs groups of at most 255 inputs, or one scale for the tensor",
            ),
        }
    }
}

impl Quantized {
    /// The weight `[d_in, d_out]` as a quantized tensor of Burn: the same values, in as few bits as the device stores them.
    ///
    /// # Errors
    /// [`QuantError::NotInBurn`] for schemes, factors of inputs and outliers that Burn does not have, and for values that the
    /// device would not keep.
    pub fn to_burn(&self, device: &Device) -> Result<Tensor<2>, QuantError> {
        let scheme = self.scheme().to_burn(self.d_in(), device)?;
        if self.input_scales().is_some() || !self.outliers().is_empty() {
            let what = "factors of inputs and outliers".into();
            return Err(QuantError::NotInBurn { what, instead: "quantize without them" });
        }
        // Burn rounds w / scale, and w is a whole multiple of it: the codes come out as they are.
        let scales = QuantizationParameters { scales: self.scales_of_blocks(device), global: None };
        let values = self.dequantize();
        let tensor = values.clone().into_weight(device).quantize(&scheme, scales);
        // Burn's linear layer reshapes the weight, and the `flex` device rounds blocks anew when it does: to the same values
        // only if the largest code of every block is used.
        match HostMatrix::from_weight(tensor.clone().unsqueeze::<2>().dequantize()).as_slice() == values.as_slice() {
            true => Ok(tensor),
            false => Err(QuantError::NotInBurn {
                what: format!("these {} codes on this device, which rounds them again", self.scheme()),
                instead: "narrow symmetric codes of MinMax ranges stay, and whatever has one scale for the tensor",
            }),
        }
    }

    /// One scale for each block of a `[d_in, d_out]` tensor, shaped as the blocks are, which the type does not say.
    fn scales_of_blocks(&self, device: &Device) -> Tensor<1> {
        if self.scales().len() == 1 {
            return Tensor::from_data(TensorData::new(self.scales().to_vec(), [1]), device);
        }
        let groups = self.d_in() / self.group_len();
        let by_output = TensorData::new(self.scales().to_vec(), [self.d_out(), groups]);
        let by_input = Tensor::<2>::from_data(by_output, device).transpose();
        Tensor::from_bridge(by_input.into_bridge())
    }
}

impl<M: Module> QuantizedModule<M> {
    /// The module with Burn's quantized tensors for weights, where [`module`](Self::module) has floats: it then runs from
    /// the codes, on any device of Burn.
    ///
    /// # Errors
    /// [`QuantError::NotInBurn`], naming the weight.
    pub fn into_burn(self) -> Result<M, QuantError> {
        let device = device_of(&self.module);
        let tensors = self.weights.iter().map(|(path, quantized)| {
            let tensor = quantized.to_burn(&device).map_err(|error| error.of_weight(path))?;
            Ok((path.clone(), tensor))
        });
        let tensors = tensors.collect::<Result<_, QuantError>>()?;
        Ok(replace_weights(self.module, tensors).0)
    }
}
