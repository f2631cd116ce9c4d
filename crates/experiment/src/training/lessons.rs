//! Setting 1: the same task, learned from fewer and fewer examples.

use crate::cell::hex;
use crate::{ExperimentError, Plan, TrainedTask};
use junkdna_backend::Seed;
use junkdna_difficulty::suite::{Form, Item, Variant};
use junkdna_finetune::data::{Dataset, Example, Label, Target, subset};
use sha2::{Digest, Sha256};

/// The variants of a plan with training.
pub(crate) struct Lessons {
    /// Easiest first, family by family.
    pub variants: Vec<Variant>,
    all: Vec<Lesson>,
}

/// One variant: what is learned from how many examples.
pub(crate) struct Lesson {
    /// Its place in the list of variants.
    pub variant: usize,
    task: usize,
    data: Dataset,
    count: usize,
}

impl Lessons {
    /// Reads the tasks of a plan.
    ///
    /// # Errors
    /// Data that cannot be read, a task without classes, fewer examples than are asked for; before anything is trained.
    pub(crate) fn read(plan: &Plan) -> Result<Self, ExperimentError> {
        let mut lessons = Self { variants: Vec::new(), all: Vec::new() };
        for (at, task) in plan.training.iter().flat_map(|training| &training.tasks).enumerate() {
            lessons.add(at, task, plan)?;
        }
        Ok(lessons)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lesson> {
        self.all.iter()
    }

    fn add(&mut self, at: usize, task: &TrainedTask, plan: &Plan) -> Result<(), ExperimentError> {
        let path = plan.data().join(&task.folder);
        let wrong = |problem: String| ExperimentError::Data { path: path.clone(), problem };
        let mut data = Dataset::read(&path)?;
        let Target::Classes(classes) = data.target.clone() else {
            return Err(wrong(format!("task {}: a number cannot be guessed; classes are needed", task.name)));
        };
        let most = task.examples.iter().copied().max().unwrap_or(0);
        if most > data.train.len() {
            let problem =
                format!("task {}: holds {} training examples, {most} are asked for", task.name, data.train.len());
            return Err(wrong(problem));
        }
        let chosen = balanced(&data.validation, classes.len(), task).map_err(wrong)?;
        let items: Vec<Item> = chosen.iter().map(|&line| item(task, line, &data.validation[line], &classes)).collect();
        data.validation = chosen.iter().map(|&line| data.validation[line].clone()).collect();
        let mut counts = task.examples.clone();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        for (level, count) in counts.into_iter().enumerate() {
            self.all.push(Lesson { variant: self.variants.len(), task: at, data: data.clone(), count });
            self.variants.push(Variant {
                family: task.name.clone(),
                name: format!("{}/examples={count}", task.name),
                level,
                difficulty: count as f64,
                knob: "examples".to_owned(),
                items: items.clone(),
            });
        }
        Ok(())
    }
}

impl Lesson {
    /// The examples that a seed draws; those of fewer are part of those of more.
    pub(crate) fn dataset(&self, seed: u64) -> Dataset {
        let train = subset(&self.data.train, self.count, Seed(seed).derive(&format!("task {}", self.task)));
        Dataset { train, ..self.data.clone() }
    }

    /// About as many tokens as a training and an evaluation read.
    pub(crate) fn estimated_tokens(&self, count: impl Fn(&str) -> usize) -> [usize; 2] {
        let of = |example: &Example| count(&example.first) + example.second.as_deref().map_or(0, &count);
        let shown: usize = self.data.train.iter().take(1000).map(of).sum();
        let mean = shown as f64 / self.data.train.len().clamp(1, 1000) as f64;
        [(mean * self.count as f64) as usize, self.data.validation.iter().map(of).sum()]
    }
}

/// SHA-256 of examples.
pub(super) fn digest(examples: &[Example]) -> String {
    let mut hash = Sha256::new();
    for Example { first, second, label } in examples {
        hash.update(format!("{first:?} {second:?} {label:?}\n"));
    }
    hex(&hash.finalize())
}

/// Lines of as many validation examples of each class, in their order.
fn balanced(examples: &[Example], classes: usize, task: &TrainedTask) -> Result<Vec<usize>, String> {
    let each = task.items / classes.max(1);
    let mut chosen = Vec::new();
    for class in 0..classes {
        let own: Vec<usize> = (0..examples.len()).filter(|&at| examples[at].label == Label::Class(class)).collect();
        if own.len() < each || each == 0 {
            let (name, items, found) = (&task.name, task.items, own.len());
            return Err(format!(
                "task {name}: {found} validation examples of class {class}; {items} items of {classes} classes take {each} of each, \
                 at least 1"
            ));
        }
        chosen.extend(subset(&own, each, Seed(task.seed).derive("validation")));
    }
    chosen.sort_unstable();
    Ok(chosen)
}

fn item(task: &TrainedTask, line: usize, example: &Example, classes: &[String]) -> Item {
    let second = example.second.as_ref().map_or_else(String::new, |second| format!("\n{second}"));
    Item {
        id: format!("{}/{line}", task.name),
        context: format!("{}{second}", example.first),
        choices: classes.to_vec(),
        gold: match example.label {
            Label::Class(class) => class,
            Label::Value(_) => 0,
        },
        form: Form::Choice,
    }
}
