//! Attention heads and channels of which nothing is left, taken out of a model.
//!
//! A mask leaves a model as large as it was. Where whole channels or heads are zero the model without them computes the
//! same, up to the rounding of sums, with smaller matrices. Formats know one size for all layers: the layer that needs most
//! decides, and the others keep some that are zero.

use crate::{Bert, Llama, Model};
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Int, Tensor, TensorData};
use junkdna_backend::HostMatrix;

impl Model {
    /// The same function with less: see [`Llama::shrink`] and [`Bert::shrink`].
    pub fn shrink(self) -> Self {
        match self {
            Self::Llama(model) => Self::Llama(model.shrink()),
            Self::Bert(model) => Self::Bert(model.shrink()),
        }
    }
}

impl Llama {
    /// Without the channels of the feed-forward layers and the attention heads that are zero for every input.
    ///
    /// A channel is dead where all weights of `gate_proj` or of `up_proj` that make it are zero, or all of `down_proj` that
    /// read it; a query head where `o_proj` reads nothing of it, or `v_proj` gives it nothing. Key and value heads go with
    /// the last of their query heads.
    pub fn shrink(mut self) -> Self {
        let dead: Vec<Vec<bool>> = self
            .model
            .layers
            .iter()
            .map(|block| any([silent(&block.mlp.gate_proj), silent(&block.mlp.up_proj), unread(&block.mlp.down_proj)]))
            .collect();
        let channels = most_alive(&dead);
        let heads: Vec<Vec<Vec<bool>>> = self.model.layers.iter().map(|block| self.dead_heads(block)).collect();
        let dead_groups: Vec<Vec<bool>> =
            heads.iter().map(|groups| groups.iter().map(|heads| heads.iter().all(|&dead| dead)).collect()).collect();
        let groups = most_alive(&dead_groups);
        let heads_of_group = most_alive(&heads.concat());

        let dim = self.config().head_dim;
        let of_group = self.config().num_attention_heads / self.config().num_key_value_heads;
        for (layer, block) in self.model.layers.iter_mut().enumerate() {
            let stay = first_alive(&dead[layer], channels);
            block.mlp.gate_proj = with_outputs(&block.mlp.gate_proj, &stay);
            block.mlp.up_proj = with_outputs(&block.mlp.up_proj, &stay);
            block.mlp.down_proj = with_inputs(&block.mlp.down_proj, &stay);
            let key_values = first_alive(&dead_groups[layer], groups);
            let of = |&group: &usize| {
                let stay = first_alive(&heads[layer][group], heads_of_group);
                stay.into_iter().map(move |head| group * of_group + head)
            };
            let queries = spread(&key_values.iter().flat_map(of).collect::<Vec<_>>(), dim);
            let key_values = spread(&key_values, dim);
            let attention = &mut block.self_attn;
            attention.q_proj = with_outputs(&attention.q_proj, &queries);
            attention.k_proj = with_outputs(&attention.k_proj, &key_values);
            attention.v_proj = with_outputs(&attention.v_proj, &key_values);
            attention.o_proj = with_inputs(&attention.o_proj, &queries);
        }
        self.resized(channels, groups * heads_of_group, groups)
    }

    /// Of each key-value head, which of its query heads give nothing.
    fn dead_heads(&self, block: &crate::llama::Block) -> Vec<Vec<bool>> {
        let config = self.config();
        let whole = |dims: Vec<bool>| -> Vec<bool> {
            dims.chunks(config.head_dim).map(|head| head.iter().all(|&dead| dead)).collect()
        };
        let (unread, silent) = (whole(unread(&block.self_attn.o_proj)), whole(silent(&block.self_attn.v_proj)));
        let of_group = config.num_attention_heads / config.num_key_value_heads;
        let groups = unread.chunks(of_group).zip(silent);
        groups.map(|(heads, silent)| heads.iter().map(|&unread| unread || silent).collect()).collect()
    }
}

impl Bert {
    /// Without the channels of the feed-forward layers that are zero for every input. Heads stay: the format derives the
    /// width of a head from their number.
    pub fn shrink(mut self) -> Self {
        let layers = self.encoder.layer.iter();
        let dead: Vec<Vec<bool>> =
            layers.map(|layer| any([silent(&layer.intermediate.dense), unread(&layer.output.dense)])).collect();
        let channels = most_alive(&dead);
        for (layer, dead) in self.encoder.layer.iter_mut().zip(&dead) {
            let stay = first_alive(dead, channels);
            layer.intermediate.dense = with_outputs(&layer.intermediate.dense, &stay);
            layer.output.dense = with_inputs(&layer.output.dense, &stay);
        }
        self.resized(channels)
    }
}

/// Outputs that are zero whatever comes in: no weight and no bias.
fn silent(linear: &Linear) -> Vec<bool> {
    let weights = HostMatrix::from_weight(linear.weight.val());
    let bias: Option<Vec<f32>> =
        linear.bias.as_ref().map(|bias| bias.val().into_data().convert::<f32>().iter::<f32>().collect());
    let is_zero = |output: usize| {
        weights.row(output).iter().all(|&w| w == 0.0) && bias.as_ref().is_none_or(|bias| bias[output] == 0.0)
    };
    (0..weights.d_out()).map(is_zero).collect()
}

/// Inputs that no output reads.
fn unread(linear: &Linear) -> Vec<bool> {
    let weights = HostMatrix::from_weight(linear.weight.val());
    let mut unread = vec![true; weights.d_in()];
    for row in weights.as_slice().chunks(weights.d_in().max(1)) {
        unread.iter_mut().zip(row).for_each(|(unread, &w)| *unread &= w == 0.0);
    }
    unread
}

fn any<const N: usize>(reasons: [Vec<bool>; N]) -> Vec<bool> {
    let units = reasons.first().map_or(0, Vec::len);
    (0..units).map(|unit| reasons.iter().any(|dead| dead[unit])).collect()
}

/// How many are alive where most are; at least 1, for no format has layers of width 0.
fn most_alive(dead: &[Vec<bool>]) -> usize {
    let alive = dead.iter().map(|dead| dead.iter().filter(|&&dead| !dead).count());
    alive.max().unwrap_or(0).max(1)
}

/// All that are alive, and as many dead ones as it takes to be `count`, in their order.
fn first_alive(dead: &[bool], count: usize) -> Vec<usize> {
    let mut units: Vec<usize> = (0..dead.len()).collect();
    units.sort_by_key(|&unit| dead[unit]);
    units.truncate(count);
    units.sort_unstable();
    units
}

/// The dimensions of heads.
fn spread(heads: &[usize], dim: usize) -> Vec<usize> {
    heads.iter().flat_map(|head| head * dim..(head + 1) * dim).collect()
}

fn with_outputs(linear: &Linear, outputs: &[usize]) -> Linear {
    let indices = indices(outputs, linear);
    Linear {
        weight: rows(&linear.weight, |rows| rows.select(0, indices.clone())),
        bias: linear.bias.as_ref().map(|bias| bias.clone().map(|bias| bias.select(0, indices.clone()))),
    }
}

fn with_inputs(linear: &Linear, inputs: &[usize]) -> Linear {
    let indices = indices(inputs, linear);
    Linear { weight: rows(&linear.weight, |rows| rows.select(1, indices)), bias: linear.bias.clone() }
}

/// Changes a weight as PyTorch's layout has it, `[d_out, d_in]`: contiguous so, it multiplies fastest.
fn rows(weight: &Param<Tensor<2>>, change: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Param<Tensor<2>> {
    weight.clone().map(|weight| change(weight.transpose()).transpose())
}

fn indices(units: &[usize], linear: &Linear) -> Tensor<1, Int> {
    let units: Vec<i64> = units.iter().map(|&unit| unit as i64).collect();
    let count = units.len();
    Tensor::from_data(TensorData::new(units, [count]), &linear.weight.val().device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llama::tests::llama;
    use burn::module::Module;
    use burn::tensor::{Device, Tolerance};
    use junkdna_backend::{CausalLm, KeyValues, TokenTree};
    use proptest::prelude::*;

    fn logits(model: &Llama) -> burn::tensor::TensorData {
        let tree = TokenTree::sequence(&[1, 5, 2, 7, 10, 3], 0);
        model.head(model.forward(&tree, &KeyValues::default()).0).into_data()
    }

    /// Changes the weights, `[d_out, d_in]`, of which `go(output, input)` is true to zero.
    fn zero(linear: &mut Linear, go: impl Fn(usize, usize) -> bool) {
        let matrix = HostMatrix::from_weight(linear.weight.val());
        let (d_out, d_in, device) = (matrix.d_out(), matrix.d_in(), linear.weight.val().device());
        let weights = matrix.as_slice().iter().enumerate();
        let values = weights.map(|(i, &w)| if go(i / d_in, i % d_in) { 0.0 } else { w }).collect();
        linear.weight = linear.weight.clone().map(|_| HostMatrix::new(values, d_out, d_in).into_weight(&device));
    }

    fn silence(linear: &mut Linear, outputs: &[usize]) {
        zero(linear, |output, _| outputs.contains(&output));
    }

    fn ignore(linear: &mut Linear, inputs: &[usize]) {
        zero(linear, |_, input| inputs.contains(&input));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_shrunk_model_computes_the_same(
            gate in prop::collection::vec(0usize..10, 0..6), up in prop::collection::vec(0usize..10, 0..6),
            down in prop::collection::vec(0usize..10, 0..10), unread in prop::collection::vec(0usize..6, 0..7),
            silent in prop::collection::vec(0usize..3, 0..3), both_layers: bool,
        ) {
            let mut model = llama(&Device::flex());
            let layers = if both_layers { 2 } else { 1 };
            for block in &mut model.model.layers[..layers] {
                silence(&mut block.mlp.gate_proj, &gate);
                silence(&mut block.mlp.up_proj, &up);
                ignore(&mut block.mlp.down_proj, &down);
                ignore(&mut block.self_attn.o_proj, &spread(&unread, 4));
                silence(&mut block.self_attn.v_proj, &spread(&silent, 4));
            }
            let shrunk = model.clone().shrink();
            logits(&shrunk).assert_approx_eq::<f32>(&logits(&model), Tolerance::absolute(1e-5));
            let dead: std::collections::BTreeSet<usize> = [gate, up, down].concat().into_iter().collect();
            let channels = if both_layers { (10 - dead.len()).max(1) } else { 10 };
            prop_assert_eq!(shrunk.config().intermediate_size, channels);
            prop_assert!(shrunk.num_params() <= model.num_params());
            prop_assert!(both_layers || shrunk.num_params() == model.num_params());
        }
    }

    #[test]
    fn heads_go_one_from_each_group_or_a_group_at_a_time() {
        let mut model = llama(&Device::flex());
        for (layer, block) in model.model.layers.iter_mut().enumerate() {
            // In one layer the first of each group, in the other the second.
            ignore(&mut block.self_attn.o_proj, &spread(&[layer, 2 + layer, 4 + layer], 4));
        }
        let halved = model.clone().shrink();
        assert_eq!((halved.config().num_attention_heads, halved.config().num_key_value_heads), (3, 3));
        logits(&halved).assert_approx_eq::<f32>(&logits(&model), Tolerance::absolute(1e-5));

        let mut model = llama(&Device::flex());
        for (layer, block) in model.model.layers.iter_mut().enumerate() {
            silence(&mut block.self_attn.v_proj, &spread(&[2 * layer], 4));
        }
        let without_a_group = model.clone().shrink();
        assert_eq!(
            (without_a_group.config().num_attention_heads, without_a_group.config().num_key_value_heads),
            (4, 2)
        );
        logits(&without_a_group).assert_approx_eq::<f32>(&logits(&model), Tolerance::absolute(1e-5));
    }
}
