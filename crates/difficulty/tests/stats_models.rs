//! Fitted models: against lme4 and against what was planted.

use junkdna_difficulty::StatsError;
use junkdna_difficulty::stats::{Answer, mixed_logistic, sparsity_by_difficulty};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// 40 items × 3 difficulties × 4 sparsities, drawn by a linear congruential generator that R can follow.
fn answers() -> Vec<(usize, bool, f64, f64)> {
    let mut state = 12_345_u32;
    let mut answers = Vec::new();
    for item in 0..40_usize {
        let intercept = ((item * 17 % 40) as f64 - 19.5) / 10.0;
        for difficulty in [0.0, 0.5, 1.0] {
            for sparsity in [0.0, 0.25, 0.5, 0.75] {
                state = (state * 1103 + 12_289) % 65_536;
                let uniform = (f64::from(state) + 0.5) / 65_536.0;
                let odds = 2.0 + intercept - 1.5 * sparsity - difficulty - 2.0 * sparsity * difficulty;
                answers.push((item, uniform < 1.0 / (1.0 + (-odds).exp()), sparsity, difficulty));
            }
        }
    }
    answers
}

#[test]
fn mixed_logistic_agrees_with_lme4() {
    let answers = answers();
    assert_eq!(answers.iter().filter(|answer| answer.1).count(), 301);
    // lme4 1.1-31: glmer(y ~ s * d + (1 | item), binomial, nAGQ = 25) on the centred predictors. Its standard errors
    // come from a numerical Hessian: they agree to fewer digits.
    let fit = sparsity_by_difficulty(&answers).unwrap();
    for (found, value, error) in [
        (fit.sparsity, -1.918_862_000_792, 0.410_480_752),
        (fit.difficulty, -1.648_572_451_777, 0.285_266_731),
        (fit.interaction, -1.596_904_270_080, 1.004_160_907),
    ] {
        close(found.value, value, 2e-6);
        close(found.standard_error, error, 2e-5);
    }
    close(fit.item_deviation, 1.047_640_201_6, 2e-6);
    close(fit.log_likelihood, -272.174_180_485_32, 1e-6);
    close(fit.interaction.p, 0.111_770_075, 1e-5);
}

#[test]
fn planted_interactions_are_recovered() {
    // Estimates over 100 data sets: their mean is at the truth and their spread is what the standard errors say.
    let truth = [1.5, -1.0, -0.5, -2.0];
    let fits: Vec<_> = (0..100).map(|seed| simulated(&truth, 1.2, 100, seed)).collect();
    for (at, truth) in truth.iter().enumerate() {
        let values: Vec<f64> = fits.iter().map(|fit| fit.coefficients[at].value).collect();
        let mean = values.iter().sum::<f64>() / 100.0;
        let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 99.0).sqrt();
        let stated = fits.iter().map(|fit| fit.coefficients[at].standard_error).sum::<f64>() / 100.0;
        // Four standard errors of a mean of 100; a standard deviation of 100 values is off by 7 % (one standard error).
        close(mean, *truth, 4.0 * spread / 10.0);
        close(spread / stated, 1.0, 0.28);
    }
    let deviation = fits.iter().map(|fit| fit.item_deviation).sum::<f64>() / 100.0;
    close(deviation, 1.2, 0.05);
}

fn simulated(beta: &[f64; 4], deviation: f64, items: usize, seed: u64) -> junkdna_difficulty::stats::MixedLogistic {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut answers = Vec::new();
    for item in 0..items {
        // A sum of twelve uniforms is normal enough.
        let intercept = deviation * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0);
        for difficulty in [0.0, 0.5, 1.0] {
            for sparsity in [0.0, 0.4, 0.8] {
                let predictors = vec![1.0, sparsity, difficulty, sparsity * difficulty];
                let odds = intercept + beta.iter().zip(&predictors).map(|(b, x)| b * x).sum::<f64>();
                let correct = rng.random::<f64>() < 1.0 / (1.0 + (-odds).exp());
                answers.push(Answer { item, correct, predictors });
            }
        }
    }
    mixed_logistic(&answers, 9).unwrap()
}

#[test]
fn equal_items_need_no_intercepts_of_their_own() {
    // Every item has the same answers: the deviation is zero and the rest is ordinary logistic regression, in closed
    // form ln(right / wrong) with error sqrt(1 / right + 1 / wrong).
    let answer = |item, k: usize| Answer { item, correct: k < 6, predictors: vec![1.0] };
    let answers: Vec<Answer> = (0..30).flat_map(|item| (0..8).map(move |k| answer(item, k))).collect();
    let fit = mixed_logistic(&answers, 15).unwrap();
    close(fit.item_deviation, 0.0, 1e-3);
    close(fit.coefficients[0].value, 3.0_f64.ln(), 1e-4);
    close(fit.coefficients[0].standard_error, (1.0 / 180.0 + 1.0 / 60.0_f64).sqrt(), 1e-4);
}

#[test]
fn mixed_logistic_does_not_depend_on_threads() {
    let answers = answers();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let fit = || sparsity_by_difficulty(&answers).unwrap();
    assert_eq!(pool(1).install(fit), pool(4).install(fit));
}

#[test]
fn hopeless_regressions_are_named() {
    let answer = |item: usize, correct, x: f64| Answer { item, correct, predictors: vec![1.0, x] };
    // The predictor separates.
    let separated: Vec<Answer> = (0..20).map(|i| answer(i % 5, i >= 10, i as f64)).collect();
    assert!(matches!(mixed_logistic(&separated, 9), Err(StatsError::NotConverged { .. })));
    // The predictor repeats the intercept.
    let repeated: Vec<Answer> = (0..20).map(|i| answer(i % 5, i % 3 == 0, 2.0)).collect();
    assert!(matches!(mixed_logistic(&repeated, 9), Err(StatsError::NotConverged { .. })));
    assert!(matches!(mixed_logistic(&[], 9), Err(StatsError::Empty { .. })));
    assert!(matches!(mixed_logistic(&[answer(0, true, f64::NAN)], 9), Err(StatsError::NotFinite { .. })));
    assert!(matches!(mixed_logistic(&[answer(0, true, 1.0)], 1), Err(StatsError::TooFew { .. })));
}
