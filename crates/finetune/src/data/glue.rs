//! Tables of labelled texts: GLUE's own and those a task file describes.

use super::table::{Column, Table};
use super::{Dataset, Target};
use crate::FinetuneError;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where a task's texts and labels are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    name: String,
    train: PathBuf,
    validation: PathBuf,
    pub(super) first: Column,
    pub(super) second: Option<Column>,
    pub(super) label: Column,
    #[serde(default)]
    pub(super) regression: bool,
    metric: Option<String>,
}

/// Folder, columns of first text, second text and label, metric. From GLUE's own files.
const GLUE: [(&str, &str, &str, &str, &str); 9] = [
    ("SST-2", "sentence|content", "", "label", "accuracy"),
    ("CoLA", "3", "", "1", "matthews"),
    ("RTE", "sentence1", "sentence2", "label", "accuracy"),
    ("MRPC", "#1 String", "#2 String", "Quality", "f1"),
    ("QNLI", "question", "sentence", "label", "accuracy"),
    ("QQP", "question1", "question2", "is_duplicate", "f1"),
    ("MNLI", "sentence1", "sentence2", "gold_label", "accuracy"),
    ("WNLI", "sentence1", "sentence2", "label", "accuracy"),
    ("STS-B", "sentence1", "sentence2", "score", "pearson"),
];

/// The data set of a folder of GLUE or of a task file.
pub(super) fn read(path: &Path) -> Result<Dataset, FinetuneError> {
    let (folder, task) = if path.is_dir() { (path, glue(path)?) } else { described(path)? };
    let [train, validation] = [&task.train, &task.validation].map(|file| Table::read(&folder.join(file), &task));
    let (train, validation) = (train?, validation?);
    let classes = if task.regression { Vec::new() } else { classes(&train, &validation)? };
    Ok(Dataset {
        train: train.examples(&classes)?,
        validation: validation.examples(&classes)?,
        metric: task.metric.unwrap_or_else(|| if task.regression { "pearson" } else { "accuracy" }.to_owned()),
        name: task.name,
        target: if task.regression { Target::Number } else { Target::Classes(classes) },
    })
}

fn glue(folder: &Path) -> Result<Task, FinetuneError> {
    let place = folder.canonicalize().unwrap_or_else(|_| folder.into());
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let same = |known: &str| known.replace('-', "").eq_ignore_ascii_case(&name.replace('-', ""));
    let Some((known, first, second, label, metric)) = GLUE.into_iter().find(|(known, ..)| same(known)) else {
        let known = GLUE.map(|(name, ..)| name).join(", ");
        return Err(data(folder, format!("is no folder of GLUE ({known}) and no task file")));
    };
    let column = |text: &str| match text.parse() {
        Ok(place) => Column::Place(place),
        Err(_) => Column::Names(text.split('|').map(str::to_owned).collect()),
    };
    let validation = ["dev.tsv", "dev_matched.tsv"].into_iter().find(|file| folder.join(file).exists());
    Ok(Task {
        name: known.into(),
        train: "train.tsv".into(),
        validation: validation.unwrap_or("dev.tsv").into(),
        first: column(first),
        second: (!second.is_empty()).then(|| column(second)),
        label: column(label),
        regression: known == "STS-B",
        metric: Some(metric.into()),
    })
}

fn described(path: &Path) -> Result<(&Path, Task), FinetuneError> {
    let text = std::fs::read_to_string(path).map_err(FinetuneError::io(path))?;
    let one_line = |error: toml::de::Error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let task = toml::from_str(&text).map_err(|error| data(path, one_line(error)))?;
    Ok((path.parent().unwrap_or_else(|| Path::new("")), task))
}

fn data(path: &Path, problem: String) -> FinetuneError {
    FinetuneError::Data { path: path.into(), problem }
}

/// The classes of the training split, sorted; numbers by value. The validation split must have no others.
fn classes(train: &Table, validation: &Table) -> Result<Vec<String>, FinetuneError> {
    let known: BTreeSet<&str> = train.labels().map(|(label, _)| label).collect();
    if let Some((other, line)) = validation.labels().find(|(label, _)| !known.contains(label)) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let problem = format!("line {line}: class `{other}` is not in {}, which has {known}", train.path.display());
        return Err(data(&validation.path, problem));
    }
    let mut classes: Vec<String> = known.into_iter().map(str::to_owned).collect();
    if classes.len() < 2 {
        return Err(data(&train.path, format!("has one class only, `{}`", classes.concat())));
    }
    if let Ok(mut numbers) = classes
        .iter()
        .map(|c| Ok((c.parse::<f64>()?, c.clone())))
        .collect::<Result<Vec<_>, std::num::ParseFloatError>>()
    {
        numbers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        classes = numbers.into_iter().map(|(_, class)| class).collect();
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Label;
    use std::fs;

    fn folder(name: &str, train: &str, dev: &str) -> tempfile::TempDir {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("train.tsv"), train).unwrap();
        fs::write(folder.join("dev.tsv"), dev).unwrap();
        parent
    }

    #[test]
    fn a_pair_task_is_read_with_quotation_marks_as_they_are() {
        let train = "index\tsentence1\tsentence2\tlabel\n0\tHe said \"no\tNo.\tentailment\n1\tA\tB\tnot_entailment\n";
        let parent = folder("RTE", train, "index\tsentence1\tsentence2\tlabel\n0\tC\tD\tentailment\n");
        let dataset = Dataset::read(&parent.path().join("RTE")).unwrap();
        assert_eq!(dataset.labels(), ["entailment", "not_entailment"]);
        assert_eq!(dataset.train[0].first, "He said \"no");
        assert_eq!(dataset.train[0].second.as_deref(), Some("No."));
        assert_eq!(dataset.validation[0].label, Label::Class(0));
    }

    #[test]
    fn splits_may_name_a_column_differently() {
        let parent = folder("SST-2", "sentence\tlabel\ngood\t1\nbad\t0\n", "label\tcontent\n1\tfine\n");
        let dataset = Dataset::read(&parent.path().join("SST-2")).unwrap();
        assert_eq!((dataset.validation[0].first.as_str(), dataset.validation[0].label), ("fine", Label::Class(1)));
        assert_eq!(dataset.metric, "accuracy");
    }

    #[test]
    fn a_task_file_says_where_things_are() {
        let parent = folder("any", "a\t0.5\nb\t2.5\n", "c\t1\n");
        let file = parent.path().join("any/task.toml");
        let text =
            "name = \"x\"\ntrain = \"train.tsv\"\nvalidation = \"dev.tsv\"\nfirst = 0\nlabel = 1\nregression = true\n";
        fs::write(&file, text).unwrap();
        let dataset = Dataset::read(&file).unwrap();
        assert_eq!((dataset.target, dataset.metric.as_str()), (Target::Number, "pearson"));
        assert_eq!(dataset.train[1].label, Label::Value(2.5));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |name: &str, train: &str, dev: &str| {
            let parent = folder(name, train, dev);
            Dataset::read(&parent.path().join(name)).unwrap_err().to_string()
        };
        let good = "sentence\tlabel\na\t1\nb\t0\n";
        for (name, train, dev, words) in [
            ("SST-2", good, "sentence\tlabel\na\t1\nb\t2\n", "dev.tsv: line 3: class `2` is not in"),
            ("SST-2", good, "sentence\tlabel\n", "dev.tsv: holds no examples"),
            ("SST-2", good, "text\tlabel\na\t1\n", "no column `sentence` or `content`; there are text, label"),
            ("SST-2", "sentence\tlabel\na\t1\n", "sentence\tlabel\na\t1\n", "train.tsv: has one class only"),
            ("CoLA", "x\t1\t\ta\ny\t0\n", "x\t1\t\ta\n", "train.tsv: line 2 has 2 columns, column 4 is missing"),
            ("unknown", good, good, "is no folder of GLUE"),
        ] {
            let message = error(name, train, dev);
            assert!(message.contains(words), "{message}");
        }
    }
}
