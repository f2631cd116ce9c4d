//! What holds for every generated suite.

use std::collections::BTreeSet;

use junkdna_difficulty::suite::{Family, SuiteConfig, SuiteError, Variant, generate, generate_with_counter};
use proptest::prelude::*;

fn small(seed: u64) -> SuiteConfig {
    SuiteConfig { items: 12, max_passage_tokens: 150, seed, ..SuiteConfig::default() }
}

fn check_variant(variant: &Variant) {
    let ids: BTreeSet<_> = variant.items.iter().map(|item| &item.id).collect();
    assert_eq!(ids.len(), variant.items.len(), "{}", variant.name);
    for item in &variant.items {
        let distinct: BTreeSet<_> = item.choices.iter().collect();
        assert_eq!(distinct.len(), item.choices.len(), "{item:?}");
        assert!(item.gold < item.choices.len() && item.choices.len() >= 2);
        assert!(item.choices.iter().all(|c| c.starts_with(' ') && c.trim().len() + 1 == c.len()));
        assert!(!item.context.is_empty() && !item.context.ends_with(' '));
    }
}

fn ids(variant: &Variant) -> Vec<&str> {
    variant.items.iter().map(|item| item.id.as_str()).collect()
}

fn gold(variant: &Variant, at: usize) -> &str {
    let item = &variant.items[at];
    &item.choices[item.gold]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn invariants_hold_for_any_seed(seed: u64) {
        let variants = generate(&small(seed)).unwrap();
        variants.iter().for_each(check_variant);
        for pair in variants.windows(2).filter(|pair| pair[0].family == pair[1].family) {
            prop_assert_eq!(pair[0].level + 1, pair[1].level);
            prop_assert_eq!(ids(&pair[0]), ids(&pair[1]));
        }
    }

    #[test]
    fn smaller_suites_are_the_start_of_larger_ones(seed: u64) {
        let few = generate(&SuiteConfig { items: 5, ..small(seed) }).unwrap();
        for (few, many) in few.iter().zip(generate(&small(seed)).unwrap()) {
            prop_assert_eq!(&few.items[..], &many.items[..5]);
        }
    }
}

#[test]
fn seeds_decide_everything() {
    assert_eq!(generate(&small(1)), generate(&small(1)));
    for (one, two) in generate(&small(1)).unwrap().iter().zip(generate(&small(2)).unwrap()) {
        assert_ne!(one.items, two.items, "{}", one.name);
    }
}

#[test]
fn options_are_nested_and_keep_the_gold() {
    let config = SuiteConfig { families: vec![Family::Facts], ..SuiteConfig::quickstart(4) };
    let variants = generate(&config).unwrap();
    for pair in variants.windows(2) {
        for (at, (few, many)) in pair[0].items.iter().zip(&pair[1].items).enumerate() {
            assert_eq!(few.context, many.context);
            assert!(few.choices.iter().all(|choice| many.choices.contains(choice)));
            assert_eq!(gold(&pair[0], at), gold(&pair[1], at));
        }
    }
    let names: Vec<_> = variants.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["facts/options=2", "facts/options=4", "facts/options=6", "facts/options=8"]);
}

#[test]
fn golds_are_not_all_in_one_place() {
    for variant in generate(&SuiteConfig::quickstart(0)).unwrap() {
        let places: BTreeSet<_> = variant.items.iter().map(|item| item.gold).collect();
        assert!(places.len() == variant.items[0].choices.len(), "{}", variant.name);
    }
}

#[test]
fn the_cap_leaves_out_long_passages() {
    let config = SuiteConfig { families: vec![Family::Passage], ..SuiteConfig::quickstart(0) };
    let tokens: Vec<_> = generate(&config).unwrap().iter().map(|v| v.difficulty).collect();
    assert_eq!(tokens, [30.0, 75.0, 150.0, 300.0]);
    let full = SuiteConfig { max_passage_tokens: 1500, ..config };
    let by_words = generate_with_counter(&full, |text| text.split(' ').count()).unwrap();
    let longest = &by_words.last().unwrap().items[0].context;
    assert!((1485..=1515).contains(&longest.split(' ').count()));
}

#[test]
fn impossible_requests_are_named() {
    let facts = |items| SuiteConfig { families: vec![Family::Facts], items, ..SuiteConfig::default() };
    assert_eq!(generate(&facts(0)), Err(SuiteError::NoItems(Family::Facts)));
    assert!(matches!(generate(&facts(100_000)), Err(SuiteError::TooManyItems { .. })));
    let nine = SuiteConfig { options: vec![9], ..facts(5) };
    assert!(matches!(generate(&nine), Err(SuiteError::Setting { setting: 9, .. })));
    let short = SuiteConfig { max_passage_tokens: 10, ..SuiteConfig::default() };
    let error = generate(&short).unwrap_err();
    assert_eq!(error.to_string(), "family passage has no level of tokens left: max_passage_tokens is 10");
    let twice = SuiteConfig { families: vec![Family::Facts; 2], ..SuiteConfig::default() };
    assert_eq!(generate(&twice), Err(SuiteError::RepeatedFamily(Family::Facts)));
    let none = SuiteConfig { families: vec![], ..SuiteConfig::default() };
    assert_eq!(generate(&none), Err(SuiteError::NoFamilies));
}
