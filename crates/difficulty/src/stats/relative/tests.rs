use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::stats::page_l;

fn level(position: f64, scores: &[(f64, f64)]) -> LevelScores {
    let scores = scores.iter().enumerate().map(|(i, &(dense, drop))| PairedScore { id: i.to_string(), dense, drop });
    LevelScores { variant: format!("at {position}"), position, scores: scores.collect() }
}

/// A model that knows an item of level j with probability `known[j]`, forgets it with `lost[j]` (at each of three
/// sparsities more), and guesses one of four where it does not know. One ability per base item ties the levels; a guess
/// survives compression two times out of three.
fn simulate(known: &[f64], lost: &[f64], items: usize, rng: &mut ChaCha8Rng) -> Vec<LevelScores> {
    let corrected = |right: bool| if right { 1.0 } else { -1.0 / 3.0 };
    let mut levels: Vec<LevelScores> =
        (0..known.len()).map(|j| level(j as f64 / (known.len() - 1) as f64, &[])).collect();
    for id in 0..items {
        let (ability, frailty): (f64, f64) = (rng.random(), rng.random());
        for (j, level) in levels.iter_mut().enumerate() {
            let shared = rng.random_bool(0.5);
            let knows = if shared { ability } else { rng.random() } < known[j];
            let fate: f64 = if rng.random_bool(0.3) { frailty } else { rng.random() };
            let guess = rng.random_bool(0.25);
            let dense = corrected(knows || guess);
            let mut drop = 0.0;
            for strength in [0.5, 1.0, 1.5] {
                let keeps = knows && fate >= lost[j] * strength;
                let again = if rng.random_bool(2.0 / 3.0) { guess } else { rng.random_bool(0.25) };
                drop += (dense - corrected(keeps || again)) / 3.0;
            }
            level.scores.push(PairedScore { id: id.to_string(), dense, drop });
        }
    }
    levels
}

/// Fractions of 400 runs which call harder levels worse, and easier levels worse, at two-sided 5 %.
fn rates(known: &[f64], lost: &[f64], items: usize) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut harder, mut easier, runs) = (0, 0, 400);
    for _ in 0..runs {
        let family = simulate(known, lost, items, &mut rng);
        let slope = relative_drop_slope(&[family]).unwrap();
        harder += i32::from(slope.p <= 0.05 && slope.value > 0.0);
        easier += i32::from(slope.p <= 0.05 && slope.value < 0.0);
    }
    (f64::from(harder) / f64::from(runs), f64::from(easier) / f64::from(runs))
}

#[test]
fn keeps_its_level_when_harder_levels_have_less_to_lose() {
    // Each side is nominally 2.5 %; 0.05 is three standard errors above.
    for (known, items) in [
        ([0.9, 0.7, 0.5, 0.4], 40),
        ([0.95, 0.9, 0.8, 0.6], 40),
        ([0.9, 0.7, 0.5, 0.4], 150),
        ([0.9, 0.8, 0.7, 0.6], 16),
    ] {
        let (harder, easier) = rates(&known, &[0.3; 4], items);
        assert!(harder <= 0.05 && easier <= 0.05, "{known:?} {items}: {harder} {easier}");
    }
}

#[test]
fn finds_a_planted_effect() {
    let (harder, easier) = rates(&[0.9, 0.8, 0.7, 0.6], &[0.1, 0.25, 0.4, 0.55], 60);
    assert!(harder > 0.8, "{harder}");
    assert!(easier == 0.0, "{easier}");
    let (harder, easier) = rates(&[0.9, 0.8, 0.7, 0.6], &[0.55, 0.4, 0.25, 0.1], 60);
    assert!(easier > 0.8, "{easier}");
    assert!(harder == 0.0, "{harder}");
}

#[test]
fn page_on_scaled_drops_would_not_keep_its_level() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut easier = 0;
    for _ in 0..200 {
        let family = simulate(&[0.9, 0.7, 0.5, 0.3], &[0.3; 4], 100, &mut rng);
        let blocks: Vec<Vec<f64>> = (0..100)
            .map(|i| {
                let scaled = family.iter().map(|level| {
                    let dense: f64 = level.scores.iter().map(|s| s.dense).sum();
                    -level.scores[i].drop / dense
                });
                scaled.collect()
            })
            .collect();
        easier += i32::from(page_l(&blocks, 0, 0).unwrap().p_normal <= 0.05);
    }
    assert!(easier > 40, "{easier} of 200");
}

#[test]
fn slope_is_exact_for_a_line() {
    // Relative drops 0.1, 0.3, 0.5 at any dense scores.
    let levels: Vec<LevelScores> = [(0.0, 0.1, 1.0), (0.5, 0.3, 0.8), (1.0, 0.5, 0.2)]
        .map(|(x, relative, dense)| level(x, &[(dense, relative * dense); 4]))
        .into();
    let slope = relative_drop_slope(std::slice::from_ref(&levels)).unwrap();
    assert!((slope.value - 0.4).abs() < 1e-12);
    let mean = mean_relative_drop(&[levels]).unwrap();
    assert!((mean.value - (0.1 + 0.24 + 0.1) / 2.0).abs() < 1e-12);
}

#[test]
fn t_test_agrees_with_scipy() {
    // 2 * scipy.stats.t.sf(2.1, 14) and scipy.stats.t.ppf(0.975, 14)
    assert!((p_two_sided(2.1, 1.0, 14.0) - 0.054_333_145_974_904_81).abs() < 1e-9);
    let estimate = Estimate { value: 0.0, standard_error: 1.0, degrees_of_freedom: 14.0, p: 1.0 };
    assert!((estimate.interval(0.95)[1] - 2.144_786_687_917_804).abs() < 1e-7);
}

#[test]
fn families_keep_their_own_mean() {
    // Two flat families of different mean drop: no slope, although the harder-only family lost more.
    let flat = |relative: f64, from: f64| -> Vec<LevelScores> {
        (0..2).map(|j| level(from + f64::from(j) / 2.0, &[(1.0, relative); 6])).collect()
    };
    let slope = relative_drop_slope(&[flat(0.1, 0.0), flat(0.6, 0.5)]).unwrap();
    assert!(slope.value.abs() < 1e-12);
}

#[test]
fn bad_input_is_named() {
    assert!(matches!(relative_drop_slope(&[]), Err(StatsError::Empty { .. })));
    let at_chance = vec![level(0.0, &[(1.0, 0.0); 5]), level(1.0, &[(0.0, 0.0); 5])];
    assert!(matches!(
        relative_drop_slope(&[at_chance]),
        Err(StatsError::NothingToLose { what, .. }) if what == "at 1"
    ));
    let one = vec![level(0.0, &[(1.0, 0.0); 5])];
    assert!(matches!(relative_drop_slope(&[one]), Err(StatsError::TooFew { .. })));
    let nan = vec![level(0.0, &[(1.0, f64::NAN); 5]), level(1.0, &[(1.0, 0.0); 5])];
    assert!(matches!(relative_drop_slope(&[nan]), Err(StatsError::NotFinite { .. })));
}
