//! Logistic regression with a random intercept per item.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::StatsError;
use crate::linear::Symmetric;
use crate::quadrature::{Node, gauss_hermite};

/// Newton steps before giving up.
const STEPS: usize = 100;
/// A log-odds coefficient beyond this means that a predictor separates right from wrong.
const SEPARATED: f64 = 15.0;

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The item; answers of one item share a random intercept.
    pub item: usize,
    /// Whether it is right.
    pub correct: bool,
    /// Predictors, as many as every other answer has; an intercept is one of them, if wanted.
    pub predictors: Vec<f64>,
}

/// A coefficient on the scale of log-odds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coefficient {
    /// The maximum-likelihood estimate.
    pub value: f64,
    /// Its standard error, from the observed information.
    pub standard_error: f64,
    /// Two-sided p-value of "is zero" (Wald).
    pub p: f64,
}

/// A fitted mixed-effects logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixedLogistic {
    /// One per predictor, in their order.
    pub coefficients: Vec<Coefficient>,
    /// Standard deviation of the items' intercepts.
    pub item_deviation: f64,
    /// The marginal log-likelihood at the maximum.
    pub log_likelihood: f64,
}

/// Fits P(correct | u) = logistic(x·β + σ u) with u ~ N(0, 1) per item by maximum marginal likelihood: adaptive
/// Gauss–Hermite quadrature with `nodes` points around each item's mode (Pinheiro and Bates 1995, "Approximations to
/// the log-likelihood function in the nonlinear mixed-effects model", J. Comput. Graph. Statist. 4), Newton steps with
/// gradient and information by the missing-information identities (Louis 1982, "Finding the observed information matrix
/// when using the EM algorithm", J. R. Statist. Soc. B 44). One node is Laplace's approximation, whose identities are
/// off; 9 or more agree with lme4's `nAGQ` to five digits.
///
/// # Errors
/// No answers, ragged or infinite predictors, fewer than 5 nodes, predictors that determine one another or separate
/// right from wrong.
pub fn mixed_logistic(answers: &[Answer], nodes: usize) -> Result<MixedLogistic, StatsError> {
    let model = Model::of(answers, nodes)?;
    let mut at = model.start();
    let mut here = model.evaluate(&at)?;
    for _ in 0..STEPS {
        let step = here.information.solve_damped(&here.gradient)?;
        let slope: f64 = step.iter().zip(&here.gradient).map(|(a, b)| a * b).sum();
        if slope < 1e-10 {
            return model.summary(&at, &here);
        }
        let Some((next, there)) = model.uphill(&at, &step, &here)? else {
            // No step gains more than rounding hides.
            return model.summary(&at, &here);
        };
        (at, here) = (next, there);
        if at[..model.predictors].iter().zip(&model.scales).any(|(b, scale)| (b * scale).abs() > SEPARATED) {
            let why = "a predictor separates right from wrong, or repeats another";
            return Err(StatsError::NotConverged { what: "mixed logistic regression", steps: STEPS, why });
        }
    }
    let why = "the likelihood is too flat";
    Err(StatsError::NotConverged { what: "mixed logistic regression", steps: STEPS, why })
}

/// The interaction of sparsity and difficulty: how much faster the log-odds of a right answer fall with sparsity for
/// each unit of difficulty. Negative where harder tasks suffer more.
///
/// `answers` has (item, correct, sparsity, difficulty); the model is correct ~ 1 + sparsity × difficulty + (1 | item).
/// Log-odds know no chance level: with few choices the curve flattens towards guessing and the interaction shrinks.
/// Beside [`super::relative_drop_slope`] it is a second view, not a replacement.
///
/// # Errors
/// Those of [`mixed_logistic`].
pub fn sparsity_by_difficulty(answers: &[(usize, bool, f64, f64)]) -> Result<SparsityByDifficulty, StatsError> {
    let mean = |of: fn(&(usize, bool, f64, f64)) -> f64| answers.iter().map(of).sum::<f64>() / answers.len() as f64;
    // Centred predictors make the information well conditioned and leave the interaction as it is.
    let (s, d) = (mean(|answer| answer.2), mean(|answer| answer.3));
    let row = |&(item, correct, sparsity, difficulty): &(usize, bool, f64, f64)| {
        let (x, y) = (sparsity - s, difficulty - d);
        Answer { item, correct, predictors: vec![1.0, x, y, x * y] }
    };
    let fit = mixed_logistic(&answers.iter().map(row).collect::<Vec<_>>(), 15)?;
    let [_, sparsity, difficulty, interaction] = fit.coefficients[..] else {
        return Err(StatsError::Empty { what: "mixed logistic regression".to_owned() });
    };
    Ok(SparsityByDifficulty {
        sparsity,
        difficulty,
        interaction,
        item_deviation: fit.item_deviation,
        log_likelihood: fit.log_likelihood,
    })
}

/// The result of [`sparsity_by_difficulty`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SparsityByDifficulty {
    /// Change of the log-odds per unit of sparsity, at the mean difficulty.
    pub sparsity: Coefficient,
    /// Change of the log-odds per unit of difficulty, at the mean sparsity.
    pub difficulty: Coefficient,
    /// Change of the slope over sparsity per unit of difficulty.
    pub interaction: Coefficient,
    /// Standard deviation of the items' intercepts.
    pub item_deviation: f64,
    /// The marginal log-likelihood at the maximum.
    pub log_likelihood: f64,
}

struct Model<'a> {
    items: Vec<Vec<&'a Answer>>,
    predictors: usize,
    /// Largest absolute value of each predictor.
    scales: Vec<f64>,
    nodes: Vec<Node>,
}

/// The marginal log-likelihood and its derivatives by (β, σ).
struct Evaluation {
    value: f64,
    gradient: Vec<f64>,
    information: Symmetric,
}

impl<'a> Model<'a> {
    fn of(answers: &'a [Answer], nodes: usize) -> Result<Self, StatsError> {
        let what = "answers of a mixed logistic regression";
        let first = answers.first().ok_or_else(|| StatsError::Empty { what: what.to_owned() })?;
        let predictors = first.predictors.len();
        StatsError::at_least("predictors of a mixed logistic regression", predictors, 1)?;
        StatsError::at_least("quadrature nodes", nodes, 5)?;
        let mut scales = vec![0.0_f64; predictors];
        let mut items = std::collections::BTreeMap::<usize, Vec<&Answer>>::new();
        for (row, answer) in answers.iter().enumerate() {
            let found = answer.predictors.len();
            if found != predictors {
                return Err(StatsError::Ragged { what: what.to_owned(), row, expected: predictors, found });
            }
            for (scale, &value) in scales.iter_mut().zip(&answer.predictors) {
                *scale = scale.max(StatsError::finite(&format!("predictor in row {row} of {what}"), value)?.abs());
            }
            items.entry(answer.item).or_default().push(answer);
        }
        Ok(Self { items: items.into_values().collect(), predictors, scales, nodes: gauss_hermite(nodes) })
    }

    /// No effects, intercepts that vary by one log-odd.
    fn start(&self) -> Vec<f64> {
        let mut start = vec![0.0; self.predictors];
        start.push(1.0);
        start
    }

    fn evaluate(&self, at: &[f64]) -> Result<Evaluation, StatsError> {
        let empty = || Evaluation { value: 0.0, gradient: vec![0.0; at.len()], information: Symmetric::zero(at.len()) };
        // Collected in order and summed on one thread: the sum does not depend on how the work was split.
        let parts: Vec<Evaluation> = self.items.par_iter().map(|item| self.item(item, at)).collect();
        let mut total = empty();
        for part in parts {
            total.value += part.value;
            total.gradient.iter_mut().zip(part.gradient).for_each(|(sum, g)| *sum += g);
            total.information.add(1.0, &part.information);
        }
        StatsError::finite("log-likelihood of a mixed logistic regression", total.value)?;
        Ok(total)
    }

    /// One item's part: expectations over its intercept given its answers.
    fn item(&self, answers: &[&Answer], at: &[f64]) -> Evaluation {
        let (beta, sigma) = (&at[..self.predictors], at[self.predictors]);
        let fixed: Vec<f64> = answers.iter().map(|answer| dot(&answer.predictors, beta)).collect();
        let (mode, spread) = mode(answers, &fixed, sigma);
        let log_weights: Vec<f64> = self
            .nodes
            .iter()
            .map(|node| {
                let z = mode + spread * node.at;
                // The density of z over that of the node, and the likelihood at z.
                let change = spread.ln() - z * z / 2.0 + node.at * node.at / 2.0;
                node.weight.ln() + change + log_likelihood(answers, &fixed, sigma * z)
            })
            .collect();
        let top = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = log_weights.iter().map(|w| (w - top).exp()).sum();
        let mut gradient = vec![0.0; at.len()];
        let mut information = Symmetric::zero(at.len());
        for (node, log_weight) in self.nodes.iter().zip(&log_weights) {
            let share = (log_weight - top).exp() / total;
            let z = mode + spread * node.at;
            let mut score = vec![0.0; at.len()];
            for (answer, eta) in answers.iter().zip(&fixed) {
                let p = logistic(eta + sigma * z);
                let mut row = answer.predictors.clone();
                row.push(z);
                let residual = f64::from(u8::from(answer.correct)) - p;
                score.iter_mut().zip(&row).for_each(|(sum, x)| *sum += residual * x);
                information.add_square(share * p * (1.0 - p), &row);
            }
            information.add_square(-share, &score);
            gradient.iter_mut().zip(&score).for_each(|(sum, s)| *sum += share * s);
        }
        information.add_square(1.0, &gradient);
        Evaluation { value: top + total.ln(), gradient, information }
    }

    /// The first of ever shorter steps that gains.
    fn uphill(
        &self,
        at: &[f64],
        step: &[f64],
        here: &Evaluation,
    ) -> Result<Option<(Vec<f64>, Evaluation)>, StatsError> {
        // Far steps overshoot where the curve is flat.
        let longest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
        let mut length = (5.0 / longest).min(1.0);
        for _ in 0..40 {
            let next: Vec<f64> = at.iter().zip(step).map(|(a, s)| a + length * s).collect();
            let there = self.evaluate(&next)?;
            if there.value > here.value {
                return Ok(Some((next, there)));
            }
            length /= 2.0;
        }
        Ok(None)
    }

    fn summary(&self, at: &[f64], here: &Evaluation) -> Result<MixedLogistic, StatsError> {
        let factor = here.information.cholesky().ok_or(StatsError::NotConverged {
            what: "mixed logistic regression",
            steps: STEPS,
            why: "the predictors determine one another",
        })?;
        let coefficient = |(&value, variance): (&f64, f64)| {
            let standard_error = variance.sqrt();
            let p = (2.0 * Normal::standard().sf((value / standard_error).abs())).min(1.0);
            Coefficient { value, standard_error, p }
        };
        let coefficients = at[..self.predictors].iter().zip(factor.inverse_diagonal()).map(coefficient).collect();
        let item_deviation = at[self.predictors].abs();
        Ok(MixedLogistic { coefficients, item_deviation, log_likelihood: here.value })
    }
}

/// Where the intercept's posterior is highest, and the deviation of the normal with its curvature. The log-posterior is
/// concave with curvature of at least 1: Newton steps of at most 1 arrive.
fn mode(answers: &[&Answer], fixed: &[f64], sigma: f64) -> (f64, f64) {
    let mut z = 0.0;
    let mut curvature = 1.0;
    for _ in 0..200 {
        let mut slope = -z;
        curvature = 1.0;
        for (answer, eta) in answers.iter().zip(fixed) {
            let p = logistic(eta + sigma * z);
            slope += sigma * (f64::from(u8::from(answer.correct)) - p);
            curvature += sigma * sigma * p * (1.0 - p);
        }
        let step = (slope / curvature).clamp(-1.0, 1.0);
        z += step;
        if step.abs() < 1e-10 {
            break;
        }
    }
    (z, 1.0 / curvature.sqrt())
}

fn log_likelihood(answers: &[&Answer], fixed: &[f64], intercept: f64) -> f64 {
    let one = |(answer, eta): (&&Answer, &f64)| {
        let x = eta + intercept;
        // ln logistic(±x) without overflow.
        let signed = if answer.correct { -x } else { x };
        -(signed.max(0.0) + (-signed.abs()).exp().ln_1p())
    };
    answers.iter().zip(fixed).map(one).sum()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
