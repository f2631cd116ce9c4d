//! Frequencies of the rotary embedding.

use crate::config::{LlamaConfig, RopeScaling};
use std::f64::consts::TAU;

/// One angle per position step and pair of dimensions, `[head_dim / 2]`.
pub(super) fn inverse_frequencies(config: &LlamaConfig) -> Vec<f32> {
    let dim = config.head_dim as f64;
    let trained = (0..config.head_dim / 2).map(|i| config.rope_theta.powf(-2.0 * i as f64 / dim));
    trained.map(|frequency| scaled(frequency, config.rope_scaling) as f32).collect()
}

fn scaled(frequency: f64, scaling: RopeScaling) -> f64 {
    match scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
            // How many periods fit into the context of pre-training.
            let periods = original_max_position_embeddings as f64 * frequency / TAU;
            let kept = ((periods - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            kept * frequency + (1.0 - kept) * frequency / factor
        }
    }
}
