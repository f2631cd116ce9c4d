use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{Compression, FamilyLevels, ItemOutcome, Outcomes, SizeMatch};

const LEVELS: usize = 4;
const ITEMS: usize = 60;

/// A family of four levels; `lost(level)` is the chance that an item is wrong that the dense model has right.
fn outcomes(lost: impl Fn(usize) -> f64, seed: u64) -> Vec<Outcomes> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let level = |level: usize| {
        let items = (0..ITEMS).map(|i| ItemOutcome {
            id: i.to_string(),
            // The dense model errs on a tenth of the items, others at each level.
            correct: !(i + level).is_multiple_of(10) && !rng.random_bool(lost(level)),
            choices: 4,
        });
        Outcomes { variant: format!("family/{level}"), items: items.collect() }
    };
    (0..LEVELS).map(level).collect()
}

fn compression(series: Series, strength: f64, lost: impl Fn(usize) -> f64) -> Compression {
    Compression {
        name: format!("{series:?} {strength}"),
        outcomes: outcomes(lost, (strength * 1000.0) as u64 + 1),
        series,
        strength,
    }
}

/// Magnitude pruning that hurts harder levels more, random pruning that hurts all, quantization as given.
fn study(quantized: impl Fn(usize) -> f64) -> Study {
    let mut compressions = Vec::new();
    for sparsity in [0.25, 0.5, 0.75] {
        compressions.push(compression(Series::Magnitude, sparsity, |level| sparsity * (0.1 + 0.25 * level as f64)));
        compressions.push(compression(Series::Random, sparsity, |_| 0.3 + sparsity / 2.0));
    }
    compressions.push(compression(Series::Quantization, 12.0, quantized));
    Study {
        families: vec![FamilyLevels {
            family: "family".to_owned(),
            variants: (0..LEVELS).map(|level| format!("family/{level}")).collect(),
        }],
        dense: outcomes(|_| 0.0, 0),
        compressions,
        matches: vec![SizeMatch { pruned: "Magnitude 0.75".to_owned(), quantized: "Quantization 12".to_owned() }],
        ..Study::default()
    }
}

fn find(verdicts: &[Verdict], claim: Claim, series: Series) -> &Verdict {
    let mut all = verdicts.iter();
    all.find(|v| v.claim == claim && v.series == series).unwrap()
}

#[test]
fn planted_effects_are_found() {
    let verdicts = judge(&study(|_| 0.0), &JudgeConfig::default()).unwrap();
    for (claim, series) in [
        (Claim::DropGrowsWithSparsity, Series::Magnitude),
        (Claim::HarderTasksDropMore, Series::Magnitude),
        (Claim::QuantizationShowsNoOrdering, Series::Quantization),
        (Claim::PruningOrdersMoreThanQuantization, Series::Magnitude),
        (Claim::RandomPruningLosesMore, Series::Random),
        (Claim::DropGrowsWithSparsity, Series::Random),
    ] {
        let verdict = find(&verdicts, claim, series);
        assert_eq!(verdict.outcome, Decision::Supported, "{verdict:#?}");
    }
}

#[test]
fn ordered_quantization_contradicts() {
    let verdicts = judge(&study(|level| 0.3 * level as f64), &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::QuantizationShowsNoOrdering, Series::Quantization);
    assert_eq!(verdict.outcome, Decision::Contradicted, "{verdict:#?}");
}

#[test]
fn a_collapsed_model_shows_nothing() {
    let verdicts = judge(&study(|_| 0.75), &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::QuantizationShowsNoOrdering, Series::Quantization);
    assert_eq!(verdict.outcome, Decision::NotDecided, "{verdict:#?}");
}

#[test]
fn falling_drops_contradict_growth() {
    let mut study = study(|_| 0.0);
    for compression in &mut study.compressions {
        compression.strength = -compression.strength;
    }
    let verdicts = judge(&study, &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::DropGrowsWithSparsity, Series::Magnitude);
    assert_eq!(verdict.outcome, Decision::Contradicted, "{verdict:#?}");
}

#[test]
fn a_model_that_has_lost_everything_cannot_lose_less() {
    let mut study = study(|_| 0.0);
    study.compressions = vec![
        compression(Series::Magnitude, 0.25, |level| 0.05 * level as f64),
        // Always wrong, then as good as a guess: a drop of 1.3, then of 1.
        compression(Series::Magnitude, 0.5, |_| 1.0),
        compression(Series::Magnitude, 0.75, |_| 0.78),
    ];
    study.matches.clear();
    let verdicts = judge(&study, &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::DropGrowsWithSparsity, Series::Magnitude);
    assert_eq!(verdict.outcome, Decision::Supported, "{verdict:#?}");
    // With something left at the end it does not grow.
    study.compressions[2] = compression(Series::Magnitude, 0.75, |_| 0.4);
    let verdicts = judge(&study, &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::DropGrowsWithSparsity, Series::Magnitude);
    assert_eq!(verdict.outcome, Decision::Contradicted, "{verdict:#?}");
}

#[test]
fn missing_data_decides_nothing() {
    let mut bare = study(|_| 0.0);
    bare.compressions.clear();
    bare.matches.clear();
    let too_thin = JudgeConfig { min_items: ITEMS + 1, ..JudgeConfig::default() };
    for (study, config) in [(bare, JudgeConfig::default()), (study(|_| 0.0), too_thin)] {
        let verdicts = judge(&study, &config).unwrap();
        assert!(verdicts.len() >= 5);
        for verdict in verdicts {
            assert_eq!(verdict.outcome, Decision::NotDecided, "{verdict:#?}");
            assert!(!verdict.reason.is_empty());
            assert_eq!(verdict.effect, None);
        }
    }
}

#[test]
fn floor_and_ceiling_are_kept_out_and_named() {
    let mut study = study(|_| 0.0);
    for (level, every) in [(0, usize::MAX), (3, 4)] {
        for (i, item) in study.dense[level].items.iter_mut().enumerate() {
            item.correct = if every == usize::MAX { true } else { i % every == 0 };
        }
    }
    let verdicts = judge(&study, &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::HarderTasksDropMore, Series::Magnitude);
    assert_eq!(verdict.outcome, Decision::NotDecided);
    assert!(verdict.excluded.iter().any(|e| e.starts_with("family/0: ceiling")));
    assert!(verdict.excluded.iter().any(|e| e.starts_with("family/3: floor")));
    assert!(verdict.excluded.iter().any(|e| e.starts_with("family family: 2 of")));
}

#[test]
fn wrong_studies_are_named() {
    let mut missing = study(|_| 0.0);
    missing.compressions[0].outcomes.pop();
    let error = judge(&missing, &JudgeConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "Magnitude 0.25 has no variant family/3");
    let mut unpaired = study(|_| 0.0);
    unpaired.compressions[0].outcomes[1].items.pop();
    assert!(matches!(
        judge(&unpaired, &JudgeConfig::default()),
        Err(StatsError::NotPaired { right, .. }) if right.ends_with("under Magnitude 0.25")
    ));
    let mut infinite = study(|_| 0.0);
    infinite.compressions[0].strength = f64::NAN;
    assert!(matches!(judge(&infinite, &JudgeConfig::default()), Err(StatsError::NotFinite { .. })));
    let bad = JudgeConfig { alpha: 0.0, ..JudgeConfig::default() };
    assert!(judge(&study(|_| 0.0), &bad).is_err());
}

#[test]
fn verdicts_survive_json() {
    let verdicts = judge(&study(|_| 0.1), &JudgeConfig::default()).unwrap();
    let json = serde_json::to_string(&verdicts).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Verdict>>(&json).unwrap(), verdicts);
}

#[test]
fn swapped_matches_are_named() {
    let mut swapped = study(|_| 0.0);
    let pair = &mut swapped.matches[0];
    std::mem::swap(&mut pair.pruned, &mut pair.quantized);
    let error = judge(&swapped, &JudgeConfig::default()).unwrap_err().to_string();
    assert!(error.contains("Quantization 12 is of series Quantization"), "{error}");
}

#[test]
fn an_unchanged_but_tiny_sample_is_no_equivalence() {
    let mut tiny = study(|_| 0.0);
    let all = tiny.dense.iter_mut().chain(tiny.compressions.iter_mut().flat_map(|c| &mut c.outcomes));
    all.for_each(|outcomes| outcomes.items.truncate(20));
    let verdicts = judge(&tiny, &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::QuantizationShowsNoOrdering, Series::Quantization);
    assert_eq!(verdict.outcome, Decision::NotDecided, "{verdict:#?}");
}

/// The families of both, renamed, with the compressions of equal names joined.
fn joined(mut first: Study, mut second: Study) -> Study {
    let rename = |outcomes: &mut Vec<Outcomes>| outcomes.iter_mut().for_each(|o| o.variant.insert_str(0, "other "));
    rename(&mut second.dense);
    first.dense.append(&mut second.dense);
    for family in &mut second.families {
        family.family.insert_str(0, "other ");
        family.variants.iter_mut().for_each(|variant| variant.insert_str(0, "other "));
    }
    first.families.append(&mut second.families);
    for (one, other) in first.compressions.iter_mut().zip(&mut second.compressions) {
        rename(&mut other.outcomes);
        one.outcomes.append(&mut other.outcomes);
    }
    first
}

#[test]
fn families_that_disagree_are_not_averaged_away() {
    // One family is ordered, the other as much the other way round: their mean slope is none.
    let both = joined(study(|level| 0.2 * level as f64), study(|level| 0.2 * (3 - level) as f64));
    let lenient = JudgeConfig { equivalence_margin: 0.3, ..JudgeConfig::default() };
    let verdicts = judge(&both, &lenient).unwrap();
    let verdict = find(&verdicts, Claim::QuantizationShowsNoOrdering, Series::Quantization);
    assert_eq!(verdict.outcome, Decision::NotDecided, "{verdict:#?}");
    assert_eq!(verdict.reason, "family family alone is ordered");
}

#[test]
fn what_is_kept_out_does_not_change_what_an_effect_means() {
    // Relative drops of a line: the effect from easiest to hardest is the same without the easiest level.
    let mut whole = study(|_| 0.0);
    whole.compressions.retain(|compression| compression.series == Series::Quantization);
    whole.matches.clear();
    for (level, outcomes) in whole.compressions[0].outcomes.iter_mut().enumerate() {
        let mut right: Vec<&mut ItemOutcome> = outcomes.items.iter_mut().filter(|item| item.correct).collect();
        right.iter_mut().take(6 * level).for_each(|item| item.correct = false);
    }
    let effect = |study: &Study| {
        let verdicts = judge(study, &JudgeConfig::default()).unwrap();
        find(&verdicts, Claim::QuantizationShowsNoOrdering, Series::Quantization).effect.unwrap()
    };
    let all = effect(&whole);
    whole.dense[0].items.iter_mut().for_each(|item| item.correct = true);
    let fewer = effect(&whole);
    assert!((all - fewer).abs() < 0.02 && all > 0.3, "{all} {fewer}");
}

#[test]
fn seeds_that_differ_widen_the_interval() {
    // Three models of each strength: alike, and such that lose evenly more or less on the hardest level.
    let seeded = |spread: f64| {
        let mut base = study(|_| 0.0);
        base.matches.clear();
        base.compressions.clear();
        for (at, seed) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
            let lost = |level: usize| 0.4 + spread * seed * (level as f64 - 1.5);
            let one = compression(Series::Magnitude, 0.5 + at as f64 / 100.0, lost);
            base.compressions.push(Compression { strength: 0.5, ..one });
        }
        let verdicts = judge(&base, &JudgeConfig::default()).unwrap();
        let interval = find(&verdicts, Claim::HarderTasksDropMore, Series::Magnitude).interval.unwrap();
        interval[1] - interval[0]
    };
    let (alike, different) = (seeded(0.0), seeded(0.2));
    assert!(different > 1.5 * alike, "{alike} {different}");
}

#[test]
fn a_drop_that_comes_back_is_not_growth() {
    let mut dip = study(|_| 0.0);
    dip.compressions.retain(|compression| compression.series != Series::Random);
    for compression in dip.compressions.iter_mut().filter(|c| c.series == Series::Magnitude) {
        let lost = if compression.strength == 0.5 { 0.4 } else { compression.strength * 0.4 };
        compression.outcomes = outcomes(|_| lost, (compression.strength * 1000.0) as u64);
    }
    let verdicts = judge(&dip, &JudgeConfig::default()).unwrap();
    let verdict = find(&verdicts, Claim::DropGrowsWithSparsity, Series::Magnitude);
    assert_ne!(verdict.outcome, Decision::Supported, "{verdict:#?}");
}
