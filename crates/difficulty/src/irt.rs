//! Item-level difficulty: a two-parameter logistic response model over the compressed models' answers.
//!
//! Every model has an ability, every item a difficulty and a discrimination; items that only the least damaged models
//! still get right are hard. This draws the spectrum of difficulty inside one data set, with no knob turned.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linear::Symmetric;
use crate::quadrature::{Node, gauss_hermite};
use crate::{Outcomes, StatsError};

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemResponseConfig {
    /// Points of the ability distribution N(0, 1), at least 11.
    pub nodes: usize,
    /// Standard deviation of the prior of difficulties, whose mean is 0.
    pub difficulty_deviation: f64,
    /// Standard deviation of the prior of log discriminations, whose mean is 0.
    pub discrimination_deviation: f64,
    /// Largest change of a parameter at which the fit ends.
    pub tolerance: f64,
    /// Steps before giving up.
    pub steps: usize,
}

impl Default for ItemResponseConfig {
    fn default() -> Self {
        Self { nodes: 41, difficulty_deviation: 2.0, discrimination_deviation: 0.5, tolerance: 1e-4, steps: 2000 }
    }
}

/// What makes an item hard: P(correct | ability θ) = logistic(discrimination · (θ − difficulty)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ItemParameters {
    /// The ability at which the answer is right half of the time.
    pub difficulty: f64,
    /// The slope at that ability, above 0.
    pub discrimination: f64,
}

/// A model's place on the items' scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ability {
    /// Posterior mean; 0 is an average model.
    pub value: f64,
    /// Posterior standard deviation.
    pub deviation: f64,
}

/// A fitted item response model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemResponse {
    /// One per item.
    pub items: Vec<ItemParameters>,
    /// One per model.
    pub abilities: Vec<Ability>,
    /// Marginal log-likelihood, without the priors.
    pub log_likelihood: f64,
    /// Steps taken.
    pub steps: usize,
}

/// Fits the two-parameter logistic model (Birnbaum 1968) to `answers`, `[models][items]`, none where a model did not
/// answer.
///
/// Marginal maximum likelihood by EM over abilities with Gauss–Hermite quadrature (Bock and Aitkin 1981, "Marginal
/// maximum likelihood estimation of item parameters: application of an EM algorithm", Psychometrika 46), with normal
/// priors on difficulty and log discrimination (Mislevy 1986, "Bayes modal estimation in item response models",
/// Psychometrika 51), weak ones: an item that every model has right or wrong stays finite, and with ten models no
/// item's slope runs away. The sign is fixed by discriminations above 0, scale and origin by the abilities' N(0, 1).
///
/// # Errors
/// Fewer than two models, no items, rows of different lengths, settings out of range, no convergence.
pub fn item_response(answers: &[Vec<Option<bool>>], config: &ItemResponseConfig) -> Result<ItemResponse, StatsError> {
    config.check()?;
    let width = check(answers)?;
    let nodes = gauss_hermite(config.nodes);
    let mut items = vec![ItemParameters { difficulty: 0.0, discrimination: 1.0 }; width];
    for step in 1..=config.steps {
        let posteriors = posteriors(answers, &items, &nodes);
        let improve = |(at, item): (usize, &ItemParameters)| {
            expected_counts(answers, &posteriors, at).maximize(item, &nodes, config)
        };
        let next = items.par_iter().enumerate().map(improve).collect::<Result<Vec<_>, _>>()?;
        let change = items.iter().zip(&next).map(|(old, new)| old.distance(new)).fold(0.0, f64::max);
        items = next;
        if change < config.tolerance {
            return Ok(summary(answers, items, &nodes, step));
        }
    }
    let why = "the answers tell too little; fewer items or narrower priors would";
    Err(StatsError::NotConverged { what: "item response model", steps: config.steps, why })
}

/// The answers of several models, `[models][items]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerTable {
    /// Ids of the items, in order of first appearance.
    pub ids: Vec<String>,
    /// For [`item_response`].
    pub answers: Vec<Vec<Option<bool>>>,
}

/// Joins models by item: the dense and the compressed models on one variant. A model may lack items.
///
/// # Errors
/// Those of [`Outcomes::check`].
pub fn answer_table(models: &[&Outcomes]) -> Result<AnswerTable, StatsError> {
    let mut ids: Vec<String> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for model in models {
        model.check()?;
        for item in &model.items {
            places.entry(item.id.as_str()).or_insert_with(|| {
                ids.push(item.id.clone());
                ids.len() - 1
            });
        }
    }
    let row = |model: &&Outcomes| {
        let mut row = vec![None; ids.len()];
        model.items.iter().for_each(|item| row[places[item.id.as_str()]] = Some(item.correct));
        row
    };
    let answers = models.iter().map(row).collect();
    Ok(AnswerTable { ids, answers })
}

impl ItemResponseConfig {
    fn check(&self) -> Result<(), StatsError> {
        StatsError::at_least("nodes", self.nodes, 11)?;
        StatsError::at_least("steps", self.steps, 1)?;
        StatsError::positive("difficulty_deviation", self.difficulty_deviation)?;
        StatsError::positive("discrimination_deviation", self.discrimination_deviation)?;
        StatsError::positive("tolerance", self.tolerance).map(drop)
    }
}

impl ItemParameters {
    fn distance(&self, other: &Self) -> f64 {
        let discriminations = (self.discrimination / other.discrimination).ln().abs();
        (self.difficulty - other.difficulty).abs().max(discriminations)
    }

    fn log_odds(&self, ability: f64) -> f64 {
        self.discrimination * (ability - self.difficulty)
    }
}

fn check(answers: &[Vec<Option<bool>>]) -> Result<usize, StatsError> {
    StatsError::at_least("models of an item response model", answers.len(), 2)?;
    let expected = answers[0].len();
    StatsError::at_least("items of an item response model", expected, 1)?;
    for (row, model) in answers.iter().enumerate() {
        if model.len() != expected {
            let what = "answers of an item response model".to_owned();
            return Err(StatsError::Ragged { what, row, expected, found: model.len() });
        }
    }
    Ok(expected)
}

/// A model's ability given its answers: a probability per node, and ln P(answers).
struct Posterior {
    shares: Vec<f64>,
    log_likelihood: f64,
}

/// The E step.
fn posteriors(answers: &[Vec<Option<bool>>], items: &[ItemParameters], nodes: &[Node]) -> Vec<Posterior> {
    let of = |model: &Vec<Option<bool>>| {
        let log = |node: &Node| {
            let known = model.iter().zip(items).filter_map(|(answer, item)| answer.map(|correct| (correct, item)));
            let terms = known.map(|(correct, item)| {
                let x = item.log_odds(node.at);
                ln_logistic(if correct { x } else { -x })
            });
            node.weight.ln() + terms.sum::<f64>()
        };
        let logs: Vec<f64> = nodes.iter().map(log).collect();
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|log| (log - top).exp()).sum();
        let shares = logs.iter().map(|log| (log - top).exp() / total).collect();
        Posterior { shares, log_likelihood: top + total.ln() }
    };
    answers.par_iter().map(of).collect()
}

/// Expected numbers of models at each node: all that answered the item, and those that had it right.
struct Counts {
    asked: Vec<f64>,
    right: Vec<f64>,
}

fn expected_counts(answers: &[Vec<Option<bool>>], posteriors: &[Posterior], item: usize) -> Counts {
    let width = posteriors[0].shares.len();
    let mut counts = Counts { asked: vec![0.0; width], right: vec![0.0; width] };
    for (model, posterior) in answers.iter().zip(posteriors) {
        let Some(correct) = model[item] else { continue };
        let right = f64::from(u8::from(correct));
        for (node, share) in posterior.shares.iter().enumerate() {
            counts.asked[node] += share;
            counts.right[node] += right * share;
        }
    }
    counts
}

impl Counts {
    /// The M step of one item: Fisher scoring over (difficulty, ln discrimination), each step one that gains.
    fn maximize(
        &self,
        start: &ItemParameters,
        nodes: &[Node],
        config: &ItemResponseConfig,
    ) -> Result<ItemParameters, StatsError> {
        let mut item = *start;
        let mut value = self.objective(&item, nodes, config);
        for _ in 0..20 {
            let (gradient, information) = self.derivatives(&item, nodes, config);
            let step = information.solve_damped(&gradient)?;
            let Some((next, gained)) = self.uphill(&item, value, &step, nodes, config) else { break };
            let moved = item.distance(&next);
            (item, value) = (next, gained);
            if moved < config.tolerance / 10.0 {
                break;
            }
        }
        Ok(item)
    }

    fn uphill(
        &self,
        item: &ItemParameters,
        value: f64,
        step: &[f64],
        nodes: &[Node],
        config: &ItemResponseConfig,
    ) -> Option<(ItemParameters, f64)> {
        let halves = (0..30).map(|halvings| 0.5_f64.powi(halvings));
        let mut candidates = halves.map(|length| {
            let next = ItemParameters {
                difficulty: item.difficulty + length * step[0].clamp(-2.0, 2.0),
                discrimination: item.discrimination * (length * step[1].clamp(-1.0, 1.0)).exp(),
            };
            (next, self.objective(&next, nodes, config))
        });
        candidates.find(|(_, gained)| *gained > value)
    }

    /// Expected log-likelihood plus log-prior.
    fn objective(&self, item: &ItemParameters, nodes: &[Node], config: &ItemResponseConfig) -> f64 {
        let rows = nodes.iter().zip(&self.asked).zip(&self.right);
        let likelihood = rows.map(|((node, asked), right)| {
            let x = item.log_odds(node.at);
            right * ln_logistic(x) + (asked - right) * ln_logistic(-x)
        });
        let difficulty = item.difficulty / config.difficulty_deviation;
        let discrimination = item.discrimination.ln() / config.discrimination_deviation;
        likelihood.sum::<f64>() - f64::midpoint(difficulty.powi(2), discrimination.powi(2))
    }

    /// Gradient and expected information of [`Counts::objective`].
    fn derivatives(&self, item: &ItemParameters, nodes: &[Node], config: &ItemResponseConfig) -> (Vec<f64>, Symmetric) {
        let precisions = [config.difficulty_deviation, config.discrimination_deviation].map(|d| d.powi(-2));
        let mut gradient = vec![-item.difficulty * precisions[0], -item.discrimination.ln() * precisions[1]];
        let mut information = Symmetric::zero(2);
        (0..2).for_each(|at| information.add_diagonal(at, precisions[at]));
        for ((node, asked), right) in nodes.iter().zip(&self.asked).zip(&self.right) {
            let x = item.log_odds(node.at);
            let p = ln_logistic(x).exp();
            // Derivatives of the log-odds by difficulty and by ln discrimination.
            let row = [-item.discrimination, x];
            gradient.iter_mut().zip(row).for_each(|(sum, d)| *sum += (right - asked * p) * d);
            information.add_square(asked * p * (1.0 - p), &row);
        }
        (gradient, information)
    }
}

fn summary(answers: &[Vec<Option<bool>>], items: Vec<ItemParameters>, nodes: &[Node], steps: usize) -> ItemResponse {
    let posteriors = posteriors(answers, &items, nodes);
    let ability = |posterior: &Posterior| {
        let moment = |power: i32| -> f64 {
            posterior.shares.iter().zip(nodes).map(|(share, node)| share * node.at.powi(power)).sum()
        };
        let value = moment(1);
        Ability { value, deviation: (moment(2) - value * value).max(0.0).sqrt() }
    };
    ItemResponse {
        abilities: posteriors.iter().map(ability).collect(),
        log_likelihood: posteriors.iter().map(|posterior| posterior.log_likelihood).sum(),
        items,
        steps,
    }
}

/// ln logistic(x), without overflow.
fn ln_logistic(x: f64) -> f64 {
    -((-x).max(0.0) + (-x.abs()).exp().ln_1p())
}
