//! Which documents stand as examples before a question.

use super::Task;
use super::build::Builder;
use super::source::Split;
use super::turn::Part;
use crate::data::{BrokenRows, Table};
use crate::{EvalError, PythonRandom};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How examples are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampler {
    /// At random, others for each question: the default of lm-evaluation-harness.
    Random,
    /// The first.
    FirstN,
    /// At random, others for each question, every right answer as often as any other or once more or less: beyond
    /// lm-evaluation-harness.
    Balanced,
}

/// The examples before each question, written once each.
#[derive(Default)]
pub(crate) struct Drawn {
    /// Which documents of the pool stand before a question.
    of: Vec<Vec<usize>>,
    written: HashMap<usize, Result<Vec<Part>, String>>,
}

impl Drawn {
    /// Draws for the first `count` questions. Of the documents that examples are taken from no more is held than the examples.
    pub fn new(
        builder: &Builder,
        questions: &Table,
        count: usize,
        seed: u64,
        broken: &mut BrokenRows,
    ) -> Result<Self, EvalError> {
        let task = builder.task();
        let elsewhere = match &task.fewshot.samples {
            Some(samples) if task.fewshot.split.is_none() => Some(Table::Given(samples)),
            _ => task.pool().map(|split| task.table(split, broken)).transpose()?,
        };
        let pool = elsewhere.as_ref().unwrap_or(questions);
        // As in lm-evaluation-harness, also where neither split is named.
        let among = task.fewshot.split == task.splits.test;
        let (mut prints, mut classes, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let balanced = task.fewshot.sampler == Sampler::Balanced;
        if among || balanced {
            for (doc, document) in pool.documents().enumerate() {
                let document = document?;
                prints.push(print(&document));
                if balanced {
                    let wrong = |problem| EvalError::Document { task: task.task.clone(), doc, problem };
                    classes.push(builder.class_of_example(&document, &mut known).map_err(wrong)?);
                }
            }
        }
        let asked = match &elsewhere {
            _ if !among => Vec::new(),
            None => prints.clone(),
            Some(_) => {
                let first = questions.documents().take(count);
                first.map(|document| Ok(print(&document?))).collect::<Result<_, EvalError>>()?
            }
        };
        let random = PythonRandom::new(seed);
        let mut shots = Shots { sampler: task.fewshot.sampler, size: pool.len(), prints, classes, random };
        let draw = |doc: usize| {
            let drawn = shots.draw(task.num_fewshot, asked.get(doc).copied());
            drawn.map_err(|problem| EvalError::Document { task: task.task.clone(), doc, problem })
        };
        let of: Vec<Vec<usize>> = (0..count).map(draw).collect::<Result<_, _>>()?;
        let needed: HashSet<usize> = of.iter().flatten().copied().collect();
        let mut written = HashMap::with_capacity(needed.len());
        let mut documents = pool.documents().enumerate();
        while written.len() < needed.len()
            && let Some((place, document)) = documents.next()
        {
            let document = document?;
            if needed.contains(&place) {
                written.insert(place, builder.shot(&document));
            }
        }
        Ok(Self { of, written })
    }

    /// What stands before a question.
    ///
    /// # Errors
    /// An example that cannot be written.
    pub fn before(&self, doc: usize) -> Result<Vec<Part>, String> {
        let mut before = Vec::new();
        for shot in self.of.get(doc).into_iter().flatten() {
            match self.written.get(shot) {
                Some(Ok(parts)) => before.extend_from_slice(parts),
                Some(Err(problem)) => return Err(format!("example {shot}: {problem}")),
                None => return Err(format!("example {shot}: is no longer in its file")),
            }
        }
        Ok(before)
    }
}

impl Task {
    /// The split that examples are taken from, if it is another than the one that is asked: the few-shot, training, validation
    /// or test split.
    fn pool(&self) -> Option<Split<'_>> {
        let splits = &self.splits;
        let named = [
            ("fewshot_split", &self.fewshot.split),
            ("training_split", &splits.training),
            ("validation_split", &splits.validation),
            ("test_split", &splits.test),
        ];
        let first = named.into_iter().find_map(|(key, name)| Some(Split { key, name: name.as_deref()? }));
        first.filter(|split| split.name != self.asked().name)
    }
}

/// Equal documents have equal prints, and others different ones, but for one chance in 2⁶⁴.
fn print(document: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    hasher.finish()
}

/// Draws examples for one question after the other from one generator, as lm-evaluation-harness draws them.
struct Shots {
    pub sampler: Sampler,
    /// How many documents there are to draw from.
    pub size: usize,
    /// The print of each, if a question may be among them.
    pub prints: Vec<u64>,
    /// The class of each document of the pool, for [`Sampler::Balanced`].
    pub classes: Vec<usize>,
    pub random: PythonRandom,
}

impl Shots {
    /// Which `n` documents of the pool come before a question. `asked` is the question's print where it may be in the pool
    /// itself.
    ///
    /// # Errors
    /// A sentence if there are too few.
    pub fn draw(&mut self, n: usize, asked: Option<u64>) -> Result<Vec<usize>, String> {
        let (size, prints) = (self.size, &self.prints);
        let other = |i: &usize| asked.is_none_or(|asked| prints[*i] != asked);
        let few = || format!("{n} examples are wanted, there are {size} document(s) to take them from");
        if self.sampler == Sampler::FirstN {
            let first: Vec<usize> = (0..size).filter(other).take(n).collect();
            return if first.len() == n { Ok(first) } else { Err(few()) };
        }
        if n == 0 {
            return Ok(Vec::new());
        }
        if self.sampler == Sampler::Balanced {
            let others: Vec<usize> = (0..size).filter(other).collect();
            return self.balanced(n, &others).ok_or_else(few);
        }
        // One more than needed is drawn if the question may be among them.
        let drawn = self.random.sample(size, n + usize::from(asked.is_some())).ok_or_else(few)?;
        let kept: Vec<usize> = drawn.into_iter().filter(other).take(n).collect();
        if kept.len() == n {
            return Ok(kept);
        }
        // Copies of the question left too few: draw again, from the others.
        let others: Vec<usize> = (0..size).filter(other).collect();
        let drawn = self.random.sample(others.len(), n).ok_or_else(few)?;
        Ok(drawn.into_iter().map(|i| others[i]).collect())
    }

    /// Classes in an order that is drawn take turns, each giving one that is drawn of its documents; then the order of all
    /// is drawn. A class that has no more is passed over.
    fn balanced(&mut self, n: usize, others: &[usize]) -> Option<Vec<usize>> {
        if n > others.len() {
            return None;
        }
        let count = self.classes.iter().max().map_or(0, |last| last + 1);
        let mut left: Vec<Vec<usize>> = vec![Vec::new(); count];
        others.iter().for_each(|&doc| left[self.classes[doc]].push(doc));
        let order = self.random.sample(count, count)?;
        let mut drawn = Vec::with_capacity(n);
        for class in order.into_iter().cycle() {
            if drawn.len() == n {
                break;
            }
            if !left[class].is_empty() {
                let place = self.random.choice(left[class].len());
                drawn.push(left[class].swap_remove(place));
            }
        }
        let order = self.random.sample(n, n)?;
        Some(order.into_iter().map(|place| drawn[place]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn balanced_shots_are_balanced(classes in prop::collection::vec(0usize..3, 4..20), n in 1usize..4, seed in 0u64..50) {
            let (size, prints) = (classes.len(), (0..classes.len() as u64).collect());
            let random = PythonRandom::new(seed);
            let mut shots = Shots { sampler: Sampler::Balanced, size, prints, classes: classes.clone(), random };
            let drawn = shots.draw(n, Some(0)).unwrap();
            prop_assert!(drawn.len() == n && !drawn.contains(&0));
            let count = |docs: &[usize], class| docs.iter().filter(|&&doc| classes[doc] == class).count();
            let all: Vec<usize> = (1..classes.len()).collect();
            // No class is behind another by more than one, unless it has no more.
            for (a, b) in [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)] {
                prop_assert!(count(&drawn, a) + 1 >= count(&drawn, b) || count(&drawn, a) == count(&all, a));
            }
            let distinct: std::collections::HashSet<_> = drawn.iter().collect();
            prop_assert_eq!(distinct.len(), n);
        }
    }
}
