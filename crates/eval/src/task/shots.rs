//! Which documents stand as examples before a question.

use crate::PythonRandom;
use serde_json::Value;

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

/// Draws examples for one question after the other from one generator, as lm-evaluation-harness draws them.
pub(crate) struct Shots<'a> {
    pub sampler: Sampler,
    pub pool: &'a [Value],
    /// The class of each document of the pool, for [`Sampler::Balanced`].
    pub classes: Vec<usize>,
    pub random: PythonRandom,
}

impl Shots<'_> {
    /// Which `n` documents of the pool come before a question. `asked` is the question where it may be in the pool itself.
    ///
    /// # Errors
    /// A sentence if there are too few.
    pub fn draw(&mut self, n: usize, asked: Option<&Value>) -> Result<Vec<usize>, String> {
        let other = |&i: &usize| asked.is_none_or(|asked| self.pool[i] != *asked);
        let size = self.pool.len();
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
            let pool: Vec<Value> = (0..classes.len()).map(Value::from).collect();
            let random = PythonRandom::new(seed);
            let mut shots = Shots { sampler: Sampler::Balanced, pool: &pool, classes: classes.clone(), random };
            let drawn = shots.draw(n, Some(&pool[0])).unwrap();
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
