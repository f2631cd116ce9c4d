//! Tests of order and association, against SciPy, statsmodels and enumeration.

use junkdna_difficulty::StatsError;
use junkdna_difficulty::stats::{Estimate, JonckheereTest};
use junkdna_difficulty::stats::{equivalence, isotonic, jonckheere, kendall, monotonicity, page_l, spearman};
use proptest::prelude::*;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

fn groups(values: &[&[f64]]) -> JonckheereTest {
    jonckheere(&values.iter().map(|group| group.to_vec()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn jonckheere_agrees_with_the_textbook() {
    // Hollander and Wolfe 1999, example 6.2 (knowledge of performance): J = 79, J* = 2.04 with the correction for ties.
    let test = groups(&[
        &[40.0, 35.0, 38.0, 43.0, 44.0, 41.0],
        &[38.0, 40.0, 47.0, 44.0, 40.0, 42.0],
        &[48.0, 40.0, 45.0, 43.0, 46.0, 44.0],
    ]);
    assert_eq!((test.j, test.expected), (79.0, 54.0));
    close(test.z, 2.039_293_058_844_717_4, 1e-12);
    close(test.p_normal, 0.020_710_393_993_047_232, 1e-9);
}

#[test]
fn jonckheere_is_exact_by_enumeration() {
    // All 11,550 and 4,200 assignments, enumerated in Python.
    let ties = groups(&[&[1.0, 3.0, 2.0, 3.0], &[2.0, 4.0, 3.0, 5.0], &[4.0, 3.0, 6.0]]);
    assert_eq!(ties.j, 31.5);
    close(ties.p(), 306.0 / 11_550.0, 1e-12);
    close(ties.z, 1.974_699_242_397_963_2, 1e-12);
    let none = groups(&[&[1.1, 2.5, 0.3, 3.9], &[2.2, 4.4, 3.1], &[5.0, 1.9, 6.6]]);
    close(none.p(), 269.0 / 4_200.0, 1e-12);
    close(none.p_normal, 0.051_730_148_302_481_65, 1e-9);
}

#[test]
fn jonckheere_of_two_groups_is_mann_whitney() {
    // scipy.stats.mannwhitneyu(…, alternative="greater", method="exact")
    let test = groups(&[&[1.0, 2.0, 3.0, 9.0], &[2.5, 7.0, 8.0, 11.0, 12.0]]);
    assert_eq!(test.j, 16.0);
    close(test.p(), 0.095_238_095_238_095_23, 1e-12);
}

#[test]
fn jonckheere_of_equal_values_is_no_evidence() {
    let test = groups(&[&[2.0; 3], &[2.0; 4]]);
    assert_eq!((test.z, test.p_normal, test.p_exact), (0.0, 1.0, Some(1.0)));
    assert!(matches!(jonckheere(&[vec![1.0]]), Err(StatsError::TooFew { .. })));
    assert!(matches!(jonckheere(&[vec![1.0], vec![]]), Err(StatsError::Empty { .. })));
    assert!(matches!(jonckheere(&[vec![1.0], vec![f64::NAN]]), Err(StatsError::NotFinite { .. })));
}

#[test]
fn large_samples_take_the_normal_approximation() {
    let sample = |shift: usize| (0..60).map(|i| ((i * 37 + shift) % 101) as f64).collect::<Vec<_>>();
    let test = jonckheere(&[sample(0), sample(5), sample(9), sample(13)]).unwrap();
    assert_eq!(test.p_exact, None);
    assert_eq!(test.p(), test.p_normal);
}

const X: [f64; 7] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
const Y: [f64; 7] = [2.0, 1.0, 4.0, 3.0, 7.0, 5.0, 6.0];

#[test]
fn kendall_agrees_with_scipy() {
    // scipy.stats.kendalltau(x, y, method="exact"), two-sided and greater.
    let test = kendall(&X, &Y, 0, 0).unwrap();
    assert!(test.exact);
    close(test.value, 0.619_047_619_047_619_1, 1e-14);
    close(test.p, 0.069_047_619_047_619_05, 1e-14);
    close(test.p_greater, 0.034_523_809_523_809_526, 1e-14);
    // With ties: SciPy's coefficient, all 720 orders counted.
    let (x, y) = ([1.0, 1.0, 2.0, 3.0, 3.0, 4.0], [2.0, 1.0, 2.0, 4.0, 3.0, 3.0]);
    let test = kendall(&x, &y, 0, 0).unwrap();
    close(test.value, 0.692_307_692_307_692_4, 1e-14);
    close(test.p, 0.122_222_222_222_222_22, 1e-14);
    close(test.p_greater, 0.061_111_111_111_111_11, 1e-14);
}

#[test]
fn spearman_agrees_with_scipy() {
    // scipy.stats.spearmanr, and all 5,040 (720) orders counted.
    let test = spearman(&X, &Y, 0, 0).unwrap();
    close(test.value, 0.821_428_571_428_571_5, 1e-14);
    close(test.p, 0.034_126_984_126_984_124, 1e-14);
    close(test.p_greater, 0.017_063_492_063_492_062, 1e-14);
    let test = spearman(&[1.0, 1.0, 2.0, 3.0, 3.0, 4.0], &[2.0, 1.0, 2.0, 4.0, 3.0, 3.0], 0, 0).unwrap();
    close(test.value, 0.818_181_818_181_818, 1e-14);
    close(test.p, 0.077_777_777_777_777_77, 1e-14);
}

#[test]
fn drawn_permutations_agree_with_asymptotics() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let y = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4].map(f64::from);
    // Coefficients by SciPy; p-values of 200,000 permutations in NumPy, tolerances four standard errors of ours.
    let tau = kendall(&x, &y, 20_000, 3).unwrap();
    close(tau.value, 0.219_992_850_348_543_63, 1e-14);
    close(tau.p, 0.204_27, 0.011_5);
    close(tau.p_greater, 0.101_92, 0.008_6);
    let rho = spearman(&x, &y, 20_000, 3).unwrap();
    close(rho.value, 0.270_669_003_247_822, 1e-14);
    close(rho.p, 0.247_065, 0.012_2);
    assert_eq!(rho, spearman(&x, &y, 20_000, 3).unwrap());
}

#[test]
fn correlations_without_order_are_named() {
    assert!(matches!(kendall(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0], 10, 0), Err(StatsError::Constant { .. })));
    assert!(matches!(spearman(&[1.0, 2.0], &[1.0, 2.0], 10, 0), Err(StatsError::TooFew { .. })));
    assert!(matches!(spearman(&[1.0; 3], &[1.0; 4], 10, 0), Err(StatsError::Ragged { .. })));
}

#[test]
fn isotonic_agrees_with_scikit_learn() {
    // sklearn.isotonic.IsotonicRegression().fit(range(8), values, sample_weight=weights)
    let fit = isotonic(&[1.0, 3.0, 2.0, 4.0, 3.5, 3.0, 6.0, 5.0], &[1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 2.0]).unwrap();
    let (a, b) = (8.0 / 3.0, 16.0 / 3.0);
    for (found, expected) in fit.into_iter().zip([1.0, a, a, 3.5, 3.5, 3.5, b, b]) {
        close(found, expected, 1e-12);
    }
    assert!(matches!(isotonic(&[1.0], &[0.0]), Err(StatsError::OutOfRange { .. })));
}

#[test]
fn monotonicity_agrees_with_chi_bar_squared() {
    // Three equal groups: P(T ≥ t) = P(χ²₂ ≥ t) / 3 + P(χ²₁ ≥ t) / 2 (Robertson et al. 1988, table of level
    // probabilities); statistic and tail by SciPy.
    let test = monotonicity(&[60, 45, 50], &[200; 3], 20_000, 1).unwrap();
    close(test.statistic, 3.022_373_922_055_067, 1e-10);
    close(test.p, 0.114_610_893_207_487_8, 0.008);
    let rising = monotonicity(&[0, 4, 9, 10], &[10; 4], 500, 1).unwrap();
    assert_eq!((rising.statistic, rising.p), (0.0, 1.0));
    assert_eq!(rising.fitted, [0.0, 0.4, 0.9, 1.0]);
    assert!(monotonicity(&[90, 20], &[100; 2], 500, 1).unwrap().p < 0.01);
    assert!(matches!(monotonicity(&[3, 1], &[2, 2], 500, 1), Err(StatsError::OutOfRange { .. })));
}

#[test]
fn equivalence_agrees_with_statsmodels() {
    // statsmodels DescrStatsW(d).ttost_mean(-0.06, 0.06) over ten differences with this mean and standard error.
    let (value, standard_error) = (0.009_999_999_999_999_998, 0.014_832_396_974_191_326);
    let estimate = Estimate { value, standard_error, degrees_of_freedom: 9.0, p: 1.0 };
    let test = equivalence(&estimate, 0.06).unwrap();
    close(test.p_lower, 0.000_545_004_889_901_898_7, 1e-9);
    close(test.p_upper, 0.004_121_947_084_178_788, 1e-9);
    assert_eq!(test.p, test.p_upper);
    assert!(equivalence(&estimate, 0.0).unwrap().p >= 0.5);
    assert!(equivalence(&estimate, -0.1).is_err());
}

fn small() -> impl Strategy<Value = f64> {
    (-5_i8..6).prop_map(f64::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn jonckheere_tails_add_up(table in proptest::collection::vec(proptest::collection::vec(small(), 1..5), 2..4)) {
        let test = jonckheere(&table)?;
        let mut reversed = table.clone();
        reversed.reverse();
        let other = jonckheere(&reversed)?;
        prop_assert!((test.j + other.j - 2.0 * test.expected).abs() < 1e-9);
        // Both tails hold the observed value: they cover at least everything.
        let (p, q) = (test.p(), other.p());
        prop_assert!((0.0..=1.0).contains(&p) && p + q >= 1.0 - 1e-9, "{p} {q}");
    }

    #[test]
    fn correlations_are_symmetric_and_signed(pairs in proptest::collection::vec((small(), small()), 4..9)) {
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let minus: Vec<f64> = y.iter().map(|v| -v).collect();
        for test in [spearman, kendall] {
            let Ok(straight) = test(&x, &y, 50, 0) else { continue };
            let swapped = test(&y, &x, 50, 0)?;
            prop_assert!((straight.value - swapped.value).abs() < 1e-12);
            prop_assert!((straight.value + test(&x, &minus, 50, 0)?.value).abs() < 1e-12);
            if straight.exact {
                prop_assert!((straight.p - swapped.p).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn isotonic_is_the_projection(rows in proptest::collection::vec((-9.0..9.0, 0.1..5.0), 1..30)) {
        let (values, weights): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let fit = isotonic(&values, &weights)?;
        prop_assert!(fit.windows(2).all(|pair| pair[0] <= pair[1]));
        // The projection on a cone is where the residual is orthogonal to the fit and sums to zero.
        let weighted = |of: &dyn Fn(usize) -> f64| (0..fit.len()).map(|i| weights[i] * of(i)).sum::<f64>();
        prop_assert!(weighted(&|i| values[i] - fit[i]).abs() < 1e-8);
        prop_assert!(weighted(&|i| (values[i] - fit[i]) * fit[i]).abs() < 1e-7);
        let again = isotonic(&fit, &weights)?;
        prop_assert!(again.iter().zip(&fit).all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn page_does_not_depend_on_threads(
        blocks in proptest::collection::vec(proptest::collection::vec(small(), 3), 1..8),
        seed: u64,
    ) {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert_eq!(page_l(&blocks, 200, seed)?, alone.install(|| page_l(&blocks, 200, seed))?);
    }
}
