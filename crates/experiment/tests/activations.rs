//! Eight bits for weights and for what they read.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use junkdna_backend::calibration::batches;
use junkdna_backend::{CausalLm, KeyValues, Seed, Selection, TokenTree, Weight, replace_weights, weights};
use junkdna_experiment::training::check_trains;
use junkdna_experiment::{Compressed, Compression, ExperimentError, QuantizeOptions, Quantizer};
use junkdna_model::llama::{Attention, Mlp};
use junkdna_model::{Llama, Model, ModelConfig};
use junkdna_quant::{Granularity, QuantError, Scheme};
use rand::RngExt;

/// A decoder some of whose inputs are far larger than the others in every norm, as those of language models are.
fn model() -> Llama {
    let fields = serde_json::json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 40, "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": true,
    });
    let device = Device::flex();
    let Ok(ModelConfig::Llama(config)) = ModelConfig::from_json(&fields, "config.json".as_ref()) else {
        unreachable!()
    };
    let mut model = drawn(Llama::new(&config, &device));
    let outliers: Vec<f32> = (0..32).map(|input| if input % 11 == 5 { 16.0 } else { 1.0 }).collect();
    for block in &mut model.model.layers {
        for norm in [&mut block.input_layernorm, &mut block.post_attention_layernorm] {
            let gamma = Tensor::from_data(TensorData::new(outliers.clone(), [32]), &device);
            norm.gamma = norm.gamma.clone().map(|_| gamma);
        }
        // What reads a large input has small weights for it, or the others would not count.
        let Attention { q_proj, k_proj, v_proj, .. } = &mut block.self_attn;
        let Mlp { gate_proj, up_proj, .. } = &mut block.mlp;
        for linear in [q_proj, k_proj, v_proj, gate_proj, up_proj] {
            let by = Tensor::<2>::from_data(TensorData::new(outliers.clone(), [32, 1]), &device);
            linear.weight = linear.weight.clone().map(|weight| weight / by);
        }
    }
    model
}

/// With the same weights every time: those that modules start with are drawn from what all tests share.
fn drawn(model: Llama) -> Llama {
    let mut rng = Seed(3).rng();
    let mut draw = |value: &Tensor<2>| {
        let values = (0..value.shape().num_elements()).map(|_| rng.random_range(-0.18f32..0.18)).collect();
        Tensor::from_data(TensorData::new(values, value.shape()), &value.device())
    };
    let all = Selection { embeddings: true, ..Selection::default() };
    let values = weights(&model, &all).into_iter().map(|Weight { path, value }| (path, draw(&value)));
    let values = values.collect();
    replace_weights(model, values).0
}

fn hidden(model: &Llama) -> Vec<f32> {
    let tokens: Vec<u32> = (0..32).map(|i| (i * i * 7 + i) % 40).collect();
    model.forward(&TokenTree::sequence(&tokens, 0), &KeyValues::default()).0.into_data().iter().collect()
}

fn samples() -> Vec<TokenTree> {
    batches(&(0..8).map(|s| (0..32).map(|i| (i * (s + 3) + s) % 40).collect()).collect::<Vec<_>>(), 64)
}

fn compressed(quantizer: Quantizer, activations: Option<u8>) -> Result<(Llama, Compressed), ExperimentError> {
    let options = QuantizeOptions { activations, ..QuantizeOptions::default() };
    let scheme = Scheme::new(8, true, Granularity::Channel)?;
    Compression::Quantize { quantizer, scheme, options }.apply(model(), &Selection::default(), &samples(), |_| ())
}

#[test]
fn smoothing_makes_hidden_states_of_8_bit_inputs_nearer_to_the_models() {
    let dense = hidden(&model());
    let error = |quantizer, activations| {
        let (model, _) = compressed(quantizer, activations).unwrap();
        let off: f32 = hidden(&model).iter().zip(&dense).map(|(a, b)| (a - b).powi(2)).sum();
        (off / dense.iter().map(|x| x * x).sum::<f32>()).sqrt()
    };
    let (weights, plain) = (error(Quantizer::Rtn, None), error(Quantizer::Rtn, Some(8)));
    let smooth = error(Quantizer::SmoothQuant, Some(8));
    assert!(weights < plain, "rounding inputs changes something: {weights} and {plain}");
    assert!(smooth < 0.6 * plain, "smoothed {smooth}, not {plain}");
}

#[test]
fn what_is_rounded_is_kept_and_what_cannot_be_is_said() {
    let (rounding, kept) = compressed(Quantizer::Rtn, Some(8)).unwrap();
    assert!(rounding.rounds_inputs());
    assert!(matches!(kept, Compressed::Quantized { input_bits: Some(8), .. }));
    assert_eq!(rounding.num_params(), model().num_params());
    let (plain, kept) = compressed(Quantizer::Rtn, None).unwrap();
    assert!(!plain.rounds_inputs() && matches!(kept, Compressed::Quantized { input_bits: None, .. }));
    let error = |result: Result<(Llama, Compressed), ExperimentError>| result.map(|_| ()).unwrap_err().to_string();
    assert_eq!(error(compressed(Quantizer::Rtn, Some(9))), QuantError::Bits { bits: 9 }.to_string());
    // Queries alone of queries, keys and values, which read one input.
    let options = QuantizeOptions { activations: Some(8), ..QuantizeOptions::default() };
    let scheme = Scheme::new(8, true, Granularity::Channel).unwrap();
    let only = Selection::of(burn::module::ParamGroup::from_predicate("q_proj"));
    let queries =
        Compression::Quantize { quantizer: Quantizer::Rtn, scheme, options }.apply(model(), &only, &[], |_| ());
    assert_eq!(error(queries), QuantError::RoundedInputs.to_string());
}

#[test]
fn what_no_gradient_passes_does_not_train() {
    let (rounding, _) = compressed(Quantizer::Rtn, Some(8)).unwrap();
    assert!(matches!(check_trains(&Model::Llama(rounding)), Err(ExperimentError::NoGradient)));
    let (floats, _) = compressed(Quantizer::SmoothQuant, None).unwrap();
    check_trains(&Model::Llama(floats)).unwrap();
}
