//! Burn runs what it can express.

use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use junkdna_backend::Selection;
use junkdna_quant::{Codes, Granularity, Parts, QuantError, RoundToNearest, Scheme, ZeroPoint};

#[derive(Module, Debug)]
struct Net {
    up: Linear,
    down: Linear,
}

impl Net {
    fn new() -> Self {
        let device = Device::flex();
        Self { up: LinearConfig::new(32, 48).init(&device), down: LinearConfig::new(48, 32).init(&device) }
    }

    fn forward(&self, x: Tensor<2>) -> Vec<f32> {
        self.down.forward(self.up.forward(x)).into_data().convert::<f32>().iter().collect()
    }
}

#[test]
fn a_module_runs_from_its_codes() {
    let x = Tensor::<2>::random([5, 32], Distribution::Default, &Device::flex());
    for bits in [2, 4, 8] {
        for granularity in [Granularity::Tensor, Granularity::Channel, Granularity::Group(16)] {
            let scheme = Scheme::new(bits, true, granularity).unwrap().with_zero_point(ZeroPoint::Narrow).unwrap();
            let quantized = RoundToNearest::new(scheme).quantize_module(Net::new(), Selection::default()).unwrap();
            let as_floats = quantized.module.forward(x.clone());
            let weight = quantized.weights["up.weight"].dequantize();
            let in_burn = quantized.into_burn().unwrap();
            assert!(matches!(in_burn.up.weight.val().dtype(), DType::QFloat(_)));
            let held: Vec<f32> = in_burn.up.weight.val().dequantize().transpose().into_data().iter().collect();
            assert_eq!(held, weight.as_slice(), "{scheme}");
            for (a, b) in as_floats.iter().zip(in_burn.forward(x.clone())) {
                assert!((a - b).abs() < 1e-5, "{scheme}: {a} and {b}");
            }
        }
    }
}

#[test]
fn what_burn_does_not_have_is_said() {
    let convert = |scheme: Scheme, d_in| scheme.to_burn(d_in, &Device::flex()).map(|_| ()).unwrap_err().to_string();
    let scheme = |bits, symmetric| Scheme::new(bits, symmetric, Granularity::Channel).unwrap();
    assert_eq!(
        convert(scheme(4, false), 32),
        "Burn cannot run 4-bit asymmetric codes; it runs symmetric codes of 8, 4 or 2 bits"
    );
    assert!(convert(scheme(3, true), 32).contains("3-bit symmetric"));
    assert!(convert(Scheme::of(Codes::Nf4, Granularity::Channel).unwrap(), 32).contains("NF4"));
    assert!(convert(scheme(8, true), 256).contains("groups of at most 255 inputs"));
    let asymmetric = RoundToNearest::new(scheme(4, false)).quantize_module(Net::new(), Selection::default()).unwrap();
    let error = asymmetric.into_burn().unwrap_err().to_string();
    assert!(error.starts_with("down.weight: Burn cannot run"), "{error}");
}

#[test]
fn blocks_that_the_device_would_round_again_are_refused() {
    let quantize = |granularity| {
        let method = RoundToNearest::new(Scheme::new(4, true, granularity).unwrap());
        method.quantize_module(Net::new(), Selection::default()).unwrap().into_burn().map(|_| ())
    };
    assert_eq!(quantize(Granularity::Tensor), Ok(()));
    let error = quantize(Granularity::Group(16)).unwrap_err().to_string();
    assert!(error.contains("which rounds them again"), "{error}");
}

#[test]
fn widths_differ_by_path() {
    let down = || ParamGroup::from_path("down.weight");
    let parts = Parts::from(Selection::default()).with_bits(down(), 8).with_bits(ParamGroup::all(), 3);
    let scheme = Scheme::new(4, false, Granularity::Channel).unwrap();
    let quantized = RoundToNearest::new(scheme).quantize_module(Net::new(), &parts).unwrap();
    let bits: Vec<u8> = quantized.summary.layers.iter().map(|layer| layer.bits).collect();
    assert_eq!(bits, [3, 8]);
    assert_eq!(quantized.weights["down.weight"].scheme(), scheme.with_bits(8).unwrap());

    let refused = |parts: Parts, scheme: Scheme| {
        RoundToNearest::new(scheme).quantize_module(Net::new(), parts).map(|_| ()).unwrap_err()
    };
    let none = Parts::default().with_bits(down(), 8).with_bits(ParamGroup::from_path("dwon.weight"), 3);
    assert_eq!(refused(none, scheme), QuantError::NoSuchWeights { number: 2, bits: 3 });
    assert_eq!(refused(Parts::default().with_bits(down(), 9), scheme), QuantError::Bits { bits: 9 });
    let book = Scheme::of(Codes::Nf4, Granularity::Channel).unwrap();
    assert_eq!(refused(Parts::default().with_bits(down(), 3), book), QuantError::Bits { bits: 3 });
    let real = Scheme::new(4, false, Granularity::Channel).unwrap().with_zero_point(ZeroPoint::Real).unwrap();
    assert!(!real.keeps_zero() && scheme.keeps_zero());
}
