use serde::{Deserialize, Serialize};

use crate::{Outcomes, StatsError, measure};

/// P(X ≥ observed) where X counts the right answers of a guesser: the exact one-sided test of "above chance".
///
/// The distribution is Poisson-binomial with success probabilities 1 / choices, by convolution in O(n²); with equal
/// numbers of choices this is the exact binomial test. A free answer cannot be guessed: one right answer is above chance.
///
/// # Errors
/// Those of [`Outcomes::check`].
pub fn p_above_chance(outcomes: &Outcomes) -> Result<f64, StatsError> {
    outcomes.check()?;
    let observed = outcomes.items.iter().filter(|item| item.correct).count();
    let mut probability = vec![1.0];
    for item in &outcomes.items {
        let chance = item.chance();
        probability.push(0.0);
        for count in (0..probability.len()).rev() {
            let one_less = if count == 0 { 0.0 } else { probability[count - 1] };
            probability[count] = probability[count] * (1.0 - chance) + one_less * chance;
        }
    }
    Ok(probability[observed..].iter().sum::<f64>().min(1.0))
}

/// Whether a variant can tell anything about a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The dense model is above chance and below the ceiling.
    Informative,
    /// The dense model is not significantly above chance: it cannot drop.
    Floor,
    /// The dense model makes (almost) no errors: its first losses are hidden.
    Ceiling,
}

/// Where floor and ceiling are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StandingRule {
    /// Above chance means p ≤ alpha in [`p_above_chance`].
    pub alpha: f64,
    /// At the ceiling means an accuracy of at least this.
    pub ceiling: f64,
}

impl Default for StandingRule {
    fn default() -> Self {
        Self { alpha: 0.05, ceiling: 0.99 }
    }
}

/// A variant's standing and the numbers behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandingTest {
    /// The decision.
    pub standing: Standing,
    /// Fraction right.
    pub accuracy: f64,
    /// p-value of the test against chance.
    pub p_above_chance: f64,
}

/// Tests the dense model's outcomes on one variant for floor and ceiling.
///
/// # Errors
/// Those of [`Outcomes::check`].
pub fn standing(dense: &Outcomes, rule: &StandingRule) -> Result<StandingTest, StatsError> {
    let accuracy = measure::accuracy(dense)?;
    let p_above_chance = p_above_chance(dense)?;
    let standing = if p_above_chance > rule.alpha {
        Standing::Floor
    } else if accuracy >= rule.ceiling {
        Standing::Ceiling
    } else {
        Standing::Informative
    };
    Ok(StandingTest { standing, accuracy, p_above_chance })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ItemOutcome;

    fn outcomes(right: usize, choices: &[usize]) -> Outcomes {
        let items = choices.iter().enumerate().map(|(i, &choices)| ItemOutcome {
            id: i.to_string(),
            correct: i < right,
            choices,
        });
        Outcomes { variant: "v".to_owned(), items: items.collect() }
    }

    #[test]
    fn agrees_with_scipy_binomtest() {
        // scipy.stats.binomtest(k, n, p, alternative="greater").pvalue
        let cases = [
            (14, 20, 2, 0.057_659_149_169_921_875),
            (30, 100, 4, 0.149_541_046_566_573_38),
            (7, 40, 4, 0.903_775_406_518_895),
            (0, 5, 2, 1.0),
        ];
        for (right, n, choices, expected) in cases {
            let found = p_above_chance(&outcomes(right, &vec![choices; n])).unwrap();
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn mixed_numbers_of_choices_multiply_out() {
        // Both right: 1/2 · 1/4; at least one: 1 − 1/2 · 3/4.
        assert_eq!(p_above_chance(&outcomes(2, &[2, 4])), Ok(0.125));
        assert_eq!(p_above_chance(&outcomes(1, &[2, 4])), Ok(0.625));
    }

    #[test]
    fn a_free_answer_is_no_guess() {
        assert_eq!(p_above_chance(&outcomes(0, &[0; 5])), Ok(1.0));
        assert_eq!(p_above_chance(&outcomes(1, &[0; 5])), Ok(0.0));
        assert_eq!(measure::score(&outcomes(2, &[0; 5])), Ok(0.4));
    }

    #[test]
    fn floor_ceiling_and_between() {
        let rule = StandingRule::default();
        let at = |right| standing(&outcomes(right, &[4; 40]), &rule).unwrap().standing;
        assert_eq!(at(12), Standing::Floor);
        assert_eq!(at(30), Standing::Informative);
        assert_eq!(at(40), Standing::Ceiling);
    }
}
