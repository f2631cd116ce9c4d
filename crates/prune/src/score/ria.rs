use super::wanda::norms_of;
use super::{Score, WeightRef};
use crate::PruneError;
use std::collections::BTreeMap;
use std::ops::Range;

/// (|W_ij| / Σ_j |W_ij| + |W_ij| / Σ_i |W_ij|) · ‖X_j‖₂^a (Zhang et al. 2024, *Plug-and-Play: An Efficient Post-training
/// Pruning Method for Large Language Models*, equation 4): relative importance and activations. A weight that is small but
/// all that its input or output has is kept, so no channel is cut off.
#[derive(Debug, Clone, Default)]
pub struct Ria {
    known: BTreeMap<String, Known>,
}

/// Of one weight matrix.
#[derive(Debug, Clone)]
struct Known {
    /// 1 / Σ over the inputs of each output.
    per_output: Vec<f64>,
    /// 1 / Σ over the outputs of each input.
    per_input: Vec<f64>,
    /// ‖X_j‖₂^a.
    activations: Vec<f32>,
}

impl Ria {
    /// The paper's a.
    pub const EXPONENT: f32 = 0.5;

    /// From the weights that will be scored, the norm of each input over the calibration tokens, `[d_in]`, by parameter
    /// path, and the exponent a.
    ///
    /// # Errors
    /// [`PruneError::NoScore`] for a weight without norms, or with another number of them than inputs.
    pub fn new<'a>(
        weights: impl IntoIterator<Item = WeightRef<'a>>,
        norms: &BTreeMap<String, Vec<f32>>,
        exponent: f32,
    ) -> Result<Self, PruneError> {
        let known = |weight: WeightRef<'a>| {
            let norms = norms_of(norms, &weight, "ria")?;
            let activations = norms.iter().map(|norm| norm.powf(exponent)).collect();
            let (per_output, per_input) = inverse_sums(&weight);
            Ok((weight.path.to_owned(), Known { per_output, per_input, activations }))
        };
        Ok(Self { known: weights.into_iter().map(known).collect::<Result<_, _>>()? })
    }
}

/// Of magnitudes; 0 where all are zero, so that their relative importance is too. In double precision, for in single the
/// inverse of the smallest floats is infinite.
fn inverse_sums(weight: &WeightRef<'_>) -> (Vec<f64>, Vec<f64>) {
    let (mut rows, mut columns) = (vec![0f64; weight.d_out], vec![0f64; weight.d_in]);
    for (row, sum) in weight.values.chunks(weight.d_in.max(1)).zip(&mut rows) {
        for (w, column) in row.iter().zip(&mut columns) {
            let magnitude = f64::from(w.abs());
            *sum += magnitude;
            *column += magnitude;
        }
    }
    let invert = |sums: Vec<f64>| sums.iter().map(|&sum| if sum > 0.0 { 1.0 / sum } else { 0.0 }).collect();
    (invert(rows), invert(columns))
}

impl Score for Ria {
    fn name(&self) -> &'static str {
        "ria"
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let refused = || PruneError::NoScore {
            score: self.name(),
            path: weight.path.into(),
            reason: "its inputs were not observed".into(),
        };
        let known = self.known.get(weight.path).ok_or_else(refused)?;
        for (run, row) in weight.rows(range) {
            let per_output = known.per_output[row.output];
            let per_input = known.per_input[row.inputs.clone()].iter().zip(&known.activations[row.inputs]);
            let values = &weight.values[row.flat];
            for ((score, w), (per_input, activation)) in scores[run].iter_mut().zip(values).zip(per_input) {
                *score = (f64::from(w.abs()) * (per_output + per_input)) as f32 * activation;
            }
        }
        Ok(())
    }
}
