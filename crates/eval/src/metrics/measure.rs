//! The metrics of a task, and what each document contributes to them.

use super::squad::{squad_exact_match, squad_f1};
use super::{Aggregation, CustomMetric, ExactMatch, Score, Value, bootstrap_interval, bootstrap_stderr};
use super::{rouge_l, rouge_n, token_f1};
use crate::node::Node;
use crate::python::is_space;
use crate::{Classified, Example, Gold, LogLikelihood, OutputType, task};
use serde::Serialize;
use std::sync::Arc;

/// What a model answered to one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// To [`crate::Request::LogLikelihood`].
    LogLikelihood(LogLikelihood),
    /// ln p of a whole text, to [`crate::Request::Rolling`].
    Rolling(f64),
    /// To [`crate::Request::Generate`], filtered.
    Text(String),
    /// To [`crate::Request::Classify`].
    Classified(Classified),
}

/// What is looked at, by the names of lm-evaluation-harness; `macro_f1`, `pearson`, `spearman`,
/// `rouge1`, `rouge2`, `rougeL`, `token_f1`, `squad_em` and `squad_f1` are beyond it; of several right texts the best counts.
#[derive(Debug, Clone)]
pub enum Metric {
    /// Whether the likeliest choice is right, or greedy decoding gives the text.
    Acc,
    /// By log-likelihood a character.
    AccNorm,
    /// By log-likelihood a byte.
    AccBytes,
    /// By the gain over the log-likelihood without context.
    AccMutualInfo,
    /// Whether the answer is the right text, or greedy decoding gives the right choice.
    ExactMatch(ExactMatch),
    /// F1 of class 1.
    F1,
    /// Matthews's correlation.
    Mcc,
    /// The Brier score.
    BrierScore,
    /// Of each text's log-likelihood.
    Perplexity,
    /// A word.
    WordPerplexity,
    /// A byte.
    BytePerplexity,
    /// Bits a byte.
    BitsPerByte,
    /// SQuAD's exact match.
    SquadEm,
    /// SQuAD's F1.
    SquadF1,
    /// F1 of words.
    TokenF1,
    /// BLEU of the corpus.
    Bleu,
    /// ROUGE of n-grams.
    Rouge(usize),
    /// ROUGE of the longest common subsequence.
    RougeL,
    /// The mean F1 of all classes.
    MacroF1,
    /// Pearson's correlation of the number that is right and the one that was found or written; NaN where one was not.
    Pearson,
    /// Spearman's, the same of ranks.
    Spearman,
    /// One's own.
    Custom(Arc<dyn CustomMetric>),
}

/// A metric with its aggregation.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Its name in the table of results.
    pub name: String,
    /// What is looked at.
    pub metric: Metric,
    /// How documents' values become one.
    pub aggregation: Aggregation,
    /// Whether more is better.
    pub higher_is_better: bool,
}

impl Measure {
    /// The metrics of a task that names none.
    pub(crate) fn defaults(output: OutputType) -> Vec<Self> {
        let names: &[&str] = match output {
            OutputType::MultipleChoice => &["acc", "acc_norm"],
            OutputType::LogLikelihood => &["perplexity", "acc"],
            OutputType::LogLikelihoodRolling => &["word_perplexity", "byte_perplexity", "bits_per_byte"],
            OutputType::GenerateUntil => &["exact_match"],
            OutputType::Classification => &["acc", "macro_f1", "mcc"],
        };
        let node = |name: &&str| [("metric".to_owned(), Node::Text((*name).to_owned()))];
        names.iter().filter_map(|name| Self::new(&node(name), output).ok()).collect()
    }

    /// From an entry of `metric_list`.
    pub(crate) fn new(entries: &[(String, Node)], output: OutputType) -> Result<Self, String> {
        use OutputType::{Classification, GenerateUntil, LogLikelihood, LogLikelihoodRolling, MultipleChoice};
        let entry = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, node)| node);
        let Some(Node::Text(name)) = entry("metric") else { return Err("an entry has no `metric`".into()) };
        let flag = |key: &str| matches!(entry(key), Some(Node::Bool(true)));
        let (metric, aggregation, higher, outputs): (_, _, _, &[OutputType]) = match name.as_str() {
            "acc" => (Metric::Acc, Aggregation::Mean, true, &[MultipleChoice, LogLikelihood, Classification]),
            "acc_norm" => (Metric::AccNorm, Aggregation::Mean, true, &[MultipleChoice]),
            "acc_bytes" => (Metric::AccBytes, Aggregation::Mean, true, &[MultipleChoice]),
            "acc_mutual_info" => (Metric::AccMutualInfo, Aggregation::Mean, true, &[MultipleChoice]),
            "exact_match" => {
                let regexes = match entry("regexes_to_ignore") {
                    Some(Node::List(items)) => items.iter().map(|item| task::text(&item.to_json())).collect(),
                    _ => Vec::new(),
                };
                let exact = ExactMatch {
                    ignore_case: flag("ignore_case"),
                    ignore_punctuation: flag("ignore_punctuation"),
                    ignore_numbers: flag("ignore_numbers"),
                    ..ExactMatch::default()
                };
                let metric = Metric::ExactMatch(exact.ignoring(&regexes)?);
                (metric, Aggregation::Mean, true, &[GenerateUntil, MultipleChoice])
            }
            "f1" => (Metric::F1, Aggregation::F1, true, &[MultipleChoice, Classification]),
            "macro_f1" => (Metric::MacroF1, Aggregation::MacroF1, true, &[MultipleChoice, Classification]),
            "mcc" => (Metric::Mcc, Aggregation::Matthews, true, &[MultipleChoice, Classification]),
            "brier_score" => (Metric::BrierScore, Aggregation::Brier, false, &[MultipleChoice, Classification]),
            "pearson" => (Metric::Pearson, Aggregation::Pearson, true, &[GenerateUntil, Classification]),
            "spearman" => (Metric::Spearman, Aggregation::Spearman, true, &[GenerateUntil, Classification]),
            "perplexity" => (Metric::Perplexity, Aggregation::Perplexity, false, &[LogLikelihood]),
            "word_perplexity" => {
                (Metric::WordPerplexity, Aggregation::WeightedPerplexity, false, &[LogLikelihoodRolling])
            }
            "byte_perplexity" => {
                (Metric::BytePerplexity, Aggregation::WeightedPerplexity, false, &[LogLikelihoodRolling])
            }
            "bits_per_byte" => (Metric::BitsPerByte, Aggregation::BitsPerByte, false, &[LogLikelihoodRolling]),
            "token_f1" => (Metric::TokenF1, Aggregation::Mean, true, &[GenerateUntil]),
            "bleu" => (Metric::Bleu, Aggregation::Bleu, true, &[GenerateUntil]),
            "rouge1" => (Metric::Rouge(1), Aggregation::Mean, true, &[GenerateUntil]),
            "rouge2" => (Metric::Rouge(2), Aggregation::Mean, true, &[GenerateUntil]),
            "rougeL" => (Metric::RougeL, Aggregation::Mean, true, &[GenerateUntil]),
            "squad_em" => (Metric::SquadEm, Aggregation::Mean, true, &[GenerateUntil]),
            "squad_f1" => (Metric::SquadF1, Aggregation::Mean, true, &[GenerateUntil]),
            other => return Err(format!("the metric `{other}` is not known")),
        };
        if !outputs.contains(&output) {
            return Err(format!("the metric `{name}` is not for output_type {output:?}"));
        }
        let aggregation = match entry("aggregation") {
            None | Some(Node::Null) => aggregation,
            // Another aggregation than the metric's own is possible where both take the same values.
            Some(Node::Text(own)) => match Aggregation::named(own) {
                Some(named) if named == aggregation || same_values(named, aggregation) => named,
                _ => return Err(format!("the aggregation `{own}` is not possible for `{name}`")),
            },
            Some(other) => return Err(format!("aggregation is {}, a name is expected", other.kind())),
        };
        let known = [
            "metric",
            "aggregation",
            "higher_is_better",
            "hf_evaluate",
            "weight_by_size",
            "ignore_case",
            "ignore_punctuation",
            "ignore_numbers",
            "regexes_to_ignore",
        ];
        if let Some((key, _)) = entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            return Err(format!("`{key}` is no option of the metric `{name}`"));
        }
        let higher_is_better = match entry("higher_is_better") {
            Some(Node::Bool(higher)) => *higher,
            _ => higher,
        };
        Ok(Self { name: name.clone(), metric, aggregation, higher_is_better })
    }

    /// A metric of one's own, for the `measures` of a task.
    pub fn custom(metric: impl CustomMetric + 'static) -> Self {
        Self {
            name: metric.name().to_owned(),
            higher_is_better: metric.higher_is_better(),
            metric: Metric::Custom(Arc::new(metric)),
            aggregation: Aggregation::Mean,
        }
    }

    /// The number over documents with its standard error, as [`Aggregation::score`]; a custom metric with an aggregation of
    /// its own has a bootstrapped one.
    pub fn score(&self, values: &[Value], iterations: usize) -> Score {
        let own = self.own(&values.iter().collect::<Vec<_>>());
        let Some(value) = own else { return self.aggregation.score(values, iterations) };
        let many = values.len() > 1 && iterations > 0;
        let stderr = many.then(|| bootstrap_stderr(values, iterations, |sample| self.over(sample)));
        Score { value, stderr }
    }

    /// The bootstrap interval of the number over documents; see [`bootstrap_interval`].
    pub fn interval(&self, values: &[Value], confidence: f64, iterations: usize) -> (f64, f64) {
        match self.metric {
            Metric::Custom(_) => bootstrap_interval(values, confidence, iterations, |sample| self.over(sample)),
            _ => self.aggregation.interval(values, confidence, iterations),
        }
    }

    fn own(&self, values: &[&Value]) -> Option<f64> {
        match &self.metric {
            Metric::Custom(metric) => metric.aggregate(values),
            _ => None,
        }
    }

    fn over(&self, values: &[&Value]) -> f64 {
        self.own(values).unwrap_or_else(|| self.aggregation.value(values))
    }

    /// Whether what is right is a number.
    pub(crate) fn needs_number(&self) -> bool {
        matches!(self.metric, Metric::Pearson | Metric::Spearman)
    }

    /// Whether choices are also to be scored without context.
    pub(crate) fn needs_unconditional(&self) -> bool {
        matches!(self.metric, Metric::AccMutualInfo)
    }

    /// What a document contributes.
    ///
    /// # Errors
    /// Responses that do not fit the example; a regular expression that does not end.
    pub fn value(&self, example: &Example, responses: &[Response]) -> Result<Value, String> {
        if let Metric::Custom(metric) = &self.metric {
            return metric.value(example, responses);
        }
        match (responses, &example.gold) {
            ([Response::Text(answer)], gold) => self.of_text(answer, gold),
            ([Response::Classified(found)], gold) => self.of_logits(&found.logits, gold),
            ([Response::Rolling(sum)], Gold::Text(text)) => Ok(self.of_rolling(*sum, text)),
            ([Response::LogLikelihood(score)], _) => Ok(Value::Number(match self.metric {
                Metric::Acc => truth(score.greedy),
                _ => score.sum,
            })),
            (responses, gold) => {
                let score = |response: &Response| match response {
                    Response::LogLikelihood(score) => Ok(*score),
                    _ => Err("the responses do not fit the example".to_owned()),
                };
                let scores = responses.iter().map(score).collect::<Result<Vec<_>, _>>()?;
                let golds = match gold {
                    Gold::Choice(gold) => std::slice::from_ref(gold),
                    Gold::Choices(golds) => golds,
                    _ => return Err("the responses do not fit the example".into()),
                };
                if scores.len() < example.choices.len() {
                    return Err("there are fewer responses than choices".into());
                }
                self.of_choices(example, &scores, golds)
            }
        }
    }

    fn of_text(&self, answer: &str, gold: &Gold) -> Result<Value, String> {
        let golds: Vec<&str> = match gold {
            Gold::Text(gold) => vec![gold],
            Gold::Texts(golds) => golds.iter().map(String::as_str).collect(),
            _ => return Err("the response does not fit the example".into()),
        };
        let best = |score: &dyn Fn(&str) -> f64| golds.iter().map(|gold| score(gold)).fold(0.0, f64::max);
        Ok(Value::Number(match &self.metric {
            Metric::Bleu => {
                let golds = golds.iter().map(|gold| (*gold).to_owned()).collect();
                return Ok(Value::Texts(golds, answer.to_owned()));
            }
            Metric::Pearson | Metric::Spearman => {
                let found = answer.trim().parse().unwrap_or(f64::NAN);
                return Ok(Value::Pair(right_number(golds.first().copied().unwrap_or_default())?, found));
            }
            Metric::Rouge(n) => best(&|gold| rouge_n(answer, gold, *n)),
            Metric::RougeL => best(&|gold| rouge_l(answer, gold)),
            Metric::TokenF1 => best(&|gold| token_f1(answer, gold)),
            Metric::SquadEm => squad_exact_match(answer, &golds),
            Metric::SquadF1 => squad_f1(answer, &golds),
            Metric::ExactMatch(exact) => {
                let mut right = false;
                for gold in golds {
                    right |= exact.matches(answer, gold)?;
                }
                truth(right)
            }
            _ => return Err(format!("the metric `{}` is not for texts", self.name)),
        }))
    }

    fn of_logits(&self, logits: &[f64], gold: &Gold) -> Result<Value, String> {
        let gold = match gold {
            Gold::Text(gold) => {
                let [found] = logits else {
                    return Err(format!("the model's head has {} outputs, a number is one", logits.len()));
                };
                return Ok(Value::Pair(right_number(gold)?, *found));
            }
            Gold::Choice(gold) if *gold < logits.len() => *gold,
            Gold::Choice(gold) => {
                let outputs = logits.len();
                return Err(format!("doc_to_target gives class {gold}, the model's head has {outputs} from 0 on"));
            }
            _ => return Err("a text has one class".into()),
        };
        let found = largest(logits.iter().copied());
        Ok(match &self.metric {
            Metric::F1 | Metric::Mcc | Metric::MacroF1 => Value::Classes(gold, found),
            Metric::BrierScore => Value::Probabilities(gold, softmax(logits)),
            _ => Value::Number(truth(gold == found)),
        })
    }

    fn of_rolling(&self, sum: f64, text: &str) -> Value {
        match self.metric {
            Metric::WordPerplexity => Value::Weighted(sum, words(text) as f64),
            _ => Value::Weighted(sum, text.len() as f64),
        }
    }

    fn of_choices(&self, example: &Example, scores: &[LogLikelihood], golds: &[usize]) -> Result<Value, String> {
        let (with, without) = scores.split_at(example.choices.len());
        let sums: Vec<f64> = with.iter().map(|score| score.sum).collect();
        let right = |predicted: usize| Value::Number(truth(golds.contains(&predicted)));
        let by = |size: &dyn Fn(&str) -> usize| {
            let each = sums.iter().zip(&example.choices).map(|(sum, choice)| sum / size(choice).max(1) as f64);
            right(largest(each))
        };
        let one = || match golds {
            [gold] => Ok(*gold),
            _ => Err(format!("the metric `{}` needs one right choice", self.name)),
        };
        Ok(match &self.metric {
            Metric::AccNorm => by(&|choice| choice.chars().count()),
            Metric::AccBytes => by(&str::len),
            Metric::AccMutualInfo => right(largest(sums.iter().zip(without).map(|(sum, alone)| sum - alone.sum))),
            Metric::ExactMatch(_) => Value::Number(truth(golds.iter().any(|&gold| with[gold].greedy))),
            Metric::F1 | Metric::Mcc | Metric::MacroF1 => Value::Classes(one()?, largest(sums.iter().copied())),
            Metric::BrierScore => Value::Probabilities(one()?, softmax(&sums)),
            _ => right(largest(sums.iter().copied())),
        })
    }
}

fn same_values(a: Aggregation, b: Aggregation) -> bool {
    let kind = |aggregation| match aggregation {
        Aggregation::Mean | Aggregation::Median | Aggregation::Perplexity => 0,
        Aggregation::WeightedPerplexity | Aggregation::BitsPerByte => 1,
        Aggregation::F1 | Aggregation::Matthews | Aggregation::MacroF1 => 2,
        Aggregation::Brier => 3,
        Aggregation::Bleu => 4,
        Aggregation::Pearson | Aggregation::Spearman => 5,
    };
    kind(a) == kind(b)
}

fn right_number(gold: &str) -> Result<f64, String> {
    let wrong = |_| format!("doc_to_target gives `{gold}`, a number is expected");
    gold.trim().parse().map_err(wrong)
}

fn truth(right: bool) -> f64 {
    if right { 1.0 } else { 0.0 }
}

/// The first of the largest, as NumPy's `argmax`.
fn largest(values: impl Iterator<Item = f64>) -> usize {
    let first = (0, f64::NEG_INFINITY);
    values.enumerate().fold(first, |best, next| if next.1 > best.1 { next } else { best }).0
}

fn softmax(sums: &[f64]) -> Vec<f64> {
    let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = sums.iter().map(|sum| (sum - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

/// Pieces between runs of white space: space at either end has an empty piece beside it.
fn words(text: &str) -> usize {
    let chars: Vec<bool> = text.chars().map(is_space).collect();
    let runs = chars.iter().enumerate().filter(|&(i, &space)| space && (i == 0 || !chars[i - 1])).count();
    runs + 1
}
