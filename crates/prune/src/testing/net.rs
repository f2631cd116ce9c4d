use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Embedding, EmbeddingConfig, Initializer, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor};
use junkdna_backend::HostMatrix;
use std::collections::BTreeMap;
use std::fmt;

/// A small module with all that a selection must tell apart. Its layers do not follow one another: nothing runs it.
///
/// Paths are `layers.0.weight`, `layers.1.weight` and so on.
#[derive(Module)]
pub struct Net {
    /// Not pruned by default.
    pub embedding: Embedding,
    /// Never pruned.
    pub norm: LayerNorm,
    /// Pruned, but for their biases.
    pub layers: Vec<Linear>,
}

impl Net {
    /// A module of these weights, on the `flex` device.
    pub fn new(layers: &[HostMatrix]) -> Self {
        let device = Device::flex();
        let linear = |matrix: &HostMatrix| Linear {
            weight: Param::from_tensor(matrix.clone().into_weight(&device)),
            bias: Some(Param::from_tensor(Tensor::full([matrix.d_out()], 0.25, &device))),
        };
        Self {
            embedding: EmbeddingConfig::new(5, 4).with_initializer(Initializer::Constant { value: 0.5 }).init(&device),
            norm: LayerNormConfig::new(4).init(&device),
            layers: layers.iter().map(linear).collect(),
        }
    }

    /// The path of a layer's weight.
    pub fn path(layer: usize) -> String {
        format!("layers.{layer}.weight")
    }

    /// The weights of the layers.
    pub fn matrices(&self) -> Vec<HostMatrix> {
        self.layers.iter().map(|linear| HostMatrix::from_weight(linear.weight.val())).collect()
    }

    /// The bits of all parameters by path, of whatever rank; matrices `[d_out, d_in]`.
    pub(super) fn bits(&self) -> BTreeMap<String, Vec<u32>> {
        let mut bits = Bits::default();
        self.visit(&mut bits);
        bits.found
    }
}

impl fmt::Debug for Net {
    /// The layers' weights, one matrix a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (layer, matrix) in self.matrices().iter().enumerate() {
            write!(f, "\n  {} {}x{} {:?}", Self::path(layer), matrix.d_out(), matrix.d_in(), matrix.as_slice())?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Bits {
    path: Vec<String>,
    found: BTreeMap<String, Vec<u32>>,
}

impl ModuleVisitor for Bits {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = if D == 2 { param.val().transpose() } else { param.val() };
        let values: Vec<f32> = value.into_data().convert::<f32>().iter().collect();
        self.found.insert(self.path.join("."), values.into_iter().map(f32::to_bits).collect());
    }
}
