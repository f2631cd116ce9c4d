//! Quantizing whole modules.

use burn::module::{Module, ParamGroup};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use junkdna_backend::{HostMatrix, Selection, weights};
use junkdna_quant::{Granularity, QuantError, QuantizedModule, RoundToNearest, Scheme};

#[derive(Module, Debug)]
struct Net {
    tokens: Embedding,
    up: Linear,
    down: Linear,
}

fn net() -> Net {
    let device = Device::flex();
    Net {
        tokens: EmbeddingConfig::new(10, 16).init(&device),
        up: LinearConfig::new(16, 24).init(&device),
        down: LinearConfig::new(24, 16).init(&device),
    }
}

fn method(granularity: Granularity) -> RoundToNearest {
    RoundToNearest::new(Scheme::new(4, false, granularity).unwrap())
}

fn values(weight: Tensor<2>) -> Vec<f32> {
    HostMatrix::from_weight(weight).as_slice().to_vec()
}

#[test]
fn linears_are_rounded_and_nothing_else_is() {
    let before = net();
    let QuantizedModule { module: after, weights, summary } =
        method(Granularity::Group(8)).quantize_module(before.clone(), Selection::default()).unwrap();
    assert_eq!(values(before.tokens.weight.val()), values(after.tokens.weight.val()));
    for (before, after) in [(&before.up, &after.up), (&before.down, &after.down)] {
        let expected = method(Granularity::Group(8)).round(&HostMatrix::from_weight(before.weight.val())).unwrap().0;
        assert_eq!(expected.as_slice(), values(after.weight.val()));
        assert_eq!(before.weight.dims(), after.weight.dims());
        assert_eq!(before.weight.id, after.weight.id);
    }
    let paths: Vec<&str> = summary.layers.iter().map(|layer| layer.path.as_str()).collect();
    assert_eq!(paths, ["up.weight", "down.weight"]);
    assert_eq!(weights["up.weight"].dequantize().as_slice(), values(after.up.weight.val()));
}

#[test]
fn the_summary_adds_up() {
    let before = net();
    let selection = Selection { embeddings: true, ..Selection::default() };
    let QuantizedModule { module: after, summary, .. } =
        method(Granularity::Channel).quantize_module(before.clone(), &selection).unwrap();
    let (mut error, mut total, mut bytes) = (0.0, 0.0, 0);
    for (before, after) in weights(&before, &selection).into_iter().zip(weights(&after, &selection)) {
        for (before, after) in values(before.value.clone()).into_iter().zip(values(after.value)) {
            error += f64::from(before - after).powi(2);
            total += f64::from(before).powi(2);
        }
        let matrix = HostMatrix::from_weight(before.value);
        bytes += method(Granularity::Channel).scheme().bytes(matrix.d_out(), matrix.d_in()).unwrap();
    }
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-5 * b, "{a} and {b}");
    assert_eq!(summary.weights(), 160 + 2 * 16 * 24);
    assert_eq!(summary.bytes(), bytes);
    close(summary.mean_squared_error(), error / summary.weights() as f64);
    close(summary.relative_error(), (error / total).sqrt());
    // Rows of 10, 16 and 24 inputs: 16, 24 and 16 groups of 20 bits.
    close(summary.effective_bits(), 4.0 + 20.0 * 56.0 / summary.weights() as f64);
}

#[test]
fn what_cannot_be_quantized_is_named() {
    let quantize = |net, granularity| method(granularity).quantize_module(net, Selection::default()).unwrap_err();
    let message = quantize(net(), Granularity::Group(7)).to_string();
    assert_eq!(message, "up.weight: the group size 7 does not divide the input dimension 16");

    let mut broken = net();
    broken.down.weight = broken.down.weight.map(|weight| {
        let mut rows = values(weight.clone());
        rows[5 * 24 + 3] = f32::NAN;
        HostMatrix::new(rows, 16, 24).into_weight(&weight.device())
    });
    let message = quantize(broken, Granularity::Channel).to_string();
    assert!(message.starts_with("down.weight: the weight at [output 5, input 3] is NaN"), "{message}");

    let nothing = Selection::of(ParamGroup::from_path("upp.weight"));
    let error = method(Granularity::Channel).quantize_module(net(), &nothing).unwrap_err();
    assert_eq!(error, QuantError::NothingSelected);
}
