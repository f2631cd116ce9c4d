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
}

/// Draws examples for one question after the other from one generator, as lm-evaluation-harness draws them.
pub(crate) struct Shots<'a> {
    pub sampler: Sampler,
    pub pool: &'a [Value],
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
}
