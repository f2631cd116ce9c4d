//! Weight matrices on the host.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// A weight matrix in host memory, one row per output: `[d_out, d_in]`, row-major, `f32`.
///
/// Every compression method works along the inputs of one output, so this is the layout they read. On the `flex` device a
/// Burn weight `[d_in, d_out]` that was loaded from PyTorch's layout is such a matrix already and is not copied.
#[derive(Debug, Clone)]
pub struct HostMatrix {
    d_out: usize,
    d_in: usize,
    data: Storage,
}

#[derive(Debug, Clone)]
enum Storage {
    Owned(Vec<f32>),
    #[cfg(feature = "flex")]
    Shared(burn_flex::FlexTensor),
}

impl HostMatrix {
    /// From rows of `d_in` weights, one row per output.
    ///
    /// # Panics
    /// If `data` does not hold `d_out * d_in` values.
    pub fn new(data: Vec<f32>, d_out: usize, d_in: usize) -> Self {
        assert_eq!(data.len(), d_out * d_in, "a {d_out}x{d_in} matrix");
        Self { d_out, d_in, data: Storage::Owned(data) }
    }

    /// The host copy of a Burn weight `[d_in, d_out]` of any device and float type.
    pub fn from_weight(weight: Tensor<2>) -> Self {
        let [d_in, d_out] = weight.dims();
        let rows = weight.inner().transpose();
        #[cfg(feature = "flex")]
        if let Ok(tensor) = rows.clone().try_into_primitive::<burn::backend::Flex>()
            && tensor.dtype() == DType::F32
            && tensor.is_contiguous()
        {
            return Self { d_out, d_in, data: Storage::Shared(tensor) };
        }
        let data = rows.into_data().convert::<f32>();
        let values = data.as_slice::<f32>().map(<[f32]>::to_vec).unwrap_or_default();
        Self::new(values, d_out, d_in)
    }

    /// Outputs: the number of rows.
    pub fn d_out(&self) -> usize {
        self.d_out
    }

    /// Inputs: the length of a row.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// All weights, row after row.
    pub fn as_slice(&self) -> &[f32] {
        match &self.data {
            Storage::Owned(values) => values,
            #[cfg(feature = "flex")]
            Storage::Shared(tensor) => tensor.as_slice().unwrap_or_default(),
        }
    }

    /// The weights of one output.
    pub fn row(&self, output: usize) -> &[f32] {
        &self.as_slice()[output * self.d_in..(output + 1) * self.d_in]
    }

    /// The Burn weight `[d_in, d_out]` on a device.
    pub fn into_weight(self, device: &Device) -> Tensor<2> {
        let values = match self.data {
            Storage::Owned(values) => values,
            #[cfg(feature = "flex")]
            Storage::Shared(tensor) => tensor.as_slice().unwrap_or_default().to_vec(),
        };
        Tensor::<2>::from_data(TensorData::new(values, [self.d_out, self.d_in]), (device, DType::F32)).transpose()
    }
}
