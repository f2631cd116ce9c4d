//! Verdicts over answers that another harness wrote.
//!
//!     cargo run --example judge_results -- STUDY.csv
//!
//! The table has a line for each model and level:
//!
//!     model,series,strength,family,level,answers
//!     dense,dense,0,arc,0,dense/samples_easy.jsonl
//!     half,magnitude,0.5,arc,0,half/samples_easy.jsonl
//!
//! Series are `dense`, `magnitude`, `random`, `quantization` or any other name; levels count from 0, the easiest. `answers`
//! is a file beside the table: a log of samples of lm-evaluation-harness (`--log_samples`, JSON lines with `doc_id`,
//! `arguments` and `acc` or `exact_match`), or CSV with the columns `item`, `choices` (0 for a free answer) and `correct`.
//! Questions of different levels with the same id count as the same question made harder.

use junkdna_difficulty::{
    Compression, FamilyLevels, ItemOutcome, JudgeConfig, Outcomes, Series, Study, Verdict, judge,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

type Fallible<T> = Result<T, Box<dyn Error>>;

#[derive(Deserialize)]
struct Line {
    model: String,
    series: String,
    strength: f64,
    family: String,
    level: usize,
    answers: String,
}

#[derive(Deserialize)]
struct Answer {
    item: String,
    choices: usize,
    correct: u8,
}

fn main() -> Fallible<()> {
    let file = std::env::args().nth(1).ok_or("name the table: judge_results STUDY.csv")?;
    for verdict in verdicts(Path::new(&file))? {
        let interval = verdict.interval.map(|[low, high]| format!(" [{low:+.2}, {high:+.2}]")).unwrap_or_default();
        let effect = verdict.effect.map(|effect| format!(" effect {effect:+.2}{interval}")).unwrap_or_default();
        println!("{:?} {:?}: {:?}{effect}: {}", verdict.claim, verdict.series, verdict.outcome, verdict.reason);
    }
    Ok(())
}

fn verdicts(table: &Path) -> Fallible<Vec<Verdict>> {
    Ok(judge(&study(table)?, &JudgeConfig::default())?)
}

/// The study that a table describes. A table without a dense model is refused when it is judged.
fn study(table: &Path) -> Fallible<Study> {
    let mut study = Study::default();
    let mut families: BTreeMap<String, BTreeMap<usize, String>> = BTreeMap::new();
    for line in csv::Reader::from_path(table).map_err(|e| format!("{}: {e}", table.display()))?.deserialize() {
        let line: Line = line?;
        let variant = format!("{}/{}", line.family, line.level);
        families.entry(line.family).or_default().insert(line.level, variant.clone());
        let outcomes = Outcomes { variant, items: items(&table.with_file_name(&line.answers))? };
        let series = match line.series.as_str() {
            "dense" => {
                study.dense.push(outcomes);
                continue;
            }
            "magnitude" => Series::Magnitude,
            "random" => Series::Random,
            "quantization" => Series::Quantization,
            other => Series::Other(other.to_owned()),
        };
        match study.compressions.iter_mut().find(|known| known.name == line.model) {
            Some(known) => known.outcomes.push(outcomes),
            None => study.compressions.push(Compression {
                name: line.model,
                series,
                strength: line.strength,
                outcomes: vec![outcomes],
            }),
        }
    }
    let levels = |(family, levels): (String, BTreeMap<usize, String>)| FamilyLevels {
        family,
        variants: levels.into_values().collect(),
    };
    study.families = families.into_iter().map(levels).collect();
    Ok(study)
}

fn items(file: &Path) -> Fallible<Vec<ItemOutcome>> {
    let place = |error: Box<dyn Error>| format!("{}: {error}", file.display());
    let found = if file.extension().is_some_and(|ending| ending == "csv") { of_csv(file) } else { of_samples(file) };
    found.map_err(|error| place(error).into())
}

fn of_csv(file: &Path) -> Fallible<Vec<ItemOutcome>> {
    let outcome =
        |answer: Answer| ItemOutcome { id: answer.item, correct: answer.correct != 0, choices: answer.choices };
    csv::Reader::from_path(file)?.deserialize().map(|answer| Ok(outcome(answer?))).collect()
}

/// A log of samples; a question with a single request is a free answer.
fn of_samples(file: &Path) -> Fallible<Vec<ItemOutcome>> {
    let sample = |line: &str| {
        let sample: Value = serde_json::from_str(line)?;
        let right = sample["acc"].as_f64().or(sample["exact_match"].as_f64()).ok_or("a sample without `acc`")?;
        // A list of requests, or, in newer logs, an object with one field a request.
        let requests = match &sample["arguments"] {
            Value::Array(requests) => requests.len(),
            Value::Object(requests) => requests.len(),
            _ => return Err("a sample without `arguments`".into()),
        };
        let choices = if requests == 1 { 0 } else { requests };
        Ok(ItemOutcome { id: sample["doc_id"].to_string(), correct: right > 0.5, choices })
    };
    let text = std::fs::read_to_string(file)?;
    text.lines().filter(|line| !line.trim().is_empty()).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use junkdna_difficulty::power::AssumedOrdering;
    use rand::SeedableRng;
    use serde_json::json;
    use std::fmt::Write;

    /// A simulated study, its items numbered as a harness numbers them.
    fn simulated() -> Study {
        let assumed = AssumedOrdering {
            families: 2,
            items: 60,
            choices: 4,
            dense: vec![0.9, 0.7, 0.5],
            sparsities: vec![0.25, 0.5, 0.75],
            seeds: 1,
            mean_drop: 0.35,
            effect: 0.3,
        };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        assumed.plant().unwrap().simulate(&mut rng)
    }

    /// Writes a study as another harness would.
    fn write(study: &Study, folder: &Path, samples: bool) -> std::path::PathBuf {
        let mut table = "model,series,strength,family,level,answers\n".to_owned();
        let dense = ("dense", "dense", 0.0, &study.dense);
        let pruned = study.compressions.iter().map(|c| (c.name.as_str(), "magnitude", c.strength, &c.outcomes));
        for (model, (name, series, strength, outcomes)) in std::iter::once(dense).chain(pruned).enumerate() {
            for (at, outcomes) in outcomes.iter().enumerate() {
                let place = |(f, family): (usize, &FamilyLevels)| {
                    family.variants.iter().position(|variant| *variant == outcomes.variant).map(|level| (f, level))
                };
                let (family, level) = study.families.iter().enumerate().find_map(place).unwrap();
                let file = format!("{model}-{at}.{}", if samples { "jsonl" } else { "csv" });
                writeln!(table, "\"{name}\",{series},{strength},\"{}\",{level},{file}", study.families[family].family)
                    .unwrap();
                std::fs::write(folder.join(file), answers(outcomes, samples)).unwrap();
            }
        }
        let file = folder.join("study.csv");
        std::fs::write(&file, table).unwrap();
        file
    }

    fn answers(outcomes: &Outcomes, samples: bool) -> String {
        let line = |item: &ItemOutcome| match samples {
            true => {
                let arguments = vec![json!(["question", " answer"]); item.choices];
                let id: usize = item.id.parse().unwrap();
                format!("{}\n", json!({"doc_id": id, "arguments": arguments, "acc": f64::from(u8::from(item.correct))}))
            }
            false => format!("{},{},{}\n", item.id, item.choices, u8::from(item.correct)),
        };
        let header = if samples { "" } else { "item,choices,correct\n" };
        header.to_owned() + &outcomes.items.iter().map(line).collect::<String>()
    }

    #[test]
    fn the_verdicts_are_those_of_the_numbers_themselves() {
        let study = simulated();
        let summary = |verdicts: Vec<Verdict>| -> Vec<_> {
            verdicts.into_iter().map(|v| (v.claim, v.series, v.outcome, v.effect, v.interval, v.p)).collect()
        };
        let expected = summary(judge(&study, &JudgeConfig::default()).unwrap());
        assert!(expected.iter().any(|verdict| verdict.2 == junkdna_difficulty::Decision::Supported));
        for samples in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let table = write(&study, folder.path(), samples);
            assert_eq!(summary(verdicts(&table).unwrap()), expected);
        }
    }

    #[test]
    fn a_study_without_a_dense_model_is_refused() {
        let mut study = simulated();
        study.dense.clear();
        let folder = tempfile::tempdir().unwrap();
        let table = write(&study, folder.path(), false);
        let error = verdicts(&table).unwrap_err().to_string();
        assert!(error.contains("dense model"), "{error}");
    }
}
