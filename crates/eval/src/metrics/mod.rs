//! Numbers that say how good the answers are.

mod accuracy;
mod aggregation;
mod answer;
mod bleu;
mod bootstrap;
mod classification;
mod correlation;
mod custom;
mod group;
mod measure;
mod rouge;
mod squad;

pub use accuracy::{Estimate, accuracy, normalized_accuracy};
pub use aggregation::{Aggregation, Score, Value};
pub use answer::ExactMatch;
pub use bleu::corpus_bleu;
pub use bootstrap::{bootstrap_interval, bootstrap_stderr};
pub use classification::{brier_score, f1, macro_f1, matthews};
pub use correlation::{pearson, spearman};
pub use custom::CustomMetric;
pub use group::{Weighting, aggregate};
pub use measure::{Measure, Metric, Response};
pub use rouge::{rouge_l, rouge_n};
pub use squad::{normalize, squad_exact_match, squad_f1, token_f1};
