//! The item response model recovers what was planted.

use junkdna_difficulty::irt::{ItemResponse, ItemResponseConfig, answer_table, item_response};
use junkdna_difficulty::{ItemOutcome, Outcomes, StatsError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Answers = Vec<Vec<Option<bool>>>;

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

struct Truth {
    difficulties: Vec<f64>,
    discriminations: Vec<f64>,
    abilities: Vec<f64>,
    answers: Answers,
}

fn planted(models: usize, items: usize, seed: u64) -> Truth {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let difficulties: Vec<f64> = (0..items).map(|i| -2.0 + 4.0 * i as f64 / (items - 1) as f64).collect();
    let discriminations: Vec<f64> = (0..items).map(|i| [0.7, 1.2, 1.8][i % 3]).collect();
    let abilities: Vec<f64> = (0..models).map(|_| normal(&mut rng)).collect();
    let mut answer = |ability: f64, item: usize| {
        let odds = discriminations[item] * (ability - difficulties[item]);
        Some(rng.random::<f64>() < 1.0 / (1.0 + (-odds).exp()))
    };
    let answers = abilities.iter().map(|&ability| (0..items).map(|item| answer(ability, item)).collect()).collect();
    Truth { difficulties, discriminations, abilities, answers }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (a, b) = (mean(x), mean(y));
    let dot = |x: &[f64], a: f64, y: &[f64], b: f64| x.iter().zip(y).map(|(x, y)| (x - a) * (y - b)).sum::<f64>();
    dot(x, a, y, b) / (dot(x, a, x, a) * dot(y, b, y, b)).sqrt()
}

fn root_mean_square(x: &[f64], y: &[f64]) -> f64 {
    (x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
}

fn difficulties(fit: &ItemResponse) -> Vec<f64> {
    fit.items.iter().map(|item| item.difficulty).collect()
}

/// Section 6 of the Law School Admission Test: how many of 1000 people gave each of the 32 patterns of answers to five
/// questions, from 00000 to 11111 (Bock and Lieberman 1970; the example of Bock and Aitkin 1981).
const LSAT: [usize; 32] = [
    3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15, 10, 29, 14, 81, 3, 28, 15, 80, 16, 56, 21, 173, 11, 61, 28, 298,
];

#[test]
fn agrees_with_the_published_example() {
    let pattern = |bits: usize| (0..5).map(|item| Some(bits >> (4 - item) & 1 == 1)).collect::<Vec<_>>();
    let people = (0..32).flat_map(|bits| std::iter::repeat_n(pattern(bits), LSAT[bits]));
    let flat = ItemResponseConfig {
        difficulty_deviation: 1e4,
        discrimination_deviation: 1e4,
        tolerance: 1e-6,
        steps: 20_000,
        nodes: 61,
    };
    let fit = item_response(&people.collect::<Vec<_>>(), &flat).unwrap();
    // Maximum marginal likelihood: log-likelihood -2466.653 (Rizopoulos 2006, J. Statist. Software 17, ltm). Parameters by
    // scipy.optimize over the same likelihood; they round to the published ones.
    assert!((fit.log_likelihood + 2_466.653_377).abs() < 1e-4, "{}", fit.log_likelihood);
    let expected = [
        (-3.358_813, 0.825_659),
        (-1.370_059, 0.722_743),
        (-0.279_666, 0.890_875),
        (-1.866_380, 0.688_369),
        (-3.125_916, 0.656_854),
    ];
    for (item, (difficulty, discrimination)) in fit.items.iter().zip(expected) {
        assert!((item.difficulty - difficulty).abs() < 5e-3, "{item:?}");
        assert!((item.discrimination - discrimination).abs() < 2e-3, "{item:?}");
    }
}

#[test]
fn planted_parameters_are_recovered() {
    let truth = planted(1000, 30, 1);
    let fit = item_response(&truth.answers, &ItemResponseConfig::default()).unwrap();
    let found = difficulties(&fit);
    // At 1000 respondents a difficulty is known to about 0.1, where it is not extreme.
    assert!(root_mean_square(&found, &truth.difficulties) < 0.2);
    assert!(correlation(&found, &truth.difficulties) > 0.99);
    let discriminations: Vec<f64> = fit.items.iter().map(|item| item.discrimination).collect();
    assert!(root_mean_square(&discriminations, &truth.discriminations) < 0.2);
    let abilities: Vec<f64> = fit.abilities.iter().map(|ability| ability.value).collect();
    assert!(correlation(&abilities, &truth.abilities) > 0.85);
    // Posterior deviations are honest: the mean squared error is their mean square.
    let claimed = fit.abilities.iter().map(|a| a.deviation.powi(2)).sum::<f64>() / 1000.0;
    let error = root_mean_square(&abilities, &truth.abilities).powi(2);
    assert!((claimed / error - 1.0).abs() < 0.2, "{claimed} {error}");
}

#[test]
fn a_dozen_compressed_models_order_their_items() {
    // What a study has: few models, many items.
    let truth = planted(12, 200, 2);
    let fit = item_response(&truth.answers, &ItemResponseConfig::default()).unwrap();
    assert!(correlation(&difficulties(&fit), &truth.difficulties) > 0.75);
    assert!(fit.items.iter().all(|item| item.discrimination > 0.0 && item.discrimination < 5.0));
}

#[test]
fn unanimous_items_stay_finite_and_at_the_ends() {
    let mut truth = planted(40, 12, 3);
    for model in &mut truth.answers {
        model[0] = Some(true);
        model[11] = Some(false);
    }
    let fit = item_response(&truth.answers, &ItemResponseConfig::default()).unwrap();
    let found = difficulties(&fit);
    assert!(found.iter().all(|d| d.is_finite() && d.abs() < 10.0));
    assert!(found[1..11].iter().all(|&d| found[0] < d && d < found[11]), "{found:?}");
}

#[test]
fn what_was_not_asked_says_nothing() {
    let mut truth = planted(300, 10, 4);
    let full = item_response(&truth.answers, &ItemResponseConfig::default()).unwrap();
    // An item nobody was asked stays at its prior, and changes no other.
    truth.answers.iter_mut().for_each(|model| model.push(None));
    let more = item_response(&truth.answers, &ItemResponseConfig::default()).unwrap();
    assert_eq!(more.items[..10], full.items[..]);
    assert_eq!((more.items[10].difficulty, more.items[10].discrimination), (0.0, 1.0));
}

#[test]
fn models_are_joined_by_item() {
    let outcomes = |items: &[(&str, bool)]| {
        let item = |&(id, correct): &(&str, bool)| ItemOutcome { id: id.to_owned(), correct, choices: 4 };
        Outcomes { variant: "v".to_owned(), items: items.iter().map(item).collect() }
    };
    let (dense, pruned) = (outcomes(&[("b", true), ("a", true)]), outcomes(&[("a", false), ("c", true)]));
    let table = answer_table(&[&dense, &pruned]).unwrap();
    assert_eq!(table.ids, ["b", "a", "c"]);
    assert_eq!(table.answers, [[Some(true), Some(true), None], [None, Some(false), Some(true)]]);
    assert!(matches!(answer_table(&[&outcomes(&[])]), Err(StatsError::Empty { .. })));
}

#[test]
fn bad_tables_are_named() {
    let config = ItemResponseConfig::default();
    assert!(matches!(item_response(&[vec![Some(true)]], &config), Err(StatsError::TooFew { .. })));
    let ragged = [vec![Some(true)], vec![]];
    assert!(matches!(item_response(&ragged, &config), Err(StatsError::Ragged { row: 1, .. })));
    let flat = ItemResponseConfig { difficulty_deviation: 0.0, ..config };
    assert!(item_response(&[vec![Some(true)], vec![None]], &flat).is_err());
}
