use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Compression, FamilyLevels, ItemOutcome, Outcomes, Series, SizeMatch, StatsError, Study};

/// A compression whose relative drops are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedCompression {
    /// Its kind.
    pub series: Series,
    /// Its strength.
    pub strength: f64,
    /// Expected relative drop at each level, easiest first, 0 to 1.
    pub drops: Vec<f64>,
    /// Number of models of this kind and strength, that differ in their seed.
    pub seeds: usize,
}

/// A study whose truth is known, to be simulated.
///
/// A model *knows* an item or guesses it. The dense model knows an item of level j with probability `dense[j]`, which
/// is its expected chance-corrected score there; a compressed model loses what it knew with probability `drops[j]`, its
/// expected relative drop. Base items have an ability and a frailty of their own, which tie their levels, and the
/// compressed models, to one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedStudy {
    /// Families of graded variants, all alike.
    pub families: usize,
    /// Base items per family.
    pub items: usize,
    /// Choices of each item.
    pub choices: usize,
    /// Expected chance-corrected dense score at each level, easiest first, 0 to 1.
    pub dense: Vec<f64>,
    /// The compressed models.
    pub compressions: Vec<PlantedCompression>,
    /// Pairs (pruned, quantized) of equal size, indices into `compressions`; seed by seed.
    pub matches: Vec<(usize, usize)>,
    /// Probability that what decides whether an item is known is the base item's, and not a level's own.
    pub shared_ability: f64,
    /// Probability that what decides whether an item is lost is the base item's, and not a model's own.
    pub shared_frailty: f64,
    /// Probability that a compressed model guesses an item as the dense model does.
    pub guess_survives: f64,
    /// Standard deviation of a model's own addition to its drop at each level: what one seed differs from another.
    pub seed_deviation: f64,
}

/// What is assumed of a study before it is run: pruning by magnitude at several sparsities, on one graded family or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssumedOrdering {
    /// Families of graded variants.
    pub families: usize,
    /// Base items per family.
    pub items: usize,
    /// Choices of each item.
    pub choices: usize,
    /// Chance-corrected dense score at each level, easiest first; a pilot run of the dense model tells it.
    pub dense: Vec<f64>,
    /// Sparsities, all above 0.
    pub sparsities: Vec<f64>,
    /// Models of each sparsity.
    pub seeds: usize,
    /// Mean relative drop over levels and sparsities.
    pub mean_drop: f64,
    /// Relative drop at the hardest minus at the easiest level, mean over sparsities: what is to be found.
    pub effect: f64,
}

impl AssumedOrdering {
    /// The study in which the drop is mean + effect × (difficulty − ½), with difficulty from 0 to 1, and proportional to
    /// sparsity. How much items share is not known before a run: half of what decides is the base item's, and six of ten
    /// guesses survive compression.
    ///
    /// # Errors
    /// No sparsities, one that is not above 0, a drop that leaves 0 to 1; those of [`PlantedStudy::check`].
    pub fn plant(&self) -> Result<PlantedStudy, StatsError> {
        StatsError::at_least("sparsities", self.sparsities.len(), 1)?;
        let mean = self.sparsities.iter().sum::<f64>() / self.sparsities.len() as f64;
        let steps = self.dense.len().saturating_sub(1).max(1) as f64;
        let compression = |&sparsity: &f64| {
            StatsError::positive("sparsity", sparsity)?;
            let drop = |level: usize| (self.mean_drop + self.effect * (level as f64 / steps - 0.5)) * sparsity / mean;
            let drops = (0..self.dense.len()).map(drop).collect();
            Ok(PlantedCompression { series: Series::Magnitude, strength: sparsity, drops, seeds: self.seeds })
        };
        let planted = PlantedStudy {
            families: self.families,
            items: self.items,
            choices: self.choices,
            dense: self.dense.clone(),
            compressions: self.sparsities.iter().map(compression).collect::<Result<_, _>>()?,
            matches: Vec::new(),
            shared_ability: 0.5,
            shared_frailty: 0.5,
            guess_survives: 0.6,
            seed_deviation: 0.0,
        };
        planted.check()?;
        Ok(planted)
    }
}

impl PlantedStudy {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`StatsError`] naming the field.
    pub fn check(&self) -> Result<(), StatsError> {
        let unit = |what: &str, value: f64| StatsError::within(what, value, 0.0..=1.0, "0 to 1").map(drop);
        StatsError::at_least("planted families", self.families, 1)?;
        StatsError::at_least("planted items", self.items, 1)?;
        StatsError::at_least("planted choices", self.choices, 2)?;
        StatsError::at_least("planted levels", self.dense.len(), 1)?;
        self.dense.iter().try_for_each(|&score| unit("planted dense score", score))?;
        for (row, compression) in self.compressions.iter().enumerate() {
            let (expected, found) = (self.dense.len(), compression.drops.len());
            if expected != found {
                return Err(StatsError::Ragged { what: "planted drops".to_owned(), row, expected, found });
            }
            StatsError::at_least("planted seeds", compression.seeds, 1)?;
            compression.drops.iter().try_for_each(|&drop| unit("planted drop", drop))?;
        }
        for &(pruned, quantized) in &self.matches {
            StatsError::at_least("planted compressions", self.compressions.len(), pruned.max(quantized) + 1)?;
        }
        unit("shared_ability", self.shared_ability)?;
        unit("shared_frailty", self.shared_frailty)?;
        unit("guess_survives", self.guess_survives)?;
        unit("seed_deviation", self.seed_deviation)
    }

    /// Draws a study; `self` has passed [`PlantedStudy::check`].
    #[must_use]
    pub fn simulate(&self, rng: &mut ChaCha8Rng) -> Study {
        let models = self.models(rng);
        let mut dense = Vec::new();
        let mut compressed = vec![Vec::new(); models.len()];
        for family in 0..self.families {
            let bases: Vec<Base> =
                (0..self.items).map(|_| Base { ability: rng.random(), frailty: rng.random() }).collect();
            for level in 0..self.dense.len() {
                let known: Vec<Known> = bases.iter().map(|base| self.known(base, level, rng)).collect();
                let outcomes = |right: &mut dyn FnMut(usize) -> bool| Outcomes {
                    variant: variant(family, level),
                    items: (0..self.items)
                        .map(|i| ItemOutcome { id: i.to_string(), correct: right(i), choices: self.choices })
                        .collect(),
                };
                dense.push(outcomes(&mut |i| known[i].knows || known[i].guess));
                for (model, all) in models.iter().zip(&mut compressed) {
                    all.push(outcomes(&mut |i| self.keeps(model.drops[level], &bases[i], known[i], rng)));
                }
            }
        }
        let compressions = models.iter().zip(compressed).map(|(model, outcomes)| Compression {
            name: model.name.clone(),
            series: self.compressions[model.kind].series.clone(),
            strength: self.compressions[model.kind].strength,
            outcomes,
        });
        Study {
            families: self.levels(),
            dense,
            compressions: compressions.collect(),
            matches: self.size_matches(),
            ..Study::default()
        }
    }

    fn models(&self, rng: &mut ChaCha8Rng) -> Vec<Model> {
        let mut models = Vec::new();
        for (kind, compression) in self.compressions.iter().enumerate() {
            for seed in 0..compression.seeds {
                let own = |drop: &f64| (drop + self.seed_deviation * normal(rng)).clamp(0.0, 1.0);
                let drops = compression.drops.iter().map(own).collect();
                models.push(Model { kind, name: name(kind, seed), drops });
            }
        }
        models
    }

    fn known(&self, base: &Base, level: usize, rng: &mut ChaCha8Rng) -> Known {
        let ability = if rng.random_bool(self.shared_ability) { base.ability } else { rng.random() };
        Known { knows: ability < self.dense[level], guess: self.guess(rng) }
    }

    /// Whether a compressed model is right.
    fn keeps(&self, drop: f64, base: &Base, known: Known, rng: &mut ChaCha8Rng) -> bool {
        let fate = if rng.random_bool(self.shared_frailty) { base.frailty } else { rng.random() };
        let guess = if rng.random_bool(self.guess_survives) { known.guess } else { self.guess(rng) };
        (known.knows && fate >= drop) || guess
    }

    fn guess(&self, rng: &mut ChaCha8Rng) -> bool {
        rng.random_bool(1.0 / self.choices as f64)
    }

    fn levels(&self) -> Vec<FamilyLevels> {
        let levels = |family: usize| FamilyLevels {
            family: format!("family {family}"),
            variants: (0..self.dense.len()).map(|level| variant(family, level)).collect(),
        };
        (0..self.families).map(levels).collect()
    }

    fn size_matches(&self) -> Vec<SizeMatch> {
        let seeds = |&(pruned, quantized): &(usize, usize)| {
            let count = self.compressions[pruned].seeds.max(self.compressions[quantized].seeds);
            let of = |kind: usize, seed: usize| name(kind, seed % self.compressions[kind].seeds);
            (0..count).map(move |seed| SizeMatch { pruned: of(pruned, seed), quantized: of(quantized, seed) })
        };
        self.matches.iter().flat_map(seeds).collect()
    }
}

/// A base item, common to the levels.
struct Base {
    ability: f64,
    frailty: f64,
}

/// The dense model on an item.
#[derive(Clone, Copy)]
struct Known {
    knows: bool,
    guess: bool,
}

/// One compressed model.
struct Model {
    kind: usize,
    name: String,
    drops: Vec<f64>,
}

fn variant(family: usize, level: usize) -> String {
    format!("family {family}/level {level}")
}

fn name(kind: usize, seed: usize) -> String {
    format!("compression {kind}, seed {seed}")
}

/// Box and Muller 1958.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
