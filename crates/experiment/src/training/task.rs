//! What a model is trained on.

use crate::ExperimentError;
use junkdna_backend::Seed;
use junkdna_eval::{Example as Asked, Gold, OutputType, Prompting, Rendered, Request, Task};
use junkdna_finetune::FinetuneError;
use junkdna_finetune::data::{Dataset, Example, Label, Pair, Pairs, Question, Target, subset};
use std::path::Path;

/// Examples to train on and to validate on.
#[derive(Debug, Clone, PartialEq)]
pub enum Training {
    /// Labelled texts, for an encoder with a head.
    Labelled(Dataset),
    /// Prompts with targets, for a causal language model.
    Pairs(Pairs),
}

impl Training {
    /// A folder of GLUE; JSON lines of prompts and targets; a TOML file that says where one or the other is; or a task file
    /// of the evaluation that names a training split. Of such a task the prompts are without shots, the target is the right
    /// answer, and where it offers several, validation asks which the model finds likeliest.
    ///
    /// # Errors
    /// A file that is none of these or cannot be read, and whatever is wrong with its examples.
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension {
            _ if path.is_dir() => Ok(Self::Labelled(Dataset::read(path)?)),
            "jsonl" | "json" => Ok(Self::Pairs(Pairs::read(path)?)),
            "yaml" | "yml" => Self::of_task(&Task::load(path)?, path),
            _ => {
                let text = std::fs::read_to_string(path).map_err(FinetuneError::io(path))?;
                // What is no TOML is for whoever reads it to say.
                let keys: toml::Table = text.parse().unwrap_or_default();
                match keys {
                    keys if keys.contains_key("task") => Self::of_task(&Task::load(path)?, path),
                    keys if keys.contains_key("prompt") => Ok(Self::Pairs(Pairs::read(path)?)),
                    _ => Ok(Self::Labelled(Dataset::read(path)?)),
                }
            }
        }
    }

    fn of_task(task: &Task, path: &Path) -> Result<Self, ExperimentError> {
        let prompting = Prompting { drop_documents: true, ..Prompting::default() };
        let [train, validation] = task.render_training(&prompting)?;
        let wrong = |split: &str, doc: usize, problem: String| {
            let problem = format!("{split} document {doc}: {problem}");
            ExperimentError::from(FinetuneError::Data { path: path.into(), problem })
        };
        let each = |split: &'static str, rendered: Rendered| {
            rendered.examples.into_iter().map(move |example| (split, example))
        };
        if task.output == OutputType::Classification {
            let examples = each("training", train).chain(each("validation", validation)).collect();
            return labelled(task, examples, &wrong).map(Self::Labelled);
        }
        let pairs = |(split, asked): (&str, Asked)| {
            let doc = asked.doc;
            question(asked).map_err(|problem| wrong(split, doc, problem))
        };
        let right = |question: Question| question.options.into_iter().nth(question.gold);
        let train: Vec<Question> = each("training", train).map(pairs).collect::<Result<_, _>>()?;
        Ok(Self::Pairs(Pairs {
            name: task.task.clone(),
            train: train.into_iter().filter_map(right).collect(),
            validation: each("validation", validation).map(pairs).collect::<Result<_, _>>()?,
            ends: task.output == OutputType::GenerateUntil,
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Labelled(dataset) => &dataset.name,
            Self::Pairs(pairs) => &pairs.name,
        }
    }

    /// The number of training examples.
    pub fn examples(&self) -> usize {
        match self {
            Self::Labelled(dataset) => dataset.train.len(),
            Self::Pairs(pairs) => pairs.train.len(),
        }
    }

    /// With so many training examples; fewer of a seed are part of more.
    pub fn cut(&mut self, count: usize, seed: Seed) {
        match self {
            Self::Labelled(dataset) => dataset.train = subset(&dataset.train, count, seed),
            Self::Pairs(pairs) => pairs.train = subset(&pairs.train, count, seed),
        }
    }
}

/// What is asked, each option with its context.
fn question(asked: Asked) -> Result<Question, String> {
    let Asked { requests, choices, gold, .. } = asked;
    let pair = |request: &Request| match request {
        Request::LogLikelihood { context, continuation } => {
            Ok(Pair { prompt: context.clone(), target: continuation.clone() })
        }
        Request::Generate { context } => Ok(Pair { prompt: context.clone(), target: answer(context, &gold)? }),
        Request::Rolling { .. } => Err("a whole text has no prompt to train on".to_owned()),
        Request::Classify { .. } => Err("asks for a class".to_owned()),
    };
    let options: Vec<Pair> = match choices.len() {
        // Scores without context may come after.
        0 => requests.iter().take(1).map(pair).collect::<Result<_, _>>()?,
        several => requests.iter().take(several.min(requests.len())).map(pair).collect::<Result<_, _>>()?,
    };
    let gold = match &gold {
        Gold::Choice(choice) if options.len() > 1 => *choice,
        Gold::Choices(right) if options.len() > 1 => right.first().copied().unwrap_or(usize::MAX),
        _ => 0,
    };
    if gold < options.len() { Ok(Question { options, gold }) } else { Err("has no right answer".into()) }
}

/// A right answer, as it follows the prompt.
fn answer(context: &str, gold: &Gold) -> Result<String, String> {
    let text = match gold {
        Gold::Text(text) => text,
        Gold::Texts(texts) => texts.first().ok_or("has no right answer")?,
        Gold::Choice(_) | Gold::Choices(_) => return Err("has the number of an answer, its text is expected".into()),
    };
    match text.trim().is_empty() {
        true => Err("has an empty answer, there is nothing to learn".into()),
        false if context.ends_with(char::is_whitespace) || text.starts_with(char::is_whitespace) => Ok(text.clone()),
        false => Ok(format!(" {text}")),
    }
}

/// A task of classes or numbers.
fn labelled(
    task: &Task,
    examples: Vec<(&'static str, Asked)>,
    wrong: &dyn Fn(&str, usize, String) -> ExperimentError,
) -> Result<Dataset, ExperimentError> {
    let is_number = examples.iter().any(|(_, asked)| matches!(asked.gold, Gold::Text(_)));
    let classes = classes(&examples);
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for (split, asked) in examples {
        let label = match &asked.gold {
            Gold::Choice(class) => Ok(Label::Class(*class)),
            Gold::Text(number) => number.parse().map(Label::Value).map_err(|_| format!("`{number}` is no number")),
            _ => Err("has several right answers".to_owned()),
        };
        let label = label.and_then(|label| check(label, &asked.choices, &classes));
        let label = label.map_err(|problem| wrong(split, asked.doc, problem))?;
        let Some(Request::Classify { first, second }) = asked.requests.into_iter().next() else { continue };
        if split == "training" { &mut train } else { &mut validation }.push(Example { first, second, label });
    }
    Ok(Dataset {
        name: task.task.clone(),
        target: if is_number { Target::Number } else { Target::Classes(classes) },
        metric: metric(task, is_number),
        train,
        validation,
    })
}

/// The names of the classes, or where they have none their numbers in the training split.
fn classes(examples: &[(&str, Asked)]) -> Vec<String> {
    let named = examples.first().map(|(_, asked)| asked.choices.clone()).unwrap_or_default();
    let class = |(_, asked): &(&str, Asked)| if let Gold::Choice(class) = asked.gold { class + 1 } else { 0 };
    let train = examples.iter().filter(|(split, _)| *split == "training");
    match named.is_empty() {
        true => (0..train.map(class).max().unwrap_or(0)).map(|class| class.to_string()).collect(),
        false => named,
    }
}

/// Whether a head for these classes can find a label, which its document offers with these names.
fn check(label: Label, choices: &[String], classes: &[String]) -> Result<Label, String> {
    let all = classes.join(", ");
    match label {
        Label::Value(_) => Ok(label),
        Label::Class(_) if !choices.is_empty() && choices != classes => {
            Err(format!("its classes are {}, those of the first training document {all}", choices.join(", ")))
        }
        Label::Class(class) if class >= classes.len() => {
            Err(format!("label {class} is none of the {} classes of the training split: {all}", classes.len()))
        }
        Label::Class(_) => Ok(label),
    }
}

/// The task's first metric that training knows.
fn metric(task: &Task, is_number: bool) -> String {
    let known =
        [("acc", "accuracy"), ("mcc", "matthews"), ("f1", "f1"), ("pearson", "pearson"), ("spearman", "spearman")];
    let ours = |name: &str| known.iter().find(|(theirs, _)| name.starts_with(theirs)).map(|(_, ours)| *ours);
    let found = task.measures.iter().find_map(|measure| ours(&measure.name));
    found.unwrap_or(if is_number { "pearson" } else { "accuracy" }).to_owned()
}
