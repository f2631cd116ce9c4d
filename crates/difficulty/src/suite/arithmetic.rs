//! Sums and differences of numbers with more and more digits.
//!
//! A base item is an operator and two strings of digits; the level with n digits uses the last n of both (the larger
//! first in a difference, which stays at or above zero). No digit is zero, so that every operand has exactly n digits.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::draw::{pick, place_gold, shuffled, stream, take};
use super::{Family, Form, Item, SuiteConfig, SuiteError, Variant};

/// Most digits of an operand.
pub(super) const MAX_DIGITS: usize = 6;

const OPTIONS: usize = 4;

const HEADER: &str = "6 + 3 = 9\n8 - 5 = 3\n27 + 14 = 41\n382 - 156 = 226\n";

/// One-digit problems that the header gives away.
const SHOWN: [(Operator, u64, u64); 2] = [(Operator::Plus, 6, 3), (Operator::Minus, 8, 5)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Plus,
    Minus,
}

impl Operator {
    const fn sign(self) -> char {
        match self {
            Self::Plus => '+',
            Self::Minus => '-',
        }
    }
}

struct Problem {
    id: String,
    operator: Operator,
    left: u64,
    right: u64,
}

impl Problem {
    /// Question and answer with the last `digits` digits of both operands.
    fn at(&self, digits: usize) -> (String, u64) {
        let modulus = 10_u64.pow(digits as u32);
        let (left, right) = (self.left % modulus, self.right % modulus);
        match self.operator {
            Operator::Plus => (format!("{left} + {right} ="), left + right),
            Operator::Minus => {
                let (large, small) = (left.max(right), left.min(right));
                (format!("{large} - {small} ="), large - small)
            }
        }
    }
}

pub(super) fn variants(config: &SuiteConfig) -> Result<Vec<Variant>, SuiteError> {
    let family = Family::Arithmetic;
    let problems = take(family, pool(config.seed), config.items_of(family))?;
    let levels = config.levels(family).into_iter().enumerate();
    Ok(levels
        .map(|(level, digits)| {
            let items = problems.iter().map(|p| item(p, digits, config.seed));
            Variant::new(family, level, digits, items.collect())
        })
        .collect())
}

/// All distinct one-digit problems in a random order, each extended to the left by random digits.
fn pool(seed: u64) -> Vec<Problem> {
    let mut ones = Vec::new();
    for left in 1..=9 {
        for right in 1..=9 {
            ones.push((Operator::Plus, left, right));
            if left >= right {
                ones.push((Operator::Minus, left, right));
            }
        }
    }
    ones.retain(|one| !SHOWN.contains(one));
    shuffled(ones, &mut stream(seed, "arithmetic"))
        .into_iter()
        .map(|(operator, left, right)| extend(operator, left, right, seed))
        .collect()
}

fn extend(operator: Operator, left: u64, right: u64, seed: u64) -> Problem {
    let id = format!("arithmetic/{left}{}{right}", operator.sign());
    let mut rng = stream(seed, &id);
    let (mut long_left, mut long_right) = (left, right);
    for place in 1..MAX_DIGITS as u32 {
        long_left += rng.random_range(1..=9) * 10_u64.pow(place);
        long_right += rng.random_range(1..=9) * 10_u64.pow(place);
    }
    Problem { id, operator, left: long_left, right: long_right }
}

fn item(problem: &Problem, digits: usize, seed: u64) -> Item {
    let (question, answer) = problem.at(digits);
    let mut rng = stream(seed, &format!("{}/{digits}", problem.id));
    let distractors = distractors(answer, &mut rng);
    let (choices, gold) = place_gold(&answer.to_string(), &distractors, &mut rng);
    let context = format!("{HEADER}{question}");
    Item { id: problem.id.clone(), context, choices, gold, form: Form::Choice }
}

/// One near miss and numbers drawn from all of the answer's length: a shorter number would have a higher log-likelihood
/// for its length alone.
fn distractors(answer: u64, rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut kept = vec![*pick(&near_misses(answer), rng)];
    let scale = 10_u64.pow(answer.checked_ilog10().unwrap_or(0));
    let smallest = if answer < 10 { 0 } else { scale };
    while kept.len() < OPTIONS - 1 {
        let value = rng.random_range(smallest..scale * 10);
        if value != answer && !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept.iter().map(u64::to_string).collect()
}

/// The usual mistakes: off by one, off by ten (a lost carry), two neighbouring digits swapped.
fn near_misses(answer: u64) -> Vec<u64> {
    let mut values = vec![answer + 1, answer.wrapping_sub(1)];
    if answer >= 10 {
        values.extend([answer + 10, answer - 10, swap(answer, 1)]);
    }
    values.retain(|&value| value != answer && same_length(value, answer));
    values
}

/// Swaps the digit at `place` (1, 10, 100, …) with the one to its left.
fn swap(value: u64, place: u64) -> u64 {
    let (low, high) = (value / place % 10, value / (place * 10) % 10);
    value - low * place - high * place * 10 + high * place + low * place * 10
}

fn same_length(a: u64, b: u64) -> bool {
    a.checked_ilog10().unwrap_or(0) == b.checked_ilog10().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn swaps_neighbouring_digits() {
        assert_eq!(swap(1234, 1), 1243);
        assert_eq!(swap(1234, 10), 1324);
    }

    proptest! {
        #[test]
        fn gold_is_the_answer_and_all_choices_have_its_length(seed: u64, at in 0_usize..100, digits in 1_usize..=6) {
            let problem = &pool(seed)[at];
            let item = item(problem, digits, seed);
            let (question, answer) = problem.at(digits);
            prop_assert!(item.context.ends_with(&question));
            prop_assert_eq!(&item.choices[item.gold], &format!(" {answer}"));
            prop_assert_eq!(item.choices.len(), OPTIONS);
            prop_assert!(item.choices.iter().all(|c| c.len() == item.choices[0].len()));
            let operands: Vec<&str> = question.split([' ', '=']).filter(|s| s.len() == digits).collect();
            prop_assert!(operands.len() >= 2);
        }
    }
}
