//! Metrics against the values of lm-evaluation-harness 0.4.13, scikit-learn 1.9 and SciPy 1.17.

use junkdna_eval::metrics::{
    Aggregation, ExactMatch, Score, Value, Weighting, aggregate, bootstrap_stderr, macro_f1, normalize, pearson,
    spearman, squad_exact_match, squad_f1, token_f1,
};
use proptest::prelude::*;

const CLASSES: [(usize, usize); 12] =
    [(0, 0), (1, 1), (1, 0), (0, 0), (1, 1), (2, 1), (1, 1), (0, 1), (1, 1), (1, 0), (0, 0), (2, 2)];
const SUMS: [f64; 5] = [-1.5, -0.25, -3.0, -0.75, -2.0];
const WEIGHTS: [f64; 5] = [3.0, 1.0, 4.0, 2.0, 5.0];

fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{got}, not {expected}");
}

fn classes(binary: bool) -> Vec<Value> {
    let class = |class: usize| if binary { class.min(1) } else { class };
    CLASSES.iter().map(|&(gold, predicted)| Value::Classes(class(gold), class(predicted))).collect()
}

fn numbers() -> Vec<Value> {
    SUMS.iter().map(|&sum| Value::Number(sum)).collect()
}

#[test]
fn parity_aggregations() {
    let value = |aggregation: Aggregation, values: &[Value]| aggregation.score(values, 0).value;
    close(value(Aggregation::F1, &classes(true)), 0.8);
    close(value(Aggregation::Matthews, &classes(true)), 0.47809144373375745);
    close(value(Aggregation::Matthews, &classes(false)), 0.44733752888061057);
    close(macro_f1(&CLASSES), 0.6666666666666666);
    close(value(Aggregation::Mean, &numbers()), -1.5);
    close(value(Aggregation::Median, &numbers()), -1.5);
    close(value(Aggregation::Perplexity, &numbers()), 4.4816890703380645);
    let weighted: Vec<Value> = SUMS.iter().zip(WEIGHTS).map(|(&sum, weight)| Value::Weighted(sum, weight)).collect();
    close(value(Aggregation::WeightedPerplexity, &weighted), 1.6487212707001282);
    close(value(Aggregation::BitsPerByte, &weighted), 0.7213475204444817);
    let probabilities = [(0, [0.7, 0.2, 0.1]), (2, [0.3, 0.3, 0.4]), (1, [0.5, 0.25, 0.25])];
    let brier: Vec<Value> = probabilities.iter().map(|(gold, p)| Value::Probabilities(*gold, p.to_vec())).collect();
    close(value(Aggregation::Brier, &brier), 0.5183333333333334);
}

#[test]
fn parity_standard_errors() {
    let stderr = |aggregation: Aggregation, values: &[Value], n| aggregation.score(values, n).stderr.unwrap();
    close(stderr(Aggregation::Mean, &numbers(), 1), 0.4808846015417836);
    close(stderr(Aggregation::Perplexity, &numbers(), 2000), 2.289567195496009);
    close(stderr(Aggregation::Median, &numbers(), 2500), 0.6662140458985234);
    close(stderr(Aggregation::F1, &classes(true), 1000), 0.1245040151920464);
    close(stderr(Aggregation::Matthews, &classes(false), 1000), 0.2500978783599855);
    assert_eq!(Aggregation::Brier.score(&[], 1000).stderr, None);
    assert_eq!(Aggregation::Mean.score(&numbers()[..1], 1000).stderr, None);
}

#[test]
fn parity_groups() {
    let score = |value, stderr| Score { value, stderr: Some(stderr) };
    let tasks = [(score(0.5, 0.1), 10), (score(0.25, 0.2), 30), (score(0.9, 0.05), 7)];
    let [size, equal] = [Weighting::Size, Weighting::Equal].map(|weighting| aggregate(&tasks, weighting).unwrap());
    close(size.value, 0.4);
    close(size.stderr.unwrap(), 0.13158202683966394);
    close(equal.value, 0.5499999999999999);
    close(equal.stderr.unwrap(), 0.07637626158259735);
    let unknown = [tasks[0], (Score { value: 1.0, stderr: None }, 3)];
    assert_eq!(aggregate(&unknown, Weighting::Size).unwrap().stderr, None);
    assert_eq!(aggregate(&[], Weighting::Size), None);
}

#[test]
fn parity_correlations() {
    let (x, y) = ([0.5, 2.0, 2.0, -1.0, 3.5, 0.1], [1.0, 1.5, 2.5, 0.0, 2.5, 0.2]);
    close(pearson(&x, &y), 0.9270330399363107);
    close(spearman(&x, &y), 0.9558823529411764);
    assert!(pearson(&x, &[1.0; 6]).is_nan());
}

#[test]
fn parity_answers() {
    let regexes = [",", "\\$", "(?s).*#### ", "\\.$"].map(str::to_owned);
    let matches = |exact: &ExactMatch| {
        [("Yes.", "yes"), ("Yes", "Yes"), ("$1,234.", "x\n#### 1234"), ("a1", "a2")]
            .map(|(answer, gold)| exact.matches(answer, gold).unwrap())
    };
    let plain = ExactMatch::default();
    assert_eq!(matches(&plain), [false, true, false, false]);
    let mut relaxed = plain.clone();
    (relaxed.ignore_case, relaxed.ignore_punctuation) = (true, true);
    assert_eq!(matches(&relaxed), [true, true, false, false]);
    let mut wordy = plain.clone();
    wordy.ignore_numbers = true;
    assert_eq!(matches(&wordy), [false, true, false, true]);
    assert_eq!(matches(&plain.ignoring(&regexes).unwrap()), [false, true, true, false]);
}

#[test]
fn parity_squad() {
    for (text, normalized) in [
        ("The  Cat's an-a, the.", "cats ana"),
        ("A b the_x a.b the-end", "b thex ab theend"),
        ("l'été «the» an", "lété « »"),
        ("the", ""),
        ("x\u{a0}the y", "x y"),
    ] {
        assert_eq!(normalize(text), normalized);
    }
    assert_eq!(squad_exact_match("The Cat.", &["dog", "cat"]), 1.0);
    close(squad_f1("the big black cat", &["dog", "a black cat sat"]), 2.0 / 3.0);
    close(token_f1("a a b", "a b b c"), 4.0 / 7.0);
    assert_eq!([token_f1("", ""), token_f1("", "a"), squad_f1("the", &["a"])], [1.0, 0.0, 1.0]);
}

proptest! {
    #[test]
    fn bounds_hold(pairs in prop::collection::vec((0usize..3, 0usize..3), 1..30)) {
        let values: Vec<Value> = pairs.iter().map(|&(gold, predicted)| Value::Classes(gold, predicted)).collect();
        let matthews = Aggregation::Matthews.score(&values, 0).value;
        prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&matthews));
        prop_assert!((0.0..=1.0).contains(&macro_f1(&pairs)));
        let mut backward = pairs.clone();
        backward.reverse();
        prop_assert_eq!(macro_f1(&pairs), macro_f1(&backward));
        if pairs.iter().all(|(gold, predicted)| gold == predicted) {
            prop_assert_eq!(macro_f1(&pairs), 1.0);
        }
    }

    #[test]
    fn word_overlap_is_symmetric(a in "[a-c ]{0,12}", b in "[a-c ]{0,12}") {
        let f1 = token_f1(&a, &b);
        prop_assert!((f1 - token_f1(&b, &a)).abs() < 1e-12 && (0.0..=1.0).contains(&f1));
        prop_assert_eq!(token_f1(&a, &a), 1.0);
    }

    #[test]
    fn ranks_do_not_see_growth(x in prop::collection::vec(-3.0..3.0f64, 3..20)) {
        let grown: Vec<f64> = x.iter().map(|x| x.exp()).collect();
        let rho = spearman(&x, &grown);
        prop_assert!(rho.is_nan() || (rho - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_same_value_everywhere_has_no_error(value in -5.0..5.0f64, n in 2usize..9) {
        let values = vec![value; n];
        let mean = |sample: &[&f64]| sample.iter().copied().sum::<f64>() / sample.len() as f64;
        prop_assert!(bootstrap_stderr(&values, 100, mean) < 1e-12);
    }
}
