use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::suite::{estimate_tokens, fact_questions};

fn question(id: usize, options: usize) -> Question {
    Question {
        id: format!("q{id}"),
        passage: Some(format!("Person {id} lives in town{id}. {}", "The weather is fine there. ".repeat(3))),
        prompt: format!("Question: where does person {id} live?\nAnswer:"),
        answers: vec![format!("town{id}"), format!("Town{id} city")],
        wrong: (1..options).map(|k| format!("town{}", id + 100 * k)).collect(),
        delimiter: " ".to_owned(),
    }
}

fn task(asked: usize, all: usize, options: usize) -> BaseTask {
    BaseTask::new("towns", (0..all).map(|id| question(id, options)).collect(), asked).unwrap()
}

fn choices(item: &Item) -> BTreeSet<&str> {
    item.choices.iter().map(String::as_str).collect()
}

proptest! {
    #[test]
    fn fewer_options_are_among_more_and_hold_the_gold(seed: u64) {
        let setting = Setting::Options { options: vec![6, 2, 4] };
        let variants = setting.variants(&task(5, 5, 6), seed, estimate_tokens).unwrap();
        prop_assert_eq!(variants.iter().map(|v| v.difficulty as usize).collect::<Vec<_>>(), vec![2, 4, 6]);
        for (few, many) in variants[0].items.iter().zip(&variants[2].items) {
            prop_assert_eq!(&few.id, &many.id);
            prop_assert!(choices(few).is_subset(&choices(many)));
            prop_assert_eq!(&few.choices[few.gold], &many.choices[many.gold]);
            prop_assert_eq!(choices(many).len(), 6);
        }
    }

    #[test]
    fn texts_grow_within_their_budget_and_are_nested(seed: u64, at in 0_usize..3) {
        let gold = [GoldPosition::Start, GoldPosition::Middle, GoldPosition::End][at];
        let setting = Setting::Context { tokens: vec![60, 150], gold, closed_book: true, options: Some(4) };
        let variants = setting.variants(&task(6, 12, 4), seed, estimate_tokens).unwrap();
        let names: Vec<_> = variants.iter().map(|v| v.name.as_str()).collect();
        prop_assert_eq!(names, ["towns/passage", "towns/tokens=60", "towns/tokens=150", "towns/closed-book"]);
        for at in 0..6 {
            let text = |level: usize| {
                let item: &Item = &variants[level].items[at];
                item.context.split_once("Question:").unwrap().0.to_owned()
            };
            let passage = text(0);
            for (level, budget) in [(1, 60), (2, 150)] {
                let text = text(level);
                prop_assert!(text.contains(passage.trim()));
                let tokens = estimate_tokens(&text);
                prop_assert!(tokens <= budget && tokens + 6 > budget, "{} of {}", tokens, budget);
            }
            prop_assert!(text(3).is_empty());
            let position = text(2).find(passage.trim()).unwrap();
            match gold {
                GoldPosition::Start => prop_assert_eq!(position, 0),
                GoldPosition::Middle => prop_assert!(position > 0 && !text(2).trim_end().ends_with(passage.trim())),
                GoldPosition::End => prop_assert!(text(2).trim_end().ends_with(passage.trim())),
            }
        }
    }

    #[test]
    fn examples_of_fewer_shots_are_the_first_of_more(seed: u64) {
        let setting = Setting::Shots { shots: vec![0, 1, 4], options: None };
        let variants = setting.variants(&task(4, 9, 3), seed, estimate_tokens).unwrap();
        prop_assert_eq!(variants.iter().map(|v| v.difficulty as usize).collect::<Vec<_>>(), vec![4, 1, 0]);
        for (item, question) in variants[0].items.iter().zip(&task(4, 9, 3).questions) {
            prop_assert_eq!(item.context.matches("Answer: ").count(), 4);
            prop_assert_eq!(item.context.matches(&question.prompt).count(), 1);
        }
        let examples = |v: &Variant| v.items[0].context.split("Person 0 ").next().unwrap().to_owned();
        prop_assert!(examples(&variants[0]).starts_with(&examples(&variants[1])));
    }
}

#[test]
fn the_same_facts_both_ways() {
    let task = BaseTask::new("facts", fact_questions(1), 20).unwrap();
    let setting = Setting::Form { options: vec![2, 4, 8] };
    let variants = setting.variants(&task, 1, estimate_tokens).unwrap();
    assert_eq!(variants.len(), 4);
    let free = &variants[3];
    assert_eq!((free.name.as_str(), free.difficulty), ("facts/free", 0.0));
    for (item, choice) in free.items.iter().zip(&variants[0].items) {
        assert_eq!((item.form, choice.form), (Form::Free, Form::Choice));
        assert_eq!((&item.id, &item.context), (&choice.id, &choice.context));
        assert!(item.choices.contains(&choice.choices[choice.gold]));
    }
}

#[test]
fn what_cannot_be_made_is_named() {
    let made = |setting: Setting, task: &BaseTask| setting.variants(task, 0, estimate_tokens).unwrap_err().to_string();
    let four = task(3, 8, 4);
    let error = made(Setting::Options { options: vec![2, 8] }, &four);
    assert_eq!(
        error,
        "task towns, question q0: has 4 options, 8 are asked for; 0 of 8 questions have enough: ask only those with \
         min_options = 8"
    );
    assert!(made(Setting::Options { options: vec![1, 2] }, &four).contains("options = 1; 2 or more"));
    assert!(made(Setting::Options { options: vec![2, 2] }, &four).contains("twice"));
    assert!(made(Setting::Options { options: vec![2] }, &four).contains("one level"));
    let context = |tokens: usize| Setting::Context {
        tokens: vec![tokens],
        gold: GoldPosition::Start,
        closed_book: false,
        options: None,
    };
    assert!(made(context(10), &four).contains("passage with the answer has"));
    assert!(made(context(9000), &four).contains("other passages fill"));
    let mut bare = four.clone();
    bare.questions[1].passage = None;
    assert!(made(context(100), &bare).contains("question q1: has no passage"));
    assert!(made(Setting::Shots { shots: vec![0, 6], options: None }, &four).contains("6 examples"));
    assert!(BaseTask::new("towns", vec![question(0, 2)], 2).unwrap_err().to_string().contains("1 questions, 2"));
    assert!(BaseTask::new("towns", vec![question(0, 2); 2], 2).unwrap_err().to_string().contains("twice"));
}

#[test]
fn tasks_are_grouped_by_their_gap() {
    let task = |name: &str, human: f64, dense: f64| GapTask { name: name.to_owned(), human, dense };
    let tasks = [task("a", 0.9, 0.45), task("b", 0.9, 0.9), task("c", 0.8, 0.84), task("d", 1.0, 0.7)];
    assert_eq!(HumanGap { levels: 2 }.group(&tasks).unwrap(), [vec![2, 1], vec![3, 0]]);
    assert!((tasks[0].gap() - 0.5).abs() < 1e-12);
    assert!(HumanGap { levels: 5 }.group(&tasks).is_err());
    assert!(HumanGap { levels: 2 }.group(&[task("a", 0.0, 0.5), task("b", 1.0, 0.5)]).is_err());
}
