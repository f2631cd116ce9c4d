//! Pruning while training, by the prune crate's schedules.

use super::mask_tensors;
use burn::module::Module;
use burn::tensor::Tensor;
use junkdna_backend::{HostMatrix, Seed, device_of};
use junkdna_finetune::{Matrices, Pruning};
use junkdna_prune::{
    GradientMagnitude, Grow, LayerMask, Magnitude, Mask, PruneError, Pruner, Regrow, Schedule, Scope, Sparsity,
    next_mask,
};
use serde::{Deserialize, Serialize};
use std::error::Error;

/// How a model is pruned while it trains, always the smallest magnitudes first. In a recipe:
///
/// ```toml
/// [pruning]
/// method = "gradual"
/// schedule = { kind = "cubic", initial = 0.0, target = 0.8, start = 0, end = 300, frequency = 10 }
/// # scope = "layer"              # what competes; all matrices by default
/// ```
///
/// or
///
/// ```toml
/// [pruning]
/// method = "regrow"
/// sparsity = 0.8                 # before the first step, and for ever
/// move = { fraction = 0.3, frequency = 100, end = 750 }
/// grow = "random"                # SET; by default where gradients are largest (RigL)
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PruningPlan {
    /// More and more weights go.
    Gradual {
        /// How many at which step.
        schedule: Schedule,
        /// What competes.
        #[serde(default)]
        scope: Scope,
    },
    /// As many weights come back as go.
    Regrow {
        /// The share that is pruned at any time.
        sparsity: Sparsity,
        /// How many move at which step.
        #[serde(rename = "move")]
        regrow: Regrow,
        /// Which come back.
        #[serde(default)]
        grow: GrowBy,
        /// What competes before the first step; later each matrix keeps its count.
        #[serde(default)]
        scope: Scope,
    },
}

/// Which weights come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrowBy {
    /// Those with the largest gradient (RigL, Evci et al. 2020).
    #[default]
    Gradient,
    /// Any (SET, Mocanu et al. 2018).
    Random,
}

/// A [`PruningPlan`] in a run.
#[derive(Debug, Clone)]
pub struct PlannedPruning {
    plan: PruningPlan,
    seed: Seed,
}

impl PruningPlan {
    /// Cubic from nothing to this sparsity over the first two thirds of a run of so many steps, in at most 50 moves.
    ///
    /// # Errors
    /// A run too short for it.
    pub fn cubic(target: Sparsity, steps: usize) -> Result<Self, PruneError> {
        let end = steps * 2 / 3;
        let nothing = Sparsity::new(0.0)?;
        let ramp = junkdna_prune::Ramp::new(nothing, target, 0..=end, end.div_ceil(50).max(1))?;
        Ok(Self::Gradual { schedule: Schedule::Cubic(ramp), scope: Scope::default() })
    }

    /// For a run with this seed.
    pub fn with_seed(self, seed: Seed) -> PlannedPruning {
        PlannedPruning { plan: self, seed: seed.derive("regrow") }
    }
}

impl<M: Module> Pruning<M> for PlannedPruning {
    fn start(&mut self, module: &M) -> Result<Matrices, Box<dyn Error + Send + Sync>> {
        let (sparsity, scope) = match self.plan {
            PruningPlan::Gradual { scope, .. } => (Sparsity::new(0.0)?, scope),
            PruningPlan::Regrow { sparsity, scope, .. } => (sparsity, scope),
        };
        let mask = Pruner::new(Magnitude).with_scope(scope).mask(module, sparsity)?;
        Ok(mask_tensors(&mask, &device_of(module)))
    }

    fn changes(&self, step: usize) -> bool {
        match &self.plan {
            PruningPlan::Gradual { schedule, .. } => schedule.sparsity(step).is_some(),
            // The first masks have not trained yet.
            PruningPlan::Regrow { regrow, .. } => step > 0 && regrow.fraction(step).is_some(),
        }
    }

    fn needs_gradients(&self) -> bool {
        matches!(self.plan, PruningPlan::Regrow { grow: GrowBy::Gradient, .. })
    }

    fn masks(
        &mut self,
        step: usize,
        module: &M,
        now: &Matrices,
        gradients: &Matrices,
    ) -> Result<Matrices, Box<dyn Error + Send + Sync>> {
        let now = mask(now);
        let next = match &self.plan {
            PruningPlan::Gradual { schedule, scope } => match schedule.sparsity(step) {
                Some(target) => {
                    next_mask(&now, module, target, Magnitude, |score| Pruner::new(score).with_scope(*scope))?
                }
                None => now,
            },
            PruningPlan::Regrow { regrow, grow: GrowBy::Random, .. } => {
                regrow.update(step, module, &now, Grow::Random(self.seed))?.unwrap_or(now)
            }
            PruningPlan::Regrow { regrow, grow: GrowBy::Gradient, .. } => {
                let gradient = |path: &str| gradients.get(path).cloned().map(HostMatrix::from_weight);
                let score = GradientMagnitude::new(&now, gradient)?;
                regrow.update(step, module, &now, Grow::Largest(&score))?.unwrap_or(now)
            }
        };
        Ok(mask_tensors(&next, &device_of(module)))
    }

    fn is_final(&self, steps: usize) -> bool {
        match &self.plan {
            PruningPlan::Gradual { schedule, .. } => schedule.steps().last().is_none_or(|(last, _)| steps > last),
            PruningPlan::Regrow { .. } => true,
        }
    }
}

/// The mask of tensors of 1 for what stays, `[d_in, d_out]` each.
fn mask(tensors: &Matrices) -> Mask {
    let layer = |(path, tensor): (&String, &Tensor<2>)| {
        let [d_in, d_out] = tensor.dims();
        let kept: Vec<f32> = tensor.clone().into_data().iter().collect();
        (path.clone(), LayerMask::from_fn(d_out, d_in, |output, input| kept[input * d_out + output] != 0.0))
    };
    tensors.iter().map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn plans_are_read_from_recipes() {
        let text = "method = \"gradual\"\nschedule = { kind = \"cubic\", initial = 0.0, target = 0.8, start = 0, end = 30, frequency = 10 }\n";
        let plan: PruningPlan = toml::from_str(text).unwrap();
        assert_eq!(
            plan,
            PruningPlan::cubic(Sparsity::new(0.8).unwrap(), 45).map(|cubic| with_frequency(cubic, 10)).unwrap()
        );
        let text = "method = \"regrow\"\nsparsity = 0.8\nmove = { fraction = 0.3, frequency = 100, end = 750 }\n";
        let plan: PruningPlan = toml::from_str(text).unwrap();
        assert!(matches!(plan, PruningPlan::Regrow { grow: GrowBy::Gradient, scope: Scope::Global, .. }));
        for (wrong, words) in [
            ("method = \"gradual\"\n", "schedule"),
            ("method = \"sudden\"\n", "unknown variant"),
            ("method = \"regrow\"\nsparsity = 1.8\nmove = { fraction = 0.3, frequency = 1, end = 7 }\n", "1.8"),
            ("method = \"regrow\"\nsparsity = 0.8\nmove = { fraction = 3.0, frequency = 1, end = 7 }\n", "fraction"),
        ] {
            let message = toml::from_str::<PruningPlan>(wrong).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    fn with_frequency(plan: PruningPlan, frequency: usize) -> PruningPlan {
        let PruningPlan::Gradual { schedule: Schedule::Cubic(ramp), scope } = plan else { panic!("{plan:?}") };
        let ramp = junkdna_prune::Ramp::new(ramp.initial(), ramp.target(), ramp.start()..=ramp.end(), frequency);
        PruningPlan::Gradual { schedule: Schedule::Cubic(ramp.unwrap()), scope }
    }

    #[test]
    fn masks_go_to_tensors_and_back() {
        let layer = LayerMask::from_fn(3, 5, |output, input| (output * 7 + input * 3) % 4 != 0);
        let one: Mask = [("a.weight".to_owned(), layer)].into_iter().collect();
        assert_eq!(mask(&mask_tensors(&one, &Device::flex())), one);
    }
}
