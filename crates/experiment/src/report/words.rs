//! Verdicts in words.

use super::Report;
use junkdna_difficulty::{Claim, Decision, Series, Verdict};
use junkdna_finetune::Mode;

impl Report {
    /// Each verdict in a line.
    pub fn verdict_lines(&self) -> Vec<String> {
        self.verdicts.iter().map(line).collect()
    }
}

fn line(verdict: &Verdict) -> String {
    let word = decision(verdict.outcome).to_uppercase();
    let numbers = numbers(verdict).map(|n| format!(" [{n}]")).unwrap_or_default();
    format!("{word}: {}{numbers}: {}", claim(verdict), verdict.reason)
}

pub(super) fn claim(verdict: &Verdict) -> String {
    let subject = match &verdict.series {
        Series::Magnitude => "pruning by magnitude".to_owned(),
        Series::Random => "pruning at random".to_owned(),
        Series::Quantization => "quantization".to_owned(),
        Series::Other(name) => match name.rsplit_once(", ") {
            Some((method, mode)) if Mode::ALL.iter().any(|known| known.name() == mode) => {
                format!("{method} pruning and {mode} training")
            }
            _ => name.clone(),
        },
    };
    match verdict.claim {
        Claim::DropGrowsWithSparsity => format!("With {subject}, the loss grows with sparsity"),
        Claim::HarderTasksDropMore => format!("With {subject}, harder tasks lose more"),
        Claim::QuantizationShowsNoOrdering => "Quantization shows no such ordering by difficulty".into(),
        Claim::PruningOrdersMoreThanQuantization => {
            "At the same size, pruning orders tasks by difficulty more than quantization".into()
        }
        Claim::HardLossesStay => format!("With {subject}, training does not bring back what hard tasks lose"),
        Claim::RandomPruningLosesMore => "Control: at the same sparsity, random pruning loses more".into(),
    }
}

pub(super) fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Supported => "supported",
        Decision::Contradicted => "contradicted",
        Decision::NotDecided => "not decided",
    }
}

/// Effect, interval and p, where they could be computed.
pub(super) fn numbers(verdict: &Verdict) -> Option<String> {
    let effect = percent(verdict.effect?);
    let interval = verdict.interval.map(|i| format!(" ({})", interval(i))).unwrap_or_default();
    let p = verdict.p.map(|p| format!(", p {}", p_value(p))).unwrap_or_default();
    Some(format!("effect {effect}{interval}{p}"))
}

pub(super) fn percent(value: f64) -> String {
    format!("{:+.0} %", value * 100.0)
}

pub(super) fn interval([low, high]: [f64; 2]) -> String {
    format!("{} to {}", percent(low), percent(high))
}

pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("= {p:.3}") }
}
