//! What happened in a run, as files.

mod tensorboard;

use crate::observer::{Evaluation, Observer, StepReport};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use tensorboard::EventFile;

/// Writes every step and evaluation to `metrics.jsonl`, a line each, and to a TensorBoard event file.
#[derive(Debug)]
pub struct Journal {
    lines: File,
    events: EventFile,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Step(&'a StepReport),
    Evaluation(&'a Evaluation),
}

impl Journal {
    /// In a folder, which is made where it is not there. Of a run that goes on after some step, lines of later steps, which
    /// it takes again, are removed.
    ///
    /// # Errors
    /// A folder or file that cannot be made.
    pub fn open(folder: &Path, after_step: usize) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("metrics.jsonl");
        let before = fs::read_to_string(&path).unwrap_or_default();
        let kept = before.split_inclusive('\n').filter(|line| step_of(line).is_some_and(|step| step <= after_step));
        let beside = folder.join(".metrics.jsonl.part");
        fs::write(&beside, kept.collect::<String>())?;
        fs::rename(&beside, &path)?;
        let lines = OpenOptions::new().append(true).open(&path)?;
        Ok(Self { lines, events: EventFile::create(folder, after_step)? })
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        // One write a line: a killed run leaves whole lines.
        let text = serde_json::to_string(line)? + "\n";
        self.lines.write_all(text.as_bytes())
    }
}

fn step_of(line: &str) -> Option<usize> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let step = value.get("step").or(value.get("evaluation"))?.get("step")?.as_u64()?;
    usize::try_from(step).ok()
}

impl Observer for Journal {
    fn step(&mut self, report: &StepReport) -> io::Result<()> {
        self.line(&Line::Step(report))?;
        let scalars = [
            ("train/loss", report.loss),
            ("train/learning_rate", report.learning_rate),
            ("train/gradient_norm", report.gradient_norm),
        ];
        self.events.scalars(report.step, &scalars)
    }

    fn evaluation(&mut self, evaluation: &Evaluation) -> io::Result<()> {
        self.line(&Line::Evaluation(evaluation))?;
        let name = |(name, value): (&String, &f64)| (format!("validation/{name}"), *value);
        let scalars: Vec<(String, f64)> = evaluation.metrics.iter().map(name).collect();
        let scalars: Vec<(&str, f64)> = scalars.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.events.scalars(evaluation.step, &scalars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: usize) -> StepReport {
        StepReport { step, steps: 9, epoch: 0.5, loss: 0.25, learning_rate: 1e-3, gradient_norm: 2.0 }
    }

    #[test]
    fn a_run_that_goes_on_keeps_the_lines_up_to_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 0).unwrap();
        (1..=5).for_each(|step| journal.step(&report(step)).unwrap());
        journal.lines.write_all(b"{\"step\":{\"step\":6,\"lo").unwrap();
        let mut journal = Journal::open(folder.path(), 3).unwrap();
        journal.step(&report(4)).unwrap();
        let text = fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        let steps: Vec<usize> = text.lines().map(|line| step_of(line).unwrap()).collect();
        assert_eq!(steps, [1, 2, 3, 4]);
    }
}
