use crate::{LayerMask, Mask, PruneError, Score, WeightRef};
use junkdna_backend::HostMatrix;
use std::collections::BTreeMap;
use std::ops::Range;

/// |∂L/∂w|: what RigL grows is where it is largest.
///
/// The gradient is that of all weights, also of those that are zero, which is just what an attached mask
/// ([`Mask::attach`]) stops: before a mask moves, take the gradient of the materialized module.
#[derive(Debug, Clone)]
pub struct GradientMagnitude {
    gradients: BTreeMap<String, HostMatrix>,
}

impl GradientMagnitude {
    const NAME: &'static str = "gradient magnitude";

    /// The gradients, `[d_out, d_in]` each, of the parameters that a mask names; asks once for each path.
    ///
    /// # Errors
    /// [`PruneError::NoScore`] for a parameter without gradient, [`PruneError::ShapeMismatch`] for one of another shape.
    pub fn new(mask: &Mask, gradient: impl Fn(&str) -> Option<HostMatrix>) -> Result<Self, PruneError> {
        let of = |(path, layer): (&String, &LayerMask)| {
            let gradient = gradient(path).ok_or_else(|| missing(path))?;
            let found = [gradient.d_out(), gradient.d_in()];
            if found != layer.shape() {
                return Err(PruneError::ShapeMismatch { path: path.clone(), expected: layer.shape(), found });
            }
            Ok((path.clone(), gradient))
        };
        Ok(Self { gradients: mask.layers().iter().map(of).collect::<Result<_, _>>()? })
    }
}

impl Score for GradientMagnitude {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn score(&self, weight: &WeightRef<'_>, range: Range<usize>, scores: &mut [f32]) -> Result<(), PruneError> {
        let gradient = self.gradients.get(weight.path).ok_or_else(|| missing(weight.path))?;
        let gradient = gradient.as_slice().get(range).ok_or_else(|| missing(weight.path))?;
        for (score, g) in scores.iter_mut().zip(gradient) {
            *score = g.abs();
        }
        Ok(())
    }
}

fn missing(path: &str) -> PruneError {
    let reason = "no gradient was given for its weights".into();
    PruneError::NoScore { score: GradientMagnitude::NAME, path: path.into(), reason }
}
