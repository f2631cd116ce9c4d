//! Inputs of linears in few bits.

use burn::tensor::Tensor;

/// Rounds each token's values, `[tokens, d]`, to symmetric codes of `bits` with one scale, set by the largest magnitude among
/// them as they come ("per-token dynamic"; Xiao et al. 2022, *SmoothQuant*, arXiv 2211.10438, section 3).
///
/// The codes are −2^(bits−1) … 2^(bits−1) − 1 and the scale is the largest magnitude over (2^bits − 1) / 2, as compressed-tensors
/// has it and so Transformers, with the same values for the same inputs; the paper's own code divides by 2^(bits−1) − 1. The
/// largest magnitude is thus half a step beyond the codes: where it is negative, on the tie between the two lowest, so that it
/// takes one or the other by the last bit of what computed it.
///
/// # Panics
/// If `bits` is not 2 to 8.
pub fn round_tokens(input: Tensor<2>, bits: u8) -> Tensor<2> {
    assert!((2..=8).contains(&bits), "codes of {bits} bits");
    let half = f32::from(1u8 << (bits - 1));
    // A token of zeros keeps them whatever its scale.
    let scales = input.clone().abs().max_dim(1).div_scalar(half - 0.5).clamp_min(f32::MIN_POSITIVE);
    (input / scales.clone()).round().clamp(-half, half - 1.0) * scales
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn values_are_codes_of_their_token() {
        let rows: Vec<f32> = (0..96).map(|i| (i as f32 * 1.7).sin() * if i < 48 { 3.0 } else { 0.01 }).collect();
        for bits in [2, 4, 8] {
            let input = Tensor::<2>::from_data(TensorData::new(rows.clone(), [2, 48]), &Device::flex());
            let rounded: Vec<f32> = round_tokens(input, bits).into_data().iter().collect();
            let half = f32::from(1u8 << (bits - 1));
            for (row, rounded) in rows.chunks(48).zip(rounded.chunks(48)) {
                let scale = row.iter().fold(0f32, |largest, x| largest.max(x.abs())) / (half - 0.5);
                for (x, r) in row.iter().zip(rounded) {
                    let code = r / scale;
                    assert!(
                        (code - code.round()).abs() < 1e-4 && (-half..half - 0.5).contains(&code.round()),
                        "{code}"
                    );
                    assert!((x - r).abs() <= scale * 0.5001, "{bits} bits: {x} became {r}");
                }
            }
        }
    }

    #[test]
    fn a_token_of_zeros_stays() {
        let zeros = round_tokens(Tensor::zeros([2, 5], &Device::flex()), 8);
        assert!(zeros.into_data().iter::<f32>().all(|value| value == 0.0));
    }
}
