//! Documents made into requests.

use super::prompt::{Filling, Question, text};
use super::shots::Drawn;
use super::source::Split;
use super::turn::{self, Part, Turn};
use super::{Example, Gold, OutputType, Request, Task};
use crate::EvalError;
use crate::chat::{Chat, Message};
use crate::data::BrokenRows;
use crate::python::is_space;
use crate::template::Templates;
use serde_json::Value;

/// How documents become prompts.
#[derive(Debug, Clone, Default)]
pub struct Prompting {
    /// Of the choice of shots; lm-evaluation-harness takes [`super::FEWSHOT_SEED`].
    pub seed: u64,
    /// Only the first documents.
    pub limit: Option<usize>,
    /// Leave out rows of data files that are broken, and say so.
    pub skip_bad_rows: bool,
    /// Do not keep the documents: only samples and metrics of one's own look at them once prompts are written.
    pub drop_documents: bool,
    /// Said before everything, the task's description after it.
    pub system_instruction: Option<String>,
    /// Prompts are conversations, written as the model's template has them.
    pub chat: Option<Chat>,
}

/// The prompts of a task.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// One a document.
    pub examples: Vec<Example>,
    /// How many documents there are, whatever the limit.
    pub documents: usize,
    /// What is wrong with each row that was left out.
    pub skipped: Vec<String>,
}

/// A task with what its templates need.
pub(super) struct Builder<'a> {
    task: &'a Task,
    prompting: &'a Prompting,
    templates: Templates,
    /// The first document: all of a data set have its fields.
    first: Value,
    has_choices: bool,
    /// The first document has a number for its text: choices are contexts.
    multiple_input: bool,
    /// The first document has a list of right answers: all have.
    multiple_target: bool,
}

impl Task {
    /// All examples, or the first `limit`: [`Self::render`] with a seed and a limit alone.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn examples(&self, seed: u64, limit: Option<usize>) -> Result<Vec<Example>, EvalError> {
        Ok(self.render(&Prompting { seed, limit, ..Prompting::default() })?.examples)
    }

    /// The documents of the test split, or else of the validation split, with what is asked about them. Prompts are those of
    /// lm-evaluation-harness to the byte, with the shots it draws for the same seed.
    ///
    /// # Errors
    /// Data that cannot be read; a template that fails, a choice or a right answer that is not there, with the document's
    /// number; fewer documents than shots.
    pub fn render(&self, prompting: &Prompting) -> Result<Rendered, EvalError> {
        self.render_split(self.asked(), prompting)
    }

    /// The documents of the training split, and those of the validation split, or else of the test split: to train on, and
    /// to choose by. As [`Self::render`], without shots.
    ///
    /// # Errors
    /// As [`Self::render`], and a task that names no training split.
    pub fn render_training(&self, prompting: &Prompting) -> Result<[Rendered; 2], EvalError> {
        let none = || EvalError::task(&self.path, "training_split: is missing; there is nothing to train on");
        let mut plain = self.clone();
        plain.num_fewshot = 0;
        let training = plain.training().ok_or_else(none)?;
        Ok([plain.render_split(training, prompting)?, plain.render_split(plain.validated(), prompting)?])
    }

    fn render_split(&self, split: Split<'_>, prompting: &Prompting) -> Result<Rendered, EvalError> {
        if self.retrieves() {
            return Err(EvalError::task(
                &self.path,
                "retrieval: contexts are measured in a model's tokens, none is given",
            ));
        }
        let mut broken = BrokenRows::new(prompting.skip_bad_rows);
        let questions = self.table(split, &mut broken)?;
        let Some(first) = questions.documents().next().transpose()? else {
            return Err(EvalError::task(&self.path, "has no documents"));
        };
        let builder = Builder::new(self, prompting, first)?;
        let count = questions.len().min(prompting.limit.unwrap_or(usize::MAX));
        let shots = match self.num_fewshot {
            0 => Drawn::default(),
            _ => Drawn::new(&builder, &questions, count, prompting.seed, &mut broken)?,
        };
        let examples = questions.documents().take(count).enumerate().map(|(doc, document)| {
            let (document, wrong) = (document?, builder.wrong(doc));
            let before = builder.before(&document, shots.before(doc)).map_err(&wrong)?;
            builder.example(doc, document, &before).map_err(&wrong)
        });
        let examples = examples.collect::<Result<_, _>>()?;
        let skipped = [self.left_out.clone(), broken.messages()].concat();
        Ok(Rendered { examples, documents: questions.len(), skipped })
    }
}

impl<'a> Builder<'a> {
    fn new(task: &'a Task, prompting: &'a Prompting, first: Value) -> Result<Self, EvalError> {
        let mut builder = Self {
            task,
            prompting,
            templates: Templates::new(),
            first,
            // The label of a text is looked up as it is written.
            has_choices: task.prompt.choices.is_some() && task.output != OutputType::Classification,
            multiple_input: false,
            multiple_target: false,
        };
        let filling = builder.filling(&builder.first);
        let numbered = matches!(task.prompt.question(filling).map_err(builder.wrong(0))?, Question::Choice(_));
        let several = task.prompt.answer(filling).map_err(builder.wrong(0))?.is_array();
        builder.multiple_input = numbered && builder.has_choices;
        builder.multiple_target = several;
        Ok(builder)
    }

    pub fn task(&self) -> &'a Task {
        self.task
    }

    /// What is wrong with a document, at its place.
    fn wrong(&self, doc: usize) -> impl Fn(String) -> EvalError + use<'a> {
        let task = self.task;
        move |problem| EvalError::Document { task: task.task.clone(), doc, problem }
    }

    fn filling<'b>(&'b self, document: &'b Value) -> Filling<'b> {
        Filling { templates: &self.templates, document, fields: &self.first, has_choices: self.has_choices }
    }

    /// What stands before a question: the description and the examples.
    fn before(&self, document: &Value, shots: Result<Vec<Part>, String>) -> Result<Vec<Part>, String> {
        let description = match self.task.description.as_str() {
            "" => String::new(),
            description => self.filling(document).resolve(description).map_err(|p| format!("description: {p}"))?,
        };
        let instruction = self.prompting.system_instruction.as_deref().unwrap_or_default();
        let system = turn::joined(instruction, &description, &self.task.fewshot_delimiter);
        let mut before = Vec::new();
        if !system.is_empty() {
            before.push(Part::new("system", system, ""));
        }
        before.extend(shots?);
        Ok(before)
    }

    /// A document as an example.
    pub fn shot(&self, document: &Value) -> Result<Vec<Part>, String> {
        let prompt = &self.task.fewshot.prompt;
        let filling = self.filling(document);
        let answer = prompt.answer(filling)?;
        let mut choices = prompt.choices(filling)?;
        let question = match prompt.question(filling)? {
            Question::Text(text) => text,
            Question::Choice(index) if self.multiple_input => {
                let choices = choices.take().unwrap_or_default();
                chosen(&choices, index).cloned().ok_or_else(|| outside("doc_to_text", index, &choices))?
            }
            Question::Choice(index) => return Err(number_for_text(index)),
        };
        let answer = match (&answer, &choices) {
            (Value::Number(number), Some(choices)) => {
                let index = number.as_i64().unwrap_or(-1);
                chosen(choices, index).cloned().ok_or_else(|| outside("doc_to_target", index, choices))?
            }
            (Value::Array(answers), _) => match answers.first() {
                Some(Value::String(answer)) => answer.clone(),
                _ => return Err(format!("doc_to_target: gives {answers:?}, an answer is expected")),
            },
            (Value::String(answer), _) => answer.clone(),
            (other, _) => return Err(format!("doc_to_target: gives {other}, a text is expected")),
        };
        let prefix = prompt.prefix(filling)?;
        let turn = Turn { question: &question, prefix: prefix.as_deref(), target_delimiter: &prompt.target_delimiter };
        Ok(turn.answered(&answer, &self.task.fewshot.delimiter))
    }

    fn example(&self, doc: usize, document: Value, before: &[Part]) -> Result<Example, String> {
        let prompt = &self.task.prompt;
        let filling = self.filling(&document);
        let question = prompt.question(filling)?;
        let answer = prompt.answer(filling)?;
        let choices = prompt.choices(filling)?.unwrap_or_default();
        let prefix = prompt.prefix(filling)?;
        let context = |question: &str, delimiter| {
            let turn = Turn { question, prefix: prefix.as_deref(), target_delimiter: delimiter };
            self.written([before, &turn.open()].concat(), prefix.as_deref())
        };
        let delimiter = self.continuation_delimiter();
        let (requests, gold) = match (self.task.output, question) {
            (OutputType::MultipleChoice, Question::Choice(index)) if self.multiple_input => {
                let contexts = choices.iter().map(|choice| context(choice, ""));
                let continuation = format!("{delimiter}{}", text(&answer));
                let requests = contexts.map(|context| Ok(scored(context?, continuation.clone())));
                (requests.collect::<Result<_, String>>()?, self.choice(&Value::from(index), &choices)?)
            }
            (OutputType::Classification, question) => {
                let question = match question {
                    Question::Text(text) => text,
                    Question::Choice(number) => number.to_string(),
                };
                let first = context(&question, &prompt.target_delimiter)?;
                (vec![Request::Classify { first, second: prompt.pair(filling)? }], self.class(&answer, &choices)?)
            }
            (_, Question::Choice(index)) => return Err(number_for_text(index)),
            (output, Question::Text(question)) => {
                let context = context(&question, &prompt.target_delimiter)?;
                match output {
                    OutputType::MultipleChoice => {
                        (self.choice_requests(&context, &choices)?, self.choice(&answer, &choices)?)
                    }
                    OutputType::LogLikelihood => {
                        let continuation = text(&answer);
                        if continuation.is_empty() {
                            return Err("doc_to_target: gives an empty text, there is nothing to score".into());
                        }
                        (vec![scored(context, continuation.clone())], Gold::Text(continuation))
                    }
                    OutputType::LogLikelihoodRolling => {
                        let whole = text(&answer);
                        (vec![Request::Rolling { text: whole.clone() }], Gold::Text(whole))
                    }
                    OutputType::GenerateUntil | OutputType::Classification => {
                        (vec![Request::Generate { context }], self.texts(&answer, &choices)?)
                    }
                }
            }
        };
        let document = if self.prompting.drop_documents { Value::Null } else { document };
        Ok(Example { doc, document, requests, choices, gold })
    }

    /// Messages as the prompt: joined, or as the model's template writes them.
    fn written(&self, parts: Vec<Part>, prefix: Option<&str>) -> Result<String, String> {
        let Some(chat) = &self.prompting.chat else { return Ok(turn::text(&parts)) };
        let messages: Vec<Message> = match chat.multiturn {
            true => parts.into_iter().map(|part| part.message).collect(),
            false => turn::one_turn(&parts),
        };
        chat.template.render(&messages, prefix.is_some_and(|prefix| !prefix.is_empty()))
    }

    /// What stands between a prompt and a choice: nothing in a conversation, unless the answer has begun with a word.
    fn continuation_delimiter(&self) -> &str {
        let prompt = &self.task.prompt;
        let begun = prompt.gen_prefix.as_ref().is_some_and(|prefix| !prefix.is_empty() && !prefix.ends_with(is_space));
        if self.prompting.chat.is_some() && !begun { "" } else { &prompt.target_delimiter }
    }

    /// The right answer of a document that examples are taken from, as the number of a class among those `known`.
    pub fn class_of_example(&self, document: &Value, known: &mut Vec<String>) -> Result<usize, String> {
        let answer = text(&self.task.fewshot.prompt.answer(self.filling(document))?);
        Ok(known.iter().position(|other| *other == answer).unwrap_or_else(|| {
            known.push(answer);
            known.len() - 1
        }))
    }

    fn choice_requests(&self, context: &str, choices: &[String]) -> Result<Vec<Request>, String> {
        if choices.len() < 2 {
            return Err(format!("doc_to_choice gives {choices:?}, at least two are needed"));
        }
        let delimiter = self.continuation_delimiter();
        let continuation = |choice: &String| format!("{delimiter}{choice}");
        if let Some(index) = choices.iter().position(|choice| continuation(choice).is_empty()) {
            return Err(format!("doc_to_choice: choice {index} is empty"));
        }
        let mut requests: Vec<_> = choices.iter().map(|c| scored(context.to_owned(), continuation(c))).collect();
        if self.task.measures.iter().any(|measure| measure.needs_unconditional()) {
            requests.extend(choices.iter().map(|choice| scored(String::new(), continuation(choice))));
        }
        Ok(requests)
    }

    /// The right choice or choices.
    fn choice(&self, answer: &Value, choices: &[String]) -> Result<Gold, String> {
        let one = |answer: &Value| match answer {
            Value::String(answer) => choices.iter().position(|choice| choice == answer),
            Value::Number(number) => number.as_u64().map(|n| n as usize).filter(|&n| n < choices.len()),
            _ => None,
        };
        let none =
            |answer: &Value| format!("doc_to_target gives `{}`, which is no choice of {choices:?}", text(answer));
        match answer {
            Value::Array(answers) => {
                let golds = answers.iter().map(|answer| one(answer).ok_or_else(|| none(answer)));
                Ok(Gold::Choices(golds.collect::<Result<_, _>>()?))
            }
            answer => one(answer).map(Gold::Choice).ok_or_else(|| none(answer)),
        }
    }

    /// The right class, or the right number as it is written.
    fn class(&self, answer: &Value, choices: &[String]) -> Result<Gold, String> {
        let name = text(answer);
        if self.task.measures.iter().any(|measure| measure.needs_number()) {
            return Ok(Gold::Text(name));
        }
        let named = choices.iter().position(|choice| *choice == name).filter(|_| answer.is_string());
        match named.or_else(|| name.parse().ok().filter(|&class| choices.is_empty() || class < choices.len())) {
            Some(class) => Ok(Gold::Choice(class)),
            None if choices.is_empty() => {
                Err(format!("doc_to_target gives `{name}`; doc_to_choice must say which class that is"))
            }
            None => Err(format!("doc_to_target gives `{name}`, which is no choice of {choices:?}")),
        }
    }

    /// The right text or texts.
    fn texts(&self, answer: &Value, choices: &[String]) -> Result<Gold, String> {
        Ok(match answer {
            Value::Number(number) if self.has_choices => {
                let index = number.as_i64().unwrap_or(-1);
                let gold = chosen(choices, index).ok_or_else(|| outside("doc_to_target", index, choices))?;
                Gold::Text(gold.clone())
            }
            Value::Array(answers) if self.multiple_target => Gold::Texts(answers.iter().map(text).collect()),
            answer if self.multiple_target => Gold::Texts(vec![text(answer)]),
            answer => Gold::Text(text(answer)),
        })
    }
}

fn scored(context: String, continuation: String) -> Request {
    Request::LogLikelihood { context, continuation }
}

fn chosen(choices: &[String], index: i64) -> Option<&String> {
    choices.get(usize::try_from(index).ok()?)
}

fn outside(key: &str, index: i64, choices: &[String]) -> String {
    format!("{key}: gives {index}, the choices are {choices:?}")
}

fn number_for_text(index: i64) -> String {
    format!("doc_to_text: gives the number {index}, a text is expected")
}
