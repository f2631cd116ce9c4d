//! A relation between two words which only the examples tell.
//!
//! "slow -> slower" after examples of comparatives; the distractors are the answers of the other relations for the
//! same word, so that without examples nothing but habit decides. The examples of fewer shots are the first ones of
//! more shots.

mod tables;

use super::draw::{interleave, place_gold, shuffled, stream, take};
use super::{Family, Form, Item, SuiteConfig, SuiteError, Variant};
use tables::{TABLES, Table};

/// Most examples before the question.
pub(super) const MAX_SHOTS: usize = 8;

struct Question {
    id: String,
    /// The examples, one line each, most important first.
    examples: Vec<String>,
    word: &'static str,
    choices: Vec<String>,
    gold: usize,
}

pub(super) fn variants(config: &SuiteConfig) -> Result<Vec<Variant>, SuiteError> {
    let family = Family::Shots;
    let questions = take(family, pool(config.seed), config.items_of(family))?;
    let levels = config.levels(family).into_iter().enumerate();
    Ok(levels
        .map(|(level, shots)| {
            let items = questions.iter().map(|q| q.ask(shots)).collect();
            Variant::new(family, level, shots, items)
        })
        .collect())
}

/// The questions of all relations in turn.
fn pool(seed: u64) -> Vec<Question> {
    let mut groups = Vec::new();
    for table in &TABLES {
        for relation in 0..table.relations.len() {
            groups.push(questions(table, relation, seed));
        }
    }
    let groups = shuffled(groups, &mut stream(seed, "shots"));
    interleave(groups)
}

fn questions(table: &Table, relation: usize, seed: u64) -> Vec<Question> {
    let name = table.relations[relation];
    let mut rng = stream(seed, &format!("shots/{name}"));
    let mut rows = shuffled(table.rows.to_vec(), &mut rng);
    let asked = rows.split_off(MAX_SHOTS);
    let examples: Vec<String> = rows.iter().map(|row| format!("{} -> {}\n", row.0, row.1[relation])).collect();
    asked
        .iter()
        .map(|(word, answers)| {
            let id = format!("shots/{name}/{word}");
            let others = answers.iter().enumerate().filter(|(i, _)| *i != relation);
            let distractors: Vec<String> = others.map(|(_, a)| (*a).to_owned()).collect();
            let (choices, gold) = place_gold(answers[relation], &distractors, &mut stream(seed, &id));
            Question { id, examples: examples.clone(), word, choices, gold }
        })
        .collect()
}

impl Question {
    fn ask(&self, shots: usize) -> Item {
        Item {
            id: self.id.clone(),
            context: format!("{}{} ->", self.examples[..shots].concat(), self.word),
            choices: self.choices.clone(),
            gold: self.gold,
            form: Form::Choice,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_are_distinct_and_answers_differ() {
        for table in &TABLES {
            let words: BTreeSet<_> = table.rows.iter().map(|row| row.0).collect();
            assert_eq!(words.len(), table.rows.len());
            assert!(words.len() > MAX_SHOTS);
            for (word, answers) in table.rows {
                let distinct: BTreeSet<_> = answers.iter().chain([word]).collect();
                assert_eq!(distinct.len(), answers.len() + 1, "{word}");
            }
        }
    }

    #[test]
    fn fewer_shots_are_the_first_of_more() {
        for question in pool(1).iter().take(30) {
            let (many, few) = (question.ask(8), question.ask(2));
            let shared = few.context.len() - question.word.len() - " ->".len();
            assert_eq!(many.context[..shared], few.context[..shared]);
            assert!(!question.examples.concat().contains(&format!("{} ->", question.word)));
        }
    }
}
