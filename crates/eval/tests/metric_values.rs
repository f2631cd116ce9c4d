//! Metrics against the values of lm-evaluation-harness 0.4.13, scikit-learn 1.9 and SciPy 1.17.

mod harness;

use junkdna_eval::metrics::{
    Aggregation, CustomMetric, ExactMatch, Measure, Response, Score, Value, Weighting, aggregate, bootstrap_interval,
    bootstrap_stderr, corpus_bleu, macro_f1, normalize, pearson, rouge_l, rouge_n, spearman, squad_exact_match,
    squad_f1, token_f1,
};
use junkdna_eval::{Example, Gold, LogLikelihood};
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
    let pairs: Vec<Value> = x.iter().zip(y).map(|(&x, y)| Value::Pair(y, x)).collect();
    close(Aggregation::Pearson.score(&pairs, 0).value, 0.9270330399363107);
    close(Aggregation::Spearman.score(&pairs, 0).value, 0.9558823529411764);
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

#[test]
fn parity_texts() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/texts.json");
    let cases: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let pair = |value: &serde_json::Value| -> (String, Vec<String>) { serde_json::from_value(value.clone()).unwrap() };
    let all: Vec<_> = cases["answers"].as_array().unwrap().iter().map(pair).collect();
    for ((answer, golds), expected) in all.iter().zip(cases["rouge"].as_array().unwrap()) {
        close(rouge_n(answer, &golds[0], 1), expected["rouge1"].as_f64().unwrap());
        close(rouge_n(answer, &golds[0], 2), expected["rouge2"].as_f64().unwrap());
        close(rouge_l(answer, &golds[0]), expected["rougeL"].as_f64().unwrap());
    }
    for case in cases["bleu"].as_array().unwrap() {
        let part: Vec<_> = case[0].as_array().unwrap().iter().map(pair).collect();
        let pairs: Vec<(&str, &[String])> = part.iter().map(|(a, golds)| (a.as_str(), golds.as_slice())).collect();
        close(corpus_bleu(&pairs), case[1].as_f64().unwrap());
        let values: Vec<Value> = part.iter().map(|(a, golds)| Value::Texts(golds.clone(), a.clone())).collect();
        close(Aggregation::Bleu.score(&values, 0).value, case[1].as_f64().unwrap());
    }
}

#[test]
fn parity_drawn_texts() {
    let Some(python) = harness::python() else { return };
    let cases = harness::run(&python, "overlaps.py", &[]);
    assert_eq!(cases.len(), 200);
    for case in cases {
        let all: Vec<(String, Vec<String>)> = serde_json::from_value(case["pairs"].clone()).unwrap();
        let pairs: Vec<(&str, &[String])> = all.iter().map(|(a, golds)| (a.as_str(), golds.as_slice())).collect();
        let (bleu, expected) = (corpus_bleu(&pairs), case["bleu"].as_f64().unwrap());
        assert!((bleu - expected).abs() < 1e-10, "{bleu}, not {expected}: {case}");
        for ((answer, golds), expected) in pairs.iter().zip(case["rouge"].as_array().unwrap()) {
            close(rouge_n(answer, &golds[0], 1), expected["rouge1"].as_f64().unwrap());
            close(rouge_n(answer, &golds[0], 2), expected["rouge2"].as_f64().unwrap());
            close(rouge_l(answer, &golds[0]), expected["rougeL"].as_f64().unwrap());
        }
    }
}

/// How many words an answer has, and the most of all answers.
#[derive(Debug)]
struct Longest;

impl CustomMetric for Longest {
    fn name(&self) -> &str {
        "longest"
    }

    fn value(&self, _: &Example, responses: &[Response]) -> Result<Value, String> {
        match responses {
            [Response::Text(text)] => Ok(Value::Number(text.split(' ').count() as f64)),
            _ => Err("is for generated answers".into()),
        }
    }

    fn aggregate(&self, values: &[&Value]) -> Option<f64> {
        let number = |value: &&Value| if let Value::Number(number) = value { *number } else { f64::NAN };
        Some(values.iter().map(number).fold(0.0, f64::max))
    }
}

fn example(choices: &[String], gold: usize) -> Example {
    let document = serde_json::Value::Null;
    Example { doc: 0, document, requests: Vec::new(), choices: choices.to_vec(), gold: Gold::Choice(gold) }
}

#[test]
fn a_metric_of_ones_own_is_measured() {
    let measure = Measure::custom(Longest);
    let value = |text: &str| measure.value(&example(&[], 0), &[Response::Text(text.into())]).unwrap();
    let values = ["a b", "a b c d", "a"].map(value);
    let score = measure.score(&values, 1000);
    assert_eq!((measure.name.as_str(), score.value), ("longest", 4.0));
    assert!(score.stderr.unwrap() > 0.0);
    assert!(measure.value(&example(&[], 0), &[]).unwrap_err().contains("generated"));
    let (low, high) = measure.interval(&values, 0.9, 1000);
    assert!(low < 4.0 && high == 4.0);
}

/// A metric by its name in a task file.
fn named(metric: &str) -> Measure {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    let keys = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: d}}\ntest_split: test\n\
                doc_to_text: q\ndoc_to_target: q\noutput_type: multiple_choice\n";
    std::fs::write(&path, format!("{keys}metric_list: [{{metric: {metric}}}]\n")).unwrap();
    junkdna_eval::Task::load(&path).unwrap().measures.remove(0)
}

proptest! {
    #[test]
    fn options_may_come_in_any_order(
        sums in prop::collection::vec(-9.0..0.0f64, 2..6), turn in 0usize..6, gold in 0usize..6,
    ) {
        let n = sums.len();
        let choices: Vec<String> = (0..n).map(|i| "x".repeat(1 + i * i)).collect();
        let turned = |doc: usize| (doc + turn) % n;
        let responses = |sums: &[f64]| -> Vec<Response> {
            sums.iter().map(|&sum| Response::LogLikelihood(LogLikelihood { sum, greedy: false })).collect()
        };
        let moved: Vec<f64> = (0..n).map(|i| sums[turned(i)]).collect();
        let moved_choices: Vec<String> = (0..n).map(|i| choices[turned(i)].clone()).collect();
        let moved_gold = (0..n).find(|&i| turned(i) == gold % n).unwrap();
        for metric in ["acc", "acc_norm", "acc_bytes", "brier_score"] {
            let measure = named(metric);
            let one = measure.value(&example(&choices, gold % n), &responses(&sums)).unwrap();
            let other = measure.value(&example(&moved_choices, moved_gold), &responses(&moved)).unwrap();
            let (one, other) = (measure.score(&[one], 0).value, measure.score(&[other], 0).value);
            prop_assert!((one - other).abs() < 1e-12, "{metric}");
            prop_assert!((0.0..=2.0).contains(&one));
        }
    }

    #[test]
    fn overlaps_of_texts_are_bounded(answer in "[a-c .]{0,20}", gold in "[a-c .]{0,20}") {
        let golds = [gold.clone()];
        let bleu = corpus_bleu(&[(answer.as_str(), golds.as_slice())]);
        prop_assert!((0.0..=100.0 + 1e-9).contains(&bleu));
        for score in [rouge_n(&answer, &gold, 1), rouge_n(&answer, &gold, 2), rouge_l(&answer, &gold)] {
            prop_assert!((0.0..=1.0).contains(&score));
        }
        prop_assert!((rouge_l(&answer, &gold) - rouge_l(&gold, &answer)).abs() < 1e-12);
        prop_assert!(rouge_l(&answer, &gold) <= rouge_n(&answer, &gold, 1) + 1e-12);
    }

    #[test]
    fn intervals_hold_the_number_and_grow(values in prop::collection::vec(-3.0..3.0f64, 2..20)) {
        let mean = |sample: &[&f64]| sample.iter().copied().sum::<f64>() / sample.len() as f64;
        let (low, high) = bootstrap_interval(&values, 0.95, 1000, mean);
        let (inner_low, inner_high) = bootstrap_interval(&values, 0.5, 1000, mean);
        let (least, most) = (values.iter().copied().fold(9.0, f64::min), values.iter().copied().fold(-9.0, f64::max));
        prop_assert!(least - 1e-9 <= low && low <= inner_low && inner_low <= inner_high);
        prop_assert!(inner_high <= high && high <= most + 1e-9);
    }

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
