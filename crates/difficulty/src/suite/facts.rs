//! Common facts with more and more options.
//!
//! The options are compared by log-likelihood and not shown in the prompt: the context of an item is the same in every
//! variant, and the options of an easier variant are among those of a harder one.

mod tables;

use super::draw::{interleave, place_gold, shuffled, stream, take};
use crate::setting;

use super::{Family, Form, Item, SuiteConfig, SuiteError, Variant};
use tables::{Fact, TABLES, Table};

/// Most options of a question.
pub(super) const MAX_OPTIONS: usize = 8;

/// The facts as questions to which other settings can be applied; those of a smaller number are the first of a larger.
#[must_use]
pub fn fact_questions(seed: u64) -> Vec<setting::Question> {
    let plain = |question: Question| setting::Question {
        id: question.id,
        passage: None,
        prompt: question.context,
        answers: std::iter::once(question.gold.to_owned()).chain(question.also).collect(),
        wrong: question.distractors,
        delimiter: " ".to_owned(),
    };
    pool(seed).into_iter().map(plain).collect()
}

struct Question {
    id: String,
    context: String,
    gold: &'static str,
    /// Other right answers.
    also: Vec<String>,
    /// Wrong answers, in the order in which they are added.
    distractors: Vec<String>,
}

pub(super) fn variants(config: &SuiteConfig) -> Result<Vec<Variant>, SuiteError> {
    let family = Family::Facts;
    let questions = take(family, pool(config.seed), config.items_of(family))?;
    let levels = config.levels(family).into_iter().enumerate();
    Ok(levels
        .map(|(level, options)| {
            let items = questions.iter().map(|q| q.ask(options, config.seed));
            Variant::new(family, level, options, items.collect())
        })
        .collect())
}

/// The questions of all tables in turn.
fn pool(seed: u64) -> Vec<Question> {
    let groups = TABLES.iter().map(|table| {
        let questions = table.asked().map(|fact| question(table, fact, seed));
        shuffled(questions.collect(), &mut stream(seed, &format!("facts/{}", table.name)))
    });
    interleave(groups.collect())
}

fn question(table: &Table, fact: &Fact, seed: u64) -> Question {
    let id = format!("facts/{}/{}", table.name, fact.key);
    let mut distractors = shuffled(table.wrong_answers(fact), &mut stream(seed, &id));
    distractors.truncate(MAX_OPTIONS - 1);
    let context = format!("{}{}", table.header(), table.question(fact));
    let also = fact.also.iter().map(|also| (*also).to_owned()).collect();
    Question { id, context, gold: fact.answer, also, distractors }
}

impl Question {
    fn ask(&self, options: usize, seed: u64) -> Item {
        let mut rng = stream(seed, &format!("{}/{options}", self.id));
        let (choices, gold) = place_gold(self.gold, &self.distractors[..options - 1], &mut rng);
        Item { id: self.id.clone(), context: self.context.clone(), choices, gold, form: Form::Choice }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_distinct_and_every_fact_has_enough_wrong_answers() {
        for table in &TABLES {
            let keys: BTreeSet<_> = table.facts.iter().map(|f| f.key).collect();
            assert_eq!(keys.len(), table.facts.len(), "{}", table.name);
            for fact in table.facts {
                let wrong = table.wrong_answers(fact);
                assert!(wrong.len() >= MAX_OPTIONS - 1, "{} {}", table.name, fact.key);
                assert!(!wrong.contains(&fact.answer.to_owned()), "{}", fact.key);
                assert!(fact.also.iter().all(|a| !wrong.contains(&(*a).to_owned())));
            }
        }
    }

    #[test]
    fn synonyms_name_answers_of_their_table() {
        for table in &TABLES {
            let answers: BTreeSet<_> = table.facts.iter().map(|f| f.answer).collect();
            for fact in table.facts {
                for also in fact.also {
                    assert!(answers.contains(also), "{} {also}", table.name);
                    assert_ne!(*also, fact.answer);
                }
            }
        }
    }

    #[test]
    fn header_facts_are_not_asked() {
        for question in pool(5) {
            assert_eq!(question.context.matches('\n').count(), 2);
            let asked = question.context.lines().last().unwrap_or_default().to_owned();
            assert_eq!(question.context.matches(&asked).count(), 1, "{asked}");
        }
    }
}
