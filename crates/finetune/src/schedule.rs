//! Learning rates over a run.

use serde::{Deserialize, Serialize};

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// In a line to zero.
    #[default]
    Linear,
    /// Along half a cosine to zero.
    Cosine,
    /// Not at all.
    Constant,
}

/// Learning rates of every step; the numbers of Transformers' schedulers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps over which the rate rises from zero.
    pub warmup: usize,
    /// Steps in all.
    pub steps: usize,
    /// The way down.
    pub decay: Decay,
}

impl Schedule {
    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let share = (step - self.warmup) as f64 / (self.steps.saturating_sub(self.warmup)).max(1) as f64;
        self.peak
            * match self.decay {
                Decay::Linear => (1.0 - share).max(0.0),
                Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos()),
                Decay::Constant => 1.0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(decay: Decay) -> Vec<f64> {
        let schedule = Schedule { peak: 1.0, warmup: 2, steps: 6, decay };
        (0..7).map(|step| schedule.rate(step)).collect()
    }

    #[test]
    fn rates_are_those_of_transformers() {
        assert_eq!(rates(Decay::Linear), [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]);
        assert_eq!(rates(Decay::Constant), [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let cosine = rates(Decay::Cosine);
        assert_eq!(&cosine[..3], [0.0, 0.5, 1.0]);
        assert!((cosine[3] - 0.853_553_390_593_273_7).abs() < 1e-15 && cosine[6] == 0.0);
    }

    #[test]
    fn no_steps_after_the_warm_up_is_no_division_by_zero() {
        assert_eq!(Schedule { peak: 1.0, warmup: 3, steps: 3, decay: Decay::Linear }.rate(3), 1.0);
    }
}
