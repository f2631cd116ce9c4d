//! Frozen weights as codes: the same that `quantize` gives, in fewer bytes.

use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use junkdna_backend::{HostMatrix, Seed, Selection, weights};
use junkdna_experiment::ExperimentError;
use junkdna_experiment::training::{BaseCodes, base_size, quantized_base};
use junkdna_finetune::adapters::{AdapterConfig, attach_on, on_codes};
use junkdna_finetune::finish;
use junkdna_quant::{QuantError, RoundToNearest};

#[derive(Module, Debug)]
struct Net {
    up: Linear,
    down: Linear,
    classifier: Linear,
}

fn net() -> Net {
    let linear = |d_in, d_out| LinearConfig::new(d_in, d_out).init(&Device::flex());
    Net { up: linear(64, 96), down: linear(96, 64), classifier: linear(64, 3) }
}

fn bits(net: &Net) -> Vec<(String, Vec<u32>)> {
    let of = |value| HostMatrix::from_weight(value).as_slice().iter().map(|x| x.to_bits()).collect();
    weights(net, &Selection::default()).into_iter().map(|weight| (weight.path, of(weight.value))).collect()
}

#[test]
fn a_base_holds_what_quantizing_gives() {
    let net = net();
    let config = AdapterConfig { targets: vec![r"^up\.weight$".into()], ..AdapterConfig::default() };
    for (codes, bytes) in [("nf4", 6144 + 2 * 384 + 2 * 4), ("fp4", 6144 + 2 * 384 + 2 * 4), ("8", 12288 + 4 * 384)] {
        let scheme = codes.parse::<BaseCodes>().unwrap().in_groups_of(32).unwrap();
        let bases = quantized_base(&net, scheme).unwrap();
        let on_a_base = attach_on(net.clone(), &config, &bases, Seed(1)).unwrap();
        assert_eq!(on_codes(&on_a_base).into_iter().collect::<Vec<_>>(), ["down.weight", "up.weight"]);
        let size = base_size(&on_a_base, &bases, scheme);
        assert_eq!((size.matrices, size.bytes, size.float_bytes), (2, bytes, 4 * 2 * 64 * 96), "{codes}");
        // B is zero yet.
        let but_the_head = ParamGroup::all().exclude(ParamGroup::from_regex("^classifier").unwrap());
        let nearest = RoundToNearest::new(scheme).quantize_module(net.clone(), Selection::of(but_the_head)).unwrap();
        assert_eq!(bits(&finish(on_a_base)), bits(&nearest.module), "{codes}");
    }
}

#[test]
fn wrong_codes_and_groups_are_named() {
    for text in ["nf5", "1", "9", "", "-4"] {
        let message = text.parse::<BaseCodes>().unwrap_err();
        assert_eq!(message, format!("`{text}` are no codes: use nf4, fp4, or 2 to 8 for integers of so many bits"));
    }
    let nf4: BaseCodes = "nf4".parse().unwrap();
    assert!(matches!(nf4.in_groups_of(0), Err(QuantError::EmptyGroup)));
    let error = quantized_base(&net(), nf4.in_groups_of(7).unwrap()).unwrap_err();
    assert!(matches!(error, ExperimentError::Quant(QuantError::Weight { .. })), "{error}");
    assert!(error.to_string().contains("up.weight"), "{error}");
}
