//! Everything that a plan asks about, as documents and requests.

use crate::{ExperimentError, Plan};
use junkdna_difficulty::setting::{BaseTask, Question};
use junkdna_difficulty::suite::{self, Item, Variant};
use junkdna_eval::{Document, Encoded, encode};
use junkdna_model::Tokenizer;
use std::collections::BTreeSet;

mod grading;
mod source;

pub(crate) use grading::{Grading, Levels, levels};

/// A task variant ready to be scored.
pub(crate) struct Task {
    pub variant: Variant,
    pub documents: Vec<Document>,
    /// For each document, one request a choice.
    pub requests: Vec<Vec<Encoded>>,
    /// Whether only the dense model is asked.
    pub dense_only: bool,
}

/// All tasks of a plan, and which of them are graded later.
pub(crate) struct Prepared {
    pub tasks: Vec<Task>,
    pub gradings: Vec<Grading>,
}

/// What a tokenizer is needed for; without one, lengths are estimated and nothing can be scored.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub tokenizer: &'a Tokenizer,
    pub context: usize,
}

/// Makes every variant of a plan.
///
/// # Errors
/// What a setting cannot make, data that cannot be read, texts that the model cannot read; before anything is computed.
pub(crate) fn prepare(plan: &Plan, reader: Reader) -> Result<Prepared, ExperimentError> {
    let Made { variants, dense_only, gradings } = variants(plan, |text| reader.count(text))?;
    let task = |(at, variant)| Task::new(variant, reader, dense_only.contains(&at));
    let tasks = variants.into_iter().enumerate().map(task).collect::<Result<_, _>>()?;
    Ok(Prepared { tasks, gradings })
}

/// The variants of a plan, before a model has read any.
pub(crate) struct Made {
    pub variants: Vec<Variant>,
    /// Which of them only the dense model is asked.
    pub dense_only: BTreeSet<usize>,
    /// The families that are graded once it has answered.
    pub gradings: Vec<Grading>,
}

/// The variants of a plan; `count` tells how many tokens a text has.
pub(crate) fn variants(plan: &Plan, count: impl Fn(&str) -> usize) -> Result<Made, ExperimentError> {
    let mut variants = match plan.built_in() {
        Some(suite) => suite::generate_with_counter(&suite, &count)?,
        None => Vec::new(),
    };
    for task in &plan.tasks {
        let mut questions = source::questions(&task.source, &task.name, plan.data(), task.seed)?;
        questions.retain(|question| {
            let passage = question.passage.as_deref().unwrap_or_default();
            task.min_options.is_none_or(|least| question.options() >= least)
                && task.max_passage_tokens.is_none_or(|most| count(passage) <= most)
        });
        let base = BaseTask::new(&task.name, questions, task.items)?;
        variants.extend(task.setting.variants(&base, task.seed, &count)?);
    }
    for graded in &plan.graded {
        variants.extend(graded.variants(plan)?);
    }
    check_pairs(&variants, plan)?;
    let (mut dense_only, mut gradings) = (BTreeSet::new(), Vec::new());
    for gap in &plan.human_gap {
        let scores = source::human_scores(&plan.data().join(&gap.human), &gap.task_column, &gap.score_column)?;
        let mut tasks = Vec::new();
        for (name, mut questions) in source::sentence_pairs(&plan.data().join(&gap.folder))? {
            let Some(&human) = scores.get(&name) else { continue };
            use rand::seq::SliceRandom;
            questions.shuffle(&mut junkdna_backend::Seed(gap.seed).derive(&name).rng());
            let base = BaseTask::new(&name, questions, gap.items + gap.grading_items)?;
            let ask = |questions: &[Question], part: &str| {
                pairs(&format!("{}/{name}{part}", gap.name), &gap.name, questions, gap.seed)
            };
            let (grading, measured) = base.questions.split_at(gap.grading_items);
            dense_only.insert(variants.len());
            tasks.push(grading::Graded { human, grading: variants.len(), measured: variants.len() + 1 });
            variants.extend([ask(grading, " (gap)")?, ask(measured, "")?]);
        }
        if tasks.is_empty() {
            let problem = format!("names none of the tasks in {}", gap.folder.display());
            return Err(source::wrong(&plan.data().join(&gap.human), &problem));
        }
        gradings.push(Grading { plan: gap.clone(), tasks });
    }
    Ok(Made { variants, dense_only, gradings })
}

/// Pairs of sentences as questions of two options.
fn pairs(name: &str, family: &str, questions: &[Question], seed: u64) -> Result<Variant, ExperimentError> {
    let base = BaseTask { name: family.to_owned(), questions: questions.to_vec(), pool: Vec::new() };
    Ok(Variant {
        family: family.to_owned(),
        name: name.to_owned(),
        level: 0,
        difficulty: 0.0,
        knob: "human-model gap".to_owned(),
        items: base.ask_all(2, seed)?,
    })
}

impl crate::plan::GradedPlan {
    /// A variant a level; paired questions have the same id.
    fn variants(&self, plan: &Plan) -> Result<Vec<Variant>, ExperimentError> {
        let make = |(level, of): (usize, &crate::plan::LevelPlan)| {
            let name = format!("{}/{}={}", self.name, self.knob, of.difficulty);
            let mut questions = source::questions(&of.source, &name, plan.data(), self.seed)?;
            if self.paired {
                questions.iter_mut().for_each(|question| {
                    question.id = question.id.replacen(&name, &self.name, 1);
                });
                questions.sort_by(|a, b| number(&a.id).cmp(&number(&b.id)).then_with(|| a.id.cmp(&b.id)));
            }
            let mut base = BaseTask::new(&self.name, questions, self.items)?;
            base.pool.clear();
            let items = base.ask_whole(self.seed)?;
            let (family, knob) = (self.name.clone(), self.knob.clone());
            Ok(Variant { family, name, level, difficulty: of.difficulty, knob, items })
        };
        self.levels.iter().enumerate().map(make).collect()
    }
}

/// The number at the end of an id.
fn number(id: &str) -> Option<usize> {
    id.rsplit('/').next().and_then(|end| end.parse().ok())
}

/// Variants of one family hold the same questions, except where the plan says that its levels do not.
fn check_pairs(variants: &[Variant], plan: &Plan) -> Result<(), ExperimentError> {
    let unpaired = |family: &str| plan.graded.iter().any(|graded| graded.name == family && !graded.paired);
    for pair in variants.windows(2).filter(|pair| pair[0].family == pair[1].family && !unpaired(&pair[0].family)) {
        let ids = |variant: &Variant| variant.items.iter().map(|item| item.id.clone()).collect::<BTreeSet<_>>();
        let (left, right) = (ids(&pair[0]), ids(&pair[1]));
        if let Some(id) = left.symmetric_difference(&right).next() {
            let (left, right) = (pair[0].name.clone(), pair[1].name.clone());
            return Err(ExperimentError::Unpaired { left, right, id: id.clone() });
        }
    }
    Ok(())
}

impl Reader<'_> {
    fn count(&self, text: &str) -> usize {
        self.tokenizer.encode(text).map_or_else(|_| suite::estimate_tokens(text), |ids| ids.len())
    }
}

impl Task {
    fn new(variant: Variant, reader: Reader, dense_only: bool) -> Result<Self, ExperimentError> {
        let document = |(doc, item): (usize, &Item)| Document {
            task: variant.name.clone(),
            doc,
            context: item.context.clone(),
            continuations: item.choices.clone(),
            gold: item.gold,
        };
        let documents: Vec<Document> = variant.items.iter().enumerate().map(document).collect();
        let encoded = |d: &Document| {
            let choice = |choice: &String| {
                let encoded = encode(reader.tokenizer, &d.context, choice, reader.context)?;
                match encoded.tokens.len() > reader.context {
                    true => Err(ExperimentError::TooLong { variant: variant.name.clone(), context: reader.context }),
                    false => Ok(encoded),
                }
            };
            d.continuations.iter().map(choice).collect::<Result<Vec<_>, _>>()
        };
        let requests = documents.iter().map(encoded).collect::<Result<_, _>>()?;
        Ok(Self { variant, documents, requests, dense_only })
    }

    /// Tokens that scoring it alone computes.
    pub(crate) fn tokens(&self) -> usize {
        tokens(self.requests.iter().flatten())
    }
}

/// Tokens that scoring these requests computes, shared beginnings once.
pub(crate) fn tokens<'a>(requests: impl Iterator<Item = &'a Encoded>) -> usize {
    let mut read: Vec<&[u32]> = requests.map(|r| &r.tokens[..r.tokens.len().saturating_sub(1)]).collect();
    read.sort_unstable();
    let shared = |pair: &[&[u32]]| pair[0].iter().zip(pair[1]).take_while(|(a, b)| a == b).count();
    let all: usize = read.iter().map(|tokens| tokens.len()).sum();
    all - read.windows(2).map(shared).sum::<usize>()
}
