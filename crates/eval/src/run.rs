//! Tasks put to a model.

use crate::generate::cut_tokens;
use crate::metrics::{Response, Score, Value};
use crate::{Encoded, Engine, EvalError, Example, LogLikelihood, Progress, Request, Task, encode, rolling};
use junkdna_backend::{CausalLm, TokenCodec};

/// A line of the table of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The metric's name.
    pub metric: String,
    /// The name of the filters before it.
    pub filter: String,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// The number over all documents.
    pub score: Score,
    /// What each document contributes to it.
    pub values: Vec<Value>,
}

impl Engine {
    /// The responses to the requests of each example, in their order.
    ///
    /// # Errors
    /// As [`Engine::respond_all`].
    pub fn respond<M: CausalLm>(
        &self,
        model: &M,
        tokenizer: &dyn TokenCodec,
        task: &Task,
        examples: &[Example],
        progress: impl FnMut(Progress),
    ) -> Result<Vec<Vec<Response>>, EvalError> {
        let mut all = self.respond_all(model, tokenizer, &[(task, examples)], progress)?;
        Ok(all.pop().unwrap_or_default())
    }

    /// The responses to the requests of each example of several tasks. All log-likelihoods, of windows too, are one tree of
    /// prefixes that tasks share; answers are generated task by task, many at a time.
    ///
    /// # Errors
    /// As [`Engine::score`], [`encode`], [`rolling`] and [`Engine::generate`].
    pub fn respond_all<M: CausalLm>(
        &self,
        model: &M,
        tokenizer: &dyn TokenCodec,
        asked: &[(&Task, &[Example])],
        mut progress: impl FnMut(Progress),
    ) -> Result<Vec<Vec<Vec<Response>>>, EvalError> {
        let limit = model.context_length();
        let mut encoded: Vec<Encoded> = Vec::new();
        for (task, example) in asked.iter().flat_map(|&(task, examples)| examples.iter().map(move |e| (task, e))) {
            let wrong = |error: EvalError| error.of_document(&task.task, example.doc);
            for request in &example.requests {
                match request {
                    Request::LogLikelihood { context, continuation } => {
                        encoded.push(encode(tokenizer, context, continuation, limit).map_err(wrong)?);
                    }
                    Request::Rolling { text } => encoded.extend(rolling(tokenizer, text, limit).map_err(wrong)?),
                    Request::Generate { .. } => {}
                    Request::Classify { .. } => {
                        let problem = "asks for the class of a text, which the head of an encoder finds".to_owned();
                        return Err(EvalError::Document { task: task.task.clone(), doc: example.doc, problem });
                    }
                }
            }
        }
        let mut scores = self.score(model, &encoded, &mut progress)?.into_iter();
        let respond = |&(task, examples): &(&Task, &[Example])| {
            self.gather(model, tokenizer, task, examples, &mut scores, &mut progress)
        };
        asked.iter().map(respond).collect()
    }

    /// The responses of one task, its log-likelihoods taken from `scores`, its answers generated.
    fn gather<M: CausalLm>(
        &self,
        model: &M,
        tokenizer: &dyn TokenCodec,
        task: &Task,
        examples: &[Example],
        scores: &mut impl Iterator<Item = LogLikelihood>,
        progress: impl FnMut(Progress),
    ) -> Result<Vec<Vec<Response>>, EvalError> {
        let limit = model.context_length();
        let contexts = examples.iter().flat_map(|example| &example.requests).filter_map(|request| match request {
            Request::Generate { context } => Some(context.as_str()),
            _ => None,
        });
        let contexts: Vec<&str> = contexts.collect();
        let mut texts = match contexts.as_slice() {
            [] => Vec::new(),
            contexts => self.generate(model, tokenizer, contexts, &task.generation, progress)?,
        }
        .into_iter();
        let mut respond = |request: &Request| match request {
            Request::LogLikelihood { .. } => Ok(Response::LogLikelihood(scores.next().unwrap_or(NOTHING))),
            Request::Rolling { text } => {
                let windows = rolling(tokenizer, text, limit)?.len();
                Ok(Response::Rolling(scores.by_ref().take(windows).map(|score| score.sum).sum()))
            }
            // Texts to classify were refused.
            Request::Generate { .. } | Request::Classify { .. } => Ok(Response::Text(texts.next().unwrap_or_default())),
        };
        examples.iter().map(|example| example.requests.iter().map(&mut respond).collect()).collect()
    }
}

impl Task {
    /// How many tokens of each example's contexts are cut off at their beginning because the model cannot read so many:
    /// the most over its requests. A rolled text is read whole.
    ///
    /// # Errors
    /// As [`Engine::respond`].
    pub fn cut_tokens<M: CausalLm>(
        &self,
        model: &M,
        tokenizer: &dyn TokenCodec,
        examples: &[Example],
    ) -> Result<Vec<usize>, EvalError> {
        let limit = model.context_length();
        let cut = |request: &Request| match request {
            Request::LogLikelihood { context, continuation } => {
                encode(tokenizer, context, continuation, limit).map(|encoded| encoded.cut)
            }
            Request::Rolling { .. } | Request::Classify { .. } => Ok(0),
            Request::Generate { context } => cut_tokens(model, tokenizer, context, self.generation.max_tokens),
        };
        let most = |example: &Example| example.requests.iter().try_fold(0, |most, request| Ok(cut(request)?.max(most)));
        examples.iter().map(most).collect()
    }
}

/// An empty text's.
const NOTHING: LogLikelihood = LogLikelihood { sum: 0.0, greedy: true };

impl Task {
    /// The bootstrap interval of a measured number over documents at this confidence, by percentiles of `iterations`
    /// resamples; `None` for a metric that the task does not have.
    pub fn interval(&self, measured: &Measured, confidence: f64, iterations: usize) -> Option<(f64, f64)> {
        let measure = self.measures.iter().find(|measure| measure.name == measured.metric)?;
        Some(measure.interval(&measured.values, confidence, iterations))
    }

    /// Each metric after each pipeline of filters; standard errors that need it by the bootstrap with `iterations` resamples.
    ///
    /// # Errors
    /// Responses that do not fit the examples, filters that fail, with the document.
    pub fn measure(
        &self,
        examples: &[Example],
        responses: &[Vec<Response>],
        iterations: usize,
    ) -> Result<Vec<Measured>, EvalError> {
        let mut lines = Vec::new();
        for filter in &self.filters {
            for measure in &self.measures {
                let value = |(example, responses): (&Example, &Vec<Response>)| {
                    let filtered = responses.iter().map(|response| match response {
                        Response::Text(text) => filter.apply(std::slice::from_ref(text)).map(Response::Text),
                        other => Ok(other.clone()),
                    });
                    let value = filtered.collect::<Result<Vec<_>, _>>().and_then(|all| measure.value(example, &all));
                    let wrong = |problem| EvalError::Document { task: self.task.clone(), doc: example.doc, problem };
                    value.map_err(wrong)
                };
                let values = examples.iter().zip(responses).map(value).collect::<Result<Vec<_>, _>>()?;
                let score = measure.score(&values, iterations);
                lines.push(Measured {
                    metric: measure.name.clone(),
                    filter: filter.name.clone(),
                    higher_is_better: measure.higher_is_better,
                    score,
                    values,
                });
            }
        }
        Ok(lines)
    }
}
